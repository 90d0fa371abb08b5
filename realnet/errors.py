"""The errors of this project: one sentence that says what was expected, what came, in which file, and what to do."""


class RealnetError(Exception):
    """Base of every error that this package raises on purpose."""


class InvalidInput(RealnetError, ValueError):
    """A file, setting or array is there, but is not what it must be."""


class MissingInput(RealnetError, FileNotFoundError):
    """A file that is needed is not there; the sentence names it and the notebook or command that makes it."""
