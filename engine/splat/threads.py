"""Turn-taking for compiled parallel loops.

numba's fallback threading layer ends the process when two threads enter parallel loops at once; viewport, final frames
and tests may do that. One lock around every parallel call makes it safe on every platform, and costs nothing, since
each loop uses all cores anyway.
"""

from __future__ import annotations

import threading

_lock = threading.RLock()


def one_at_a_time() -> threading.RLock:
    """The lock to hold, by `with`, around calls of compiled parallel functions."""
    return _lock
