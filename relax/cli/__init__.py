"""The command line: ``relax VERB``."""

from relax.cli.app import main

__all__ = ["main"]
