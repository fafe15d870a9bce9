"""What the add-on and the engine agree on: standard library and numpy only, imported by both sides.

`channels` is the one list of AU channels, `passes` of render passes, `messages` of requests and replies,
`ring` the layout of the shared frame file, `curves` the AU curve type and its files, `files` strict reading of JSON.
"""
