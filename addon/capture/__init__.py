"""Renders a head's dataset with Cycles: runs inside Blender on files that `engine/fit` wrote; imports nothing else."""
