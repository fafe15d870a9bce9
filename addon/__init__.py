"""Inside Blender: bpy, numpy and the standard library.

Importing this package imports no bpy: `addon.bridge` is used and tested without Blender.
"""
