"""Heads from outside and heads for elsewhere; a format a file.

    head = importing.import_head("avatar.zip", name="Lee")     # LAM zip, or a still head as 3DGS PLY or SPZ → Head
    cloud = exporting.posed(head, values)                      # a head at channel values [C] → Splats
    ply.write(cloud, "lee.ply"); spz.write(cloud, "lee.spz")

`splats` holds the type that everything here reads and writes: free Gaussians, bound to nothing. `lam` reads avatars
that come with their own rig; `still`, with `landmarks`, gives the library's rig to a splat that has none; `flame` binds
GaussianAvatars to the artist's own FLAME. `cloud` shows a splat to whoever corrects its landmarks by hand.
"""
