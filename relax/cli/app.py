"""The command line: ``relax VERB``, one verb per stage of the pipeline and some beside it.

A verb takes explicit paths, writes its outputs last and atomically, and leaves ``run.json`` beside
them. Heavy libraries are imported inside the verb that needs them.
"""

import argparse
import logging
import os
import sys
import textwrap
import traceback
from collections.abc import Sequence
from pathlib import Path

from relax import __version__, config
from relax.cli import analysis, machine, results, stages
from relax.cli.logs import set_up
from relax.cli.verb import Verb, check_names
from relax.cluster import processes
from relax.errors import Interrupted, RelaxError
from relax.files import cannot_write, refusal
from relax.records.record import masked

logger = logging.getLogger("relax")
#: Every verb, in the groups that ``relax --help`` shows.
GROUPS = {
    "stages": stages.VERBS,
    "results": results.VERBS,
    "analysis": analysis.VERBS,
    "machine": machine.VERBS,
}
EXIT_CODES = (
    "exit codes: 0 done, 2 usage or configuration, 3 bad data, 4 missing hardware, service or writable folder, "
    "5 numerics, 75 stopped safely (run me again)"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a verb; returns the exit code."""
    processes.listen()
    arguments = _parser().parse_args(argv)
    verb: Verb = arguments.declared
    _environment(verb)
    try:
        set_up(None if "dry_run" in arguments and arguments.dry_run else arguments.log)
        if not verb.configured:
            return verb.run(arguments) or 0
        loaded = config.load(arguments.configfile)
        check_names(arguments, loaded)
        return verb.run(arguments, loaded) or 0
    except RelaxError as error:
        return _told(error, arguments)
    except BrokenPipeError:  # `relax why ... | head`: whoever read has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        logger.error("relax %s: interrupted; nothing half-written is left.", verb.name)
        return 130
    except Exception as error:
        if reason := refusal(error):
            return _told(cannot_write(getattr(error, "filename", None), reason), arguments)
        print(masked(traceback.format_exc()), file=sys.stderr, end="")
        return 1
    finally:
        _flush()


def _told(error: RelaxError, arguments: argparse.Namespace) -> int:
    """The error in its sentence, to the user, or to the launcher of several processes; returns its exit code."""
    if arguments.traceback:
        print(masked(traceback.format_exc()), file=sys.stderr, end="")
    if processes.spoken("said"):
        processes.note(error)
        return error.exit_code
    logger.error("relax %s: %s", arguments.verb, error)
    if isinstance(error, Interrupted) and "RELAX_STOPPED" in os.environ:
        # A Slurm job then asks for its place again: profiles/slurm/job.sh.
        Path(os.environ["RELAX_STOPPED"]).touch()
    return error.exit_code


def _flush() -> None:
    """Where a full disk does not take the last words, Python would end with a code of its own."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _environment(verb: Verb) -> None:
    """Settings that must be in place before torch and the hub libraries are imported."""
    if not verb.online:
        for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
            os.environ[name] = "1"
    # One thread unless told otherwise: arms run side by side, and sums do not depend on the machine.
    if not verb.all_cores:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    # Libraries' bars would fill the logs with control characters; relax.progress speaks in lines.
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    # Without it MLflow would report its use to its makers; no verb but fetch reaches a network unasked. And fetch asks
    # for what it is told to alone, where the hub's library would ask for a list of coding agents too.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="relax",
        usage="relax [-h] [--version] VERB ...",
        description="ReLaX: reasoning with latent exploration, stage by stage.",
        epilog=_overview(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"relax {__version__}")
    verbs = parser.add_subparsers(
        dest="verb", metavar="VERB", required=True, help="one of those below; `relax VERB --help` shows its options"
    )
    for verb in (verb for group in GROUPS.values() for verb in group):
        # Without `help` here, as argparse would list all verbs in one block.
        verb.fill(verbs.add_parser(verb.name, prog=f"relax {verb.name}", description=verb.help, epilog=EXIT_CODES))
    return parser


def _overview() -> str:
    """The verbs by group, and the exit codes."""
    lines = []
    for group, verbs in GROUPS.items():
        lines += [f"{group}:"]
        for verb in verbs:
            lines += textwrap.wrap(verb.help, 100, initial_indent=f"  {verb.name:<12}", subsequent_indent=" " * 14)
        lines += [""]
    return "\n".join([*lines, textwrap.fill(EXIT_CODES, 100)])
