"""Heads: the file and its checks (`format`), the shipped ones (`library`), and their deformation (`deform`).

head = format.load("person.mien")              # → Head, checked; also save(head, path), make_head(info, arrays)
path = library.find("Ada")                     # a shipped head's name, or a file
move = deform.Deformer(head)                   # once a head; appearance=False leaves wrinkles and the like out
gaussians = move(values, matrix)               # channel values [C], object → world [4, 4] → splat Gaussians
vertices = move.mesh(values)                   # [V, 3] float32, the proxy
origin, axes = deform.triangle_frames(…)       # what triangles carry, in plain float64, for fits
some = format.select(head, rows)               # the head with some of its Gaussians
"""
