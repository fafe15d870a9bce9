"""Sync: how well a mouth's curves fit a sound, by a small network trained on sound and mouths by contrast.

`features` measures sound and mouth at one fixed step, `network` compares them, `command` is `engine sync`; the network
is trained by `engine train sync`.
"""
