"""The one exception that carries a sentence for an artist, and the two for work that was given up."""


class MienError(Exception):
    """Something an artist can act on: one sentence that says what, where, and what to do.

    Every room raises this for bad input; the command line prints it and exits with 2, the add-on reports it.
    Anything else that escapes is a bug.
    """


class Cancelled(Exception):
    """The work was cancelled from outside; nothing was changed."""


class Superseded(Cancelled):
    """A newer request took this one's place."""
