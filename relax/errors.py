"""Errors a user can act on: one sentence each, and an exit code of their class.

The command line prints the sentence alone; ``--traceback`` adds where it was raised.
"""


class RelaxError(Exception):
    """Base of every error that is the user's to mend.

    The message is one sentence: what, where, what was expected, how to fix it.
    """

    exit_code = 1


class ConfigError(RelaxError):
    """A wrong argument, key or value, or a results folder that does not belong to the configuration."""

    exit_code = 2


class DataError(RelaxError):
    """A problem file, sample file or model folder that is missing, malformed or empty."""

    exit_code = 3


class MachineError(RelaxError):
    """Hardware or a service that is not there, or a folder that cannot be written."""

    exit_code = 4


class NumericsError(RelaxError):
    """A computation that produced no usable number."""

    exit_code = 5


class Interrupted(RelaxError):
    """Stopped safely at a checkpoint: the same command again goes on from there."""

    exit_code = 75
