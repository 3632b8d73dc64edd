"""What a verb of the command line is, the options that several verbs share, and how a verb begins its record."""

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relax import config
from relax.settings import Settings

if TYPE_CHECKING:
    from relax.records.record import Run

CONFIGFILE = "configuration files, later ones win"
OVER_BASE = "configuration files, over config/config.yaml"


@dataclass(frozen=True)
class Verb:
    """A verb of ``relax``: all that the command line knows of it.

    Attributes:
        name: as it is typed.
        help: what the verb does, in one sentence.
        run: does it. It takes the arguments, and after them the loaded configuration where there is one; it returns an
            exit code, or None for 0.
        options: names of required options, keys of :data:`OPTIONS`.
        more: adds the verb's own options to its parser.
        configured: the verb requires ``--configfile`` and is run with the configuration that the files make.
        online: the verb may use a network.
        all_cores: libraries may use every core unless ``OMP_NUM_THREADS`` is set; elsewhere they use one.
    """

    name: str
    help: str
    run: Callable[..., int | None]
    options: Sequence[str] = ()
    more: Callable[[argparse.ArgumentParser], None] | None = None
    configured: bool = False
    online: bool = False
    all_cores: bool = False

    def fill(self, parser: argparse.ArgumentParser) -> None:
        """Add the verb's options, and those that every verb has, to its parser."""
        parser.set_defaults(declared=self)
        if self.configured:
            add_configfile(parser, CONFIGFILE, required=True)
        for name in self.options:
            metavar, kind, text = OPTIONS[name]
            parser.add_argument(f"--{name}", type=kind, required=True, metavar=metavar, help=text)
        if self.more is not None:
            self.more(parser)
        parser.add_argument("--log", type=Path, metavar="FILE", help="write all messages to this file")
        parser.add_argument("--traceback", action="store_true", help="show where an error was raised")


def add_configfile(parser: argparse.ArgumentParser, text: str, **how: Any) -> None:
    """Add ``--configfile FILE ...`` to a verb's parser."""
    parser.add_argument("--configfile", nargs="+", type=Path, metavar="FILE", help=text, **how)


# Kinds of values ------------------------------------------------------------------------------------


def whole(least: int) -> Callable[[str], int]:
    """The reader of whole numbers of at least ``least``."""

    def parse(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, found {text!r}")
        return int(text)

    return parse


def part(text: str) -> tuple[int, int]:
    """Read ``2/4``, the second of four parts."""
    first, slash, last = text.partition("/")
    if not (slash and first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last)):
        raise argparse.ArgumentTypeError(f"expected I/N with I from 1 to N, such as 2/4, found {text!r}")
    return int(first), int(last)


def at_least_zero(text: str) -> float:
    """Read a finite number of at least 0."""
    return _number(text, "a number of at least 0", lambda value: value >= 0)


def above_zero(text: str) -> float:
    """Read a finite number above 0."""
    return _number(text, "a number above 0", lambda value: value > 0)


def _number(text: str, expected: str, fits: Callable[[float], bool]) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and fits(value)):
        raise argparse.ArgumentTypeError(f"expected {expected}, found {text!r}")
    return value


#: Options that several verbs share: placeholder, kind of value, and what it is.
OPTIONS: dict[str, tuple[str, Callable[[str], Any], str]] = {
    "policy": ("NAME", str, "name of the initial policy"),
    "method": ("NAME", str, "name of the method"),
    "seed": ("N", whole(0), "seed of the run"),
    "out": ("PATH", Path, "where the outputs go"),
    "data": ("PATH", Path, "problem file (JSON lines)"),
    "train": ("PATH", Path, "problem file to train on"),
    "test": ("PATH", Path, "problem file of held-out problems"),
    "base": ("PATH", Path, "folder of the initial policy"),
    "model": ("PATH", Path, "folder of the policy"),
    "dictionary": ("PATH", Path, "folder of the dictionary stage"),
    "checkpoints": ("PATH", Path, "folder for this run's checkpoints"),
    "figures": ("PATH", Path, "folder of the figures"),
    "pages": (
        "PATH",
        Path,
        "folder for the tables and figures of the report as pages of their own, and for its record",
    ),
    "responses": ("PATH", Path, "folder of the generate stage"),
    "grades": ("PATH", Path, "folder of the grade stage"),
    "latent": ("PATH", Path, "folder of the extract stage"),
    "root": ("PATH", Path, "results folder of the experiment"),
}


# What verbs with a configuration begin with ------------------------------------------------------------


def check_names(a: argparse.Namespace, loaded: config.Experiment) -> None:
    """Refuse a policy or method that the configuration does not define; all but ``train`` also take ``initial``.

    Raises:
        ConfigError: names the nearest that is defined.
    """
    if "policy" in a:
        config.require(loaded, "policies", a.policy)
    if "method" in a and (a.method != "initial" or a.verb == "train"):
        config.require(loaded, "methods", a.method)


def begin(
    a: argparse.Namespace,
    loaded: config.Experiment,
    settings: Settings | dict[str, Any],
    inputs: Sequence[str | Path],
    verb: str | None = None,
) -> "Run":
    """The record of this verb, or of another that it does as well, with the identity that its options give.

    Args:
        a: the arguments.
        loaded: the configuration.
        settings: all of it that decides the outputs.
        inputs: files and folders that the verb reads.
        verb: the other one.

    Raises:
        DataError: an input is missing.
        MachineError: an input is newer than this machine's clock says now.
    """
    from relax.records.code import code_of
    from relax.records.record import Run

    verb = verb or a.verb
    names = ("policy", "method", "seed", "benchmark")
    identity = {name: getattr(a, name) for name in names if name in a}
    recorded = settings.recorded() if isinstance(settings, Settings) else settings
    return Run(
        verb=verb,
        identity={"name": loaded.name, **identity},
        settings=recorded,
        inputs=list(inputs),
        config_hash=config.digest(loaded),
        code=code_of(verb, recorded),
    )


def label(a: argparse.Namespace) -> str:
    """What a verb is called in its messages: ``train tiny grpo seed 1``."""
    words = [a.verb, a.policy]
    if "method" in a:
        words += [a.method, f"seed {a.seed}"]
    return " ".join(words)
