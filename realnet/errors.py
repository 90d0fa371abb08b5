"""The errors of this package: each is one sentence with what was expected, what came, the file, and what to do."""


class RealnetError(Exception):
    """Base of every error that this package raises on purpose."""


class InvalidInput(RealnetError, ValueError):
    """A file, setting or array is not what it must be."""


class MissingInput(RealnetError, FileNotFoundError):
    """A file is missing; the message names it and the notebook or command that makes it."""


class CannotWrite(RealnetError, OSError):
    """A file could not be written; the previous version, if any, is unchanged."""
