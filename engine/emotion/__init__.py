"""Emotion from words, labels and valence–arousal to Action Unit curves, and how it is laid over speech.

`text` understands a direction ("calm, then furious at 3 s"), `timeline` turns what was understood into curves,
`circle` maps valence and arousal, `combine` adds an emotion to speech without touching what the lips must do.
What is known about emotions and words is data, in `data/`; `tables` reads it.
"""
