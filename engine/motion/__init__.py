"""Phones and prosody → channel curves, and curves → keys.

`articulation` moves the mouth, `idle` blinks, looks, nods and breathes, `keys` reduces curves to what an animator
would set, `perform` does all of it for one sound.
"""
