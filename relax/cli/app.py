"""The command line: ``relax VERB``, one verb per stage of the pipeline.

A verb takes explicit paths, writes its outputs last and atomically, and leaves ``run.json`` beside
them. Heavy libraries are imported inside the verb that needs them.
"""

import argparse
import logging
import math
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from relax import __version__, config
from relax.cli import verbs
from relax.cli.logs import set_up
from relax.cluster import processes
from relax.errors import Interrupted, RelaxError
from relax.files import cannot_write, refusal
from relax.records.record import masked

logger = logging.getLogger("relax")
EXIT_CODES = (
    "exit codes: 0 done, 2 usage or configuration, 3 bad data, 4 missing hardware, service or writable folder, "
    "5 numerics, 75 stopped safely (run me again)"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a verb; returns the exit code."""
    processes.listen()
    arguments = _parser().parse_args(argv)
    _environment(arguments.verb)
    try:
        set_up(None if "dry_run" in arguments and arguments.dry_run else arguments.log)
        if arguments.verb in ("fetch", "tables", "doctor", "cost", "evidence") or "configfile" not in arguments:
            return arguments.run(arguments)
        loaded = config.load(arguments.configfile)
        verbs.check_names(arguments, loaded)
        arguments.run(arguments, loaded)
    except RelaxError as error:
        return _told(error, arguments)
    except BrokenPipeError:  # `relax why ... | head`: whoever read has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        logger.error("relax %s: interrupted; nothing half-written is left.", arguments.verb)
        return 130
    except Exception as error:
        if reason := refusal(error):
            return _told(cannot_write(getattr(error, "filename", None), reason), arguments)
        print(masked(traceback.format_exc()), file=sys.stderr, end="")
        return 1
    finally:
        _flush()
    return 0


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


def _environment(verb: str) -> None:
    """Settings that must be in place before torch and the hub libraries are imported."""
    if verb != "fetch":
        for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
            os.environ[name] = "1"
    # One thread unless told otherwise: arms run side by side, and sums do not depend on the machine.
    if verb != "dsd":
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    # Libraries' bars would fill the logs with control characters; relax.progress speaks in lines.
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    # Without it MLflow would report its use to its makers; no verb but fetch reaches a network unasked.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="relax",
        description="ReLaX: reasoning with latent exploration, stage by stage.",
        epilog=EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"relax {__version__}")
    subparsers = parser.add_subparsers(dest="verb", metavar="VERB", required=True)

    def verb(name: str, run: Callable[..., int | None], text: str, *options: str) -> argparse.ArgumentParser:
        sub = subparsers.add_parser(name, help=text, description=text, epilog=EXIT_CODES)
        sub.set_defaults(run=run)
        sub.add_argument(
            "--configfile",
            nargs="+",
            type=Path,
            required=True,
            metavar="FILE",
            help="configuration files, later ones win",
        )
        for option in options:
            kind = {"seed": _whole(0), "policy": str, "method": str}.get(option, Path)
            metavar = "N" if option == "seed" else "NAME" if kind is str else "PATH"
            sub.add_argument(f"--{option}", type=kind, required=True, metavar=metavar, help=HELP[option])
        _messages(sub)
        return sub

    verb("fetch", verbs.fetch, "bring pinned models and data to the local cache (the only verb that uses a network)")
    verb("data", verbs.data, "make the training and held-out problems", "out")
    verb("base", verbs.base, "make the initial policy", "policy", "out")
    sub = verb(
        "dictionary",
        verbs.dictionary,
        "fit the Koopman dictionary on the initial policy",
        "policy",
        "base",
        "data",
        "out",
    )
    sub.add_argument("--koopman-dim", type=_whole(2), metavar="N", help="functions m, in place of the configuration's")
    sub = verb(
        "train",
        verbs.train,
        "train one policy with one method and seed",
        "policy",
        "method",
        "seed",
        "data",
        "base",
        "dictionary",
        "checkpoints",
        "out",
    )
    sub.add_argument(
        "--dry-run", action="store_true", help="print the commands of a training in several processes and start nothing"
    )
    verb(
        "extract",
        verbs.extract,
        "hidden states of a policy's responses, as statistics",
        "policy",
        "method",
        "seed",
        "model",
        "data",
        "dictionary",
        "out",
    )
    verb(
        "koopman",
        verbs.koopman,
        "spectra and DSD from the statistics",
        "policy",
        "method",
        "seed",
        "latent",
        "out",
    )
    verb("overlap", verbs.overlap, "benchmark problems in the training set", "train", "test", "out")
    sub = verb(
        "generate",
        verbs.generate,
        "a policy's responses to every benchmark",
        "policy",
        "method",
        "seed",
        "model",
        "data",
        "out",
    )
    sub.add_argument(
        "--part",
        type=_part,
        default=(1, 1),
        metavar="I/N",
        help="make every N-th block, from the I-th; several jobs share the work so",
    )
    verb("grade", verbs.grade, "grade kept responses, without a model", "policy", "method", "seed", "responses", "out")
    sub = verb("evaluate", verbs.evaluate, "scores from grades", "policy", "method", "seed", "grades", "out")
    sub.add_argument(
        "--regrade",
        type=Path,
        metavar="RESPONSES",
        help="grade the responses of this folder first, into --grades; no model is needed",
    )
    _tables_options(subparsers.add_parser("tables", help=TABLES_HELP, description=TABLES_HELP, epilog=EXIT_CODES))
    verb("figures", verbs.figures, "draw the figures from the run records", "root", "out")
    verb("report", verbs.report, "write the report", "root", "figures", "pages", "out")
    sub = verb("track", verbs.track, "export the run records to MLflow", "root", "out")
    sub.add_argument("--uri", metavar="URI", help="MLflow tracking URI, in place of the configuration's")
    _doctor_options(subparsers.add_parser("doctor", help=DOCTOR_HELP, description=DOCTOR_HELP, epilog=EXIT_CODES))
    _cost_options(subparsers.add_parser("cost", help=COST_HELP, description=COST_HELP, epilog=EXIT_CODES))
    _dsd_options(subparsers.add_parser("dsd", help=DSD_HELP, description=DSD_HELP, epilog=EXIT_CODES))
    _why_options(subparsers.add_parser("why", help=WHY_HELP, description=WHY_HELP, epilog=EXIT_CODES))
    _audit_options(subparsers.add_parser("audit", help=AUDIT_HELP, description=AUDIT_HELP, epilog=EXIT_CODES))
    _claims_options(subparsers.add_parser("claims", help=CLAIMS_HELP, description=CLAIMS_HELP, epilog=EXIT_CODES))
    _evidence_options(
        subparsers.add_parser("evidence", help=EVIDENCE_HELP, description=EVIDENCE_HELP, epilog=EXIT_CODES)
    )
    _reference_options(
        subparsers.add_parser("reference", help=REFERENCE_HELP, description=REFERENCE_HELP, epilog=EXIT_CODES)
    )
    return parser


def _messages(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--log", type=Path, metavar="FILE", help="write all messages to this file")
    sub.add_argument("--traceback", action="store_true", help="show where an error was raised")


def _tables_options(sub: argparse.ArgumentParser) -> None:
    sub.set_defaults(run=verbs.tables)
    sub.add_argument("--configfile", nargs="+", type=Path, metavar="FILE", help="configuration files, later ones win")
    sub.add_argument("--root", type=Path, metavar="PATH", help=HELP["root"])
    sub.add_argument(
        "--from-mlflow", metavar="URI", help="in place of both: an MLflow store, e.g. sqlite:///results/demo/mlflow.db"
    )
    sub.add_argument("--experiment", metavar="NAME", help="of the MLflow store, where it holds several")
    sub.add_argument("--out", type=Path, required=True, metavar="PATH", help=HELP["out"])
    _messages(sub)


def _doctor_options(sub: argparse.ArgumentParser) -> None:
    sub.set_defaults(run=verbs.doctor)
    sub.add_argument(
        "--configfile",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="configuration files, over config/config.yaml",
    )
    sub.add_argument("--slurm", action="store_true", help="look at the cluster as well; nothing is submitted")
    _messages(sub)


def _cost_options(sub: argparse.ArgumentParser) -> None:
    sub.set_defaults(run=verbs.cost)
    sub.add_argument(
        "--configfile",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="configuration files, over config/config.yaml",
    )
    sub.add_argument("--gpus", type=_whole(1), metavar="N", help="GPUs at the same time (default: no limit)")
    sub.add_argument(
        "--jobs", type=_whole(1), metavar="N", help="jobs at the same time (default: that of profiles/slurm)"
    )
    _messages(sub)


def _why_options(sub: argparse.ArgumentParser) -> None:
    sub.set_defaults(run=verbs.why)
    sub.add_argument("path", type=Path, metavar="PATH", help="a file below results/<name>/, e.g. tables/final.md")
    sub.add_argument("--seed", type=_whole(0), metavar="N", help="this seed alone")
    for name in ("policy", "method", "benchmark"):
        sub.add_argument(f"--{name}", metavar="NAME", help=f"this {name} alone")
    _messages(sub)


def _audit_options(sub: argparse.ArgumentParser) -> None:
    sub.set_defaults(run=verbs.audit)
    sub.add_argument("--out", type=Path, metavar="FILE", help="write it to this file as well, as Markdown")
    _messages(sub)


def _claims_options(sub: argparse.ArgumentParser) -> None:
    sub.set_defaults(run=verbs.claims)
    sub.add_argument("--out", type=Path, metavar="FILE", help="write it to this file as well, as Markdown")
    _messages(sub)


def _reference_options(sub: argparse.ArgumentParser) -> None:
    sub.set_defaults(run=verbs.reference)
    sub.add_argument("--root", type=Path, required=True, metavar="DIR", help=HELP["root"])
    sub.add_argument("--out", type=Path, required=True, metavar="DIR", help="e.g. results/reference/demo; replaced")
    _messages(sub)


def _evidence_options(sub: argparse.ArgumentParser) -> None:
    sub.set_defaults(run=verbs.evidence)
    sub.add_argument(
        "--collect",
        type=Path,
        nargs="+",
        default=[],
        metavar="DIR",
        help="results folders whose runs are added to those tracked, e.g. results/study",
    )
    sub.add_argument(
        "--records",
        type=Path,
        metavar="DIR",
        help="the tracked runs (results/reference/study of the clone)",
    )
    sub.add_argument(
        "--configfile",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="another plan than config/study.yaml with its controls, over config/config.yaml",
    )
    sub.add_argument("--out", type=Path, metavar="FILE", help="write it to this file, as Markdown, with its figures")
    _messages(sub)


def _dsd_options(sub: argparse.ArgumentParser) -> None:
    sub.set_defaults(run=verbs.dsd)

    def number(name: str, kind: Callable[[str], float], default: float | None, text: str) -> None:
        sub.add_argument(f"--{name}", type=kind, default=default, metavar="N", help=text)

    sub.add_argument("--model", required=True, metavar="PATH_OR_NAME", help="folder, or name in the local hub cache")
    sub.add_argument("--prompts", type=Path, required=True, metavar="FILE", help='JSON lines with "prompt" (and "id")')
    sub.add_argument(
        "--responses",
        type=Path,
        metavar="FILE",
        help='JSON lines with "response" and "id" or "prompt"; nothing is sampled then',
    )
    sub.add_argument("--dictionary", type=Path, metavar="FILE", help="dictionary.safetensors; fitted here if not given")
    sub.add_argument("--out", type=Path, required=True, metavar="DIR", help=HELP["out"])
    number("koopman-dim", _whole(2), None, "functions m of the dictionary (50, or those of --dictionary)")
    number("ridge", _at_least_zero, 1e-3, "added to the Gram matrix (0.001)")
    number("samples", _whole(1), 1, "responses sampled per prompt (1)")
    number("max-response-length", _whole(2), 512, "tokens of a sampled response (512, or what fits the context)")
    number("temperature", _above_zero, 1.0, "of sampling (1.0)")
    number("seed", _whole(0), 0, "of sampling, fit and shuffling (0)")
    sub.add_argument(
        "--dtype",
        choices=("auto", "float32", "bfloat16"),
        default="auto",
        help="of the weights; auto is that of the checkpoint",
    )
    _messages(sub)


def _whole(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, found {text!r}")
        return int(text)

    return parse


def _part(text: str) -> tuple[int, int]:
    first, slash, last = text.partition("/")
    if not (slash and first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last)):
        raise argparse.ArgumentTypeError(f"expected I/N with I from 1 to N, such as 2/4, found {text!r}")
    return int(first), int(last)


def _at_least_zero(text: str) -> float:
    return _number(text, "a number of at least 0", lambda value: value >= 0)


def _above_zero(text: str) -> float:
    return _number(text, "a number above 0", lambda value: value > 0)


def _number(text: str, expected: str, fits: Callable[[float], bool]) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and fits(value)):
        raise argparse.ArgumentTypeError(f"expected {expected}, found {text!r}")
    return value


TABLES_HELP = "build the tables from the run records, or from MLflow alone"
DOCTOR_HELP = "is this machine, or cluster, ready for an experiment: each finding with its fix"
COST_HELP = "jobs, GPU hours, disk and time of an experiment by stage, before anything is submitted"
AUDIT_HELP = "what does not follow from the paper's own printed numbers, with the arithmetic"
CLAIMS_HELP = "the paper's claims, and what the tracked reference runs show of each"
EVIDENCE_HELP = "what the runs of docs/study.md show, from the tracked ones alone"
REFERENCE_HELP = "copy what is tracked of a finished run: tables, findings, status of the claims, records"
WHY_HELP = "the run records behind a result, and where a link is missing or a hash differs"
DSD_HELP = "spectra and DSD of any causal language model's responses, without training"


HELP = {
    "policy": "name of the initial policy",
    "method": "name of the method",
    "seed": "seed of the run",
    "out": "where the outputs go",
    "data": "problem file (JSON lines)",
    "train": "problem file to train on",
    "test": "problem file of held-out problems",
    "base": "folder of the initial policy",
    "model": "folder of the policy",
    "dictionary": "folder of the dictionary stage",
    "checkpoints": "folder for this run's checkpoints",
    "figures": "folder of the figures",
    "pages": "folder for its tables and figures as pages of their own, and its record",
    "responses": "folder of the generate stage",
    "grades": "folder of the grade stage",
    "latent": "folder of the extract stage",
    "root": "results folder of the experiment",
}
