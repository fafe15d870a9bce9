"""Mien's engine: a process of its own that renders Gaussian heads and generates Action Unit curves.

Run it as `python -m engine`. Inside Blender only `engine.contract` is imported; this file must stay free of imports.
"""

__version__ = "0.1.0"
