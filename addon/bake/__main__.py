"""The baking Blender's script: `blender -b --python addon/bake/__main__.py -- JOB.json`; see `worker`.

It loads the extension's tree under a name of its own, so that it works whether the extension is enabled or not and
nothing of Mien's becomes a top-level module.
"""

import importlib
import importlib.util
import sys
from pathlib import Path

NAME = "_mien_bake"
ROOT = Path(__file__).resolve().parent.parent.parent

if __name__ == "__main__":
    spec = importlib.util.spec_from_file_location(NAME, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    sys.modules[NAME] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[NAME])
    importlib.import_module(f"{NAME}.addon.bake.worker").main(sys.argv[sys.argv.index("--") + 1])
