"""The performer: a small diffusion model of Action Unit curves, conditioned on speech, emotion and an artist's keys.

`layout` names what it moves, `conditions` what it is told, `network` is its arithmetic in numpy, `sampling` makes
curves of any length, `model` loads weights and is what `perform` calls. Trained by `engine train performance`.
"""
