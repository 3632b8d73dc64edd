"""Where messages go: our lines to the terminal; with a log file, those and whatever any library says to the file."""

import logging
import os
import sys
from pathlib import Path

from relax.cluster import processes
from relax.files import cannot_write, writable_folder
from relax.records.record import masked

logger = logging.getLogger("relax")


def set_up(log: Path | None) -> None:
    """Before a verb begins: its messages, and Python's standard output and error, to where they belong.

    Args:
        log: file, written anew; None is the terminal alone. Of several processes that train, the first one speaks,
            through the launcher, with which it shares the file; another has a file of its own, ``<log>.rank1``.

    Raises:
        MachineError: the file cannot be written.
    """
    logger.setLevel(logging.INFO)
    said, rank = processes.spoken("said"), processes.rank()
    if rank:
        logger.setLevel(logging.ERROR)
        log = log and log.with_name(f"{log.name}.rank{rank}")
    root = logging.getLogger()
    root.handlers = [logging.NullHandler()]
    shown = logging.StreamHandler(sys.stderr)
    shown.setFormatter(_Masking("%(message)s"))
    logger.handlers = [shown]
    if log is not None:
        # Set before the file is opened: what can go wrong with that is said on the terminal.
        writable_folder(log.parent)
        try:
            with log.open("a" if said and not rank else "w"):
                pass
        except OSError as error:
            raise cannot_write(log, str(error.strerror)) from error
        shown.setStream(os.fdopen(os.dup(2), "w", buffering=1))
        _redirect(log)
        written = _LogFile(sys.stderr)
        written.setFormatter(_Masking("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root.handlers = [written]
        logging.captureWarnings(True)
    if said and not rank:  # the launcher writes down and shows what is said
        shown.setStream(said.open("a", buffering=1))
        logger.propagate = False


def _redirect(target: str | Path) -> None:
    """What libraries print, and their own libraries, goes there."""
    with open(target, "a") as stream:
        for standard in (1, 2):
            os.dup2(stream.fileno(), standard)


class _LogFile(logging.StreamHandler):
    """Where the disk takes no more lines, the terminal says so once, and the work goes on."""

    def handleError(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            return super().handleError(record)
        logging.getLogger().removeHandler(self)
        _redirect(os.devnull)  # what libraries print would raise in the middle of the work
        logger.warning("the log ends here, as it cannot be written any more (%s); the work goes on", error.strerror)


class _Masking(logging.Formatter):
    """No log line, of whatever library, shows the credentials of an address."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))
