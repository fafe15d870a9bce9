"""Loads the tree as the package `mien`, as Blender does as `bl_ext.user_default.mien`, so that relative imports work.

Importing it imports no bpy. `engine` stays a top-level module beside it, as the engine process sees it: the two are
separate copies of the contract, as they are in life.
"""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

if "mien" not in sys.modules:
    spec = importlib.util.spec_from_file_location("mien", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    sys.modules["mien"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["mien"])
