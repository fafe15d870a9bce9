"""Sound or text → phones, words and prosody; text → speech.

`sound` reads files, `analyse` finds phones and words, `prosody` measures loudness and pitch, `voice` speaks a line.
Phones are IPA symbols with times in seconds from the start of the sound.
"""
