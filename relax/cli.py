"""The command line: ``relax VERB``, one verb per stage of the pipeline.

A verb takes explicit paths, writes its outputs last and atomically, and leaves ``run.json`` beside
them. Heavy libraries are imported inside the verb that needs them.
"""

import argparse
import json
import logging
import math
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from relax import __version__, config
from relax.errors import RelaxError

logger = logging.getLogger("relax")
EXIT_CODES = (
    "exit codes: 0 done, 2 usage or configuration, 3 bad data, 4 missing hardware, service or writable folder, "
    "5 numerics, 75 stopped safely (run me again)"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a verb; returns the exit code."""
    arguments = _parser().parse_args(argv)
    _environment(arguments.verb)
    try:
        _logging(arguments.log)
        if arguments.verb == "fetch":
            return _fetch(arguments)
        if arguments.verb == "dsd":
            return _dsd(arguments)
        arguments.run(arguments, config.load(arguments.configfile))
    except RelaxError as error:
        if arguments.traceback:
            traceback.print_exc()
        logger.error("relax %s: %s", arguments.verb, error)
        return error.exit_code
    except KeyboardInterrupt:
        logger.error("relax %s: interrupted; nothing half-written is left.", arguments.verb)
        return 130
    return 0


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


def _logging(log: Path | None) -> None:
    """Our lines to the terminal. With a log file: those, and whatever else any library says, to the file."""
    logger.setLevel(logging.INFO)
    root = logging.getLogger()
    root.handlers = [logging.NullHandler()]
    terminal = sys.stderr
    if log is not None:
        from relax.files import writable_folder

        writable_folder(log.parent)
        log.write_text("")
        terminal = os.fdopen(os.dup(2), "w", buffering=1)
        with log.open("a") as stream:
            for standard in (1, 2):
                os.dup2(stream.fileno(), standard)
        written = logging.StreamHandler(sys.stderr)
        written.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root.handlers = [written]
        logging.captureWarnings(True)
    shown = logging.StreamHandler(terminal)
    shown.setFormatter(logging.Formatter("%(message)s"))
    logger.handlers = [shown]


def _run(arguments: argparse.Namespace, loaded: config.Config, settings: dict[str, Any], inputs: list[Path]) -> Any:
    """The record of this verb, with the identity its options give."""
    from relax.tracking import Run

    names = ("policy", "method", "seed", "benchmark")
    identity = {name: getattr(arguments, name) for name in names if name in arguments}
    return Run(
        verb=arguments.verb,
        identity={"name": loaded["name"], **identity},
        settings=settings,
        inputs=list(inputs),
        config_hash=config.digest(loaded),
    )


def _label(arguments: argparse.Namespace) -> str:
    parts = [arguments.verb, arguments.policy]
    if "method" in arguments:
        parts += [arguments.method, f"seed {arguments.seed}"]
    return " ".join(parts)


def _named(loaded: config.Config, kind: str, name: str) -> str:
    config.require(loaded, kind, name)
    return name


def _fetch(a: argparse.Namespace) -> int:
    from relax.models.hub import fetch

    for line in fetch(config.load(a.configfile)) or ["nothing to fetch: no policy or data set of the hub is named"]:
        print(line)
    return 0


def _data(a: argparse.Namespace, loaded: config.Config) -> None:
    from relax.data.build import build
    from relax.evaluation.catalogue import check_tasks

    # The first job of a pipeline: what would fail hours later is refused here.
    check_tasks({name: loaded["benchmarks"][name] for name in loaded["matrix"]["benchmarks"]})
    settings = config.data_settings(loaded)
    build(settings, a.out, _run(a, loaded, settings, []))


def _base(a: argparse.Namespace, loaded: config.Config) -> None:
    settings = config.base_settings(loaded, _named(loaded, "policies", a.policy))
    run = _run(a, loaded, settings, [])
    from relax.models.build import build

    build(settings, a.out, run, _label(a))


def _dictionary(a: argparse.Namespace, loaded: config.Config) -> None:
    settings = config.dictionary_settings(loaded)
    run = _run(a, loaded, settings, [a.base, a.data])
    from relax.latent.dictionary import build

    build(settings, a.base, a.data, a.out, run, _label(a))


def _train(a: argparse.Namespace, loaded: config.Config) -> None:
    settings = config.train_settings(loaded, _named(loaded, "methods", a.method))
    run = _run(a, loaded, settings, [a.data, a.base, a.dictionary])
    from relax.training.run import train

    train(settings, a.seed, a.data, a.base, a.dictionary, a.out, a.checkpoints, run, _label(a))


def _extract(a: argparse.Namespace, loaded: config.Config) -> None:
    settings = config.extract_settings(loaded)
    run = _run(a, loaded, settings, [a.model, a.data, a.dictionary])
    from relax.latent.extract import extract

    extract(settings, a.model, a.data, a.dictionary, a.out, run, _label(a))


def _koopman(a: argparse.Namespace, loaded: config.Config) -> None:
    settings = config.koopman_settings(loaded)
    run = _run(a, loaded, settings, [a.latent])
    from relax.latent.analyse import analyse

    analyse(settings, a.latent, a.out, run)


def _evaluate(a: argparse.Namespace, loaded: config.Config) -> None:
    settings = config.evaluate_settings(loaded, _named(loaded, "benchmarks", a.benchmark))
    run = _run(a, loaded, settings, [a.model, a.data])
    from relax.evaluation.run import evaluate

    evaluate(settings, a.model, a.data, a.out, run, _label(a))


def _tables(a: argparse.Namespace, loaded: config.Config) -> None:
    run = _run(a, loaded, config.results_settings(loaded), [])
    from relax.files import atomic_write
    from relax.results import findings
    from relax.results.collect import collect
    from relax.results.tables import write_tables

    results = collect(a.root, loaded)
    written = write_tables(results, a.out)
    atomic_write(a.out / "findings.md", findings.to_markdown(findings.findings(results)))
    run.finish(a.out, [*written, a.out / "findings.md"])


def _figures(a: argparse.Namespace, loaded: config.Config) -> None:
    run = _run(a, loaded, config.results_settings(loaded), [])
    from relax.results.collect import collect
    from relax.results.figures import write_figures

    figures = write_figures(collect(a.root, loaded), a.out)
    run.finish(a.out, [a.out / "figures.json", *(path for figure in figures for path in (figure.svg, figure.png))])


def _report(a: argparse.Namespace, loaded: config.Config) -> None:
    from relax.results.collect import collect
    from relax.results.figures import read_figures
    from relax.results.report import write_report
    from relax.results.tables import build_tables

    results = collect(a.root, loaded)
    write_report(results, loaded, build_tables(results), read_figures(a.figures), a.out, loaded["limits"])


def _track(a: argparse.Namespace, loaded: config.Config) -> None:
    from relax.files import atomic_write
    from relax.mlflow_export import export

    uri = loaded["tracking"]["uri"] or f"sqlite:///{a.root.as_posix()}/mlflow.db"
    counts = export(a.root, loaded["name"], uri)
    atomic_write(a.out, json.dumps(counts) + "\n")
    logger.info("track: %s", ", ".join(f"{n} runs {what}" for what, n in counts.items()))


def _dsd(a: argparse.Namespace) -> int:
    from relax.latent.dsd import dsd

    names = ("koopman_dim", "ridge", "samples", "max_response_length", "temperature", "seed", "dtype")
    settings = {name: getattr(a, name) for name in names}
    dsd(settings, a.model, a.prompts, a.responses, a.dictionary, a.out)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="relax",
        description="ReLaX: reasoning with latent exploration, stage by stage.",
        epilog=EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"relax {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)

    def verb(name: str, run: Callable[..., None] | None, text: str, *options: str) -> None:
        sub = verbs.add_parser(name, help=text, description=text, epilog=EXIT_CODES)
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
            kind = {"seed": int, "policy": str, "method": str, "benchmark": str}.get(option, Path)
            metavar = "N" if option == "seed" else "NAME" if kind is str else "PATH"
            sub.add_argument(f"--{option}", type=kind, required=True, metavar=metavar, help=HELP[option])
        _messages(sub)

    verb("fetch", None, "bring pinned models and data to the local cache (the only verb that uses a network)")
    verb("data", _data, "make the training and held-out problems", "out")
    verb("base", _base, "make the initial policy", "policy", "out")
    verb(
        "dictionary",
        _dictionary,
        "fit the Koopman dictionary on the initial policy",
        "policy",
        "base",
        "data",
        "out",
    )
    verb("train", _train, "train one policy with one method and seed", "policy", "method", "seed", "data", "base",
         "dictionary", "checkpoints", "out")  # fmt: skip
    verb("extract", _extract, "hidden states of a policy's responses, as statistics", "policy", "method", "seed",
         "model", "data", "dictionary", "out")  # fmt: skip
    verb(
        "koopman",
        _koopman,
        "spectra and DSD from the statistics",
        "policy",
        "method",
        "seed",
        "latent",
        "out",
    )
    verb("evaluate", _evaluate, "run a benchmark on a policy", "policy", "method", "seed", "benchmark", "model", "data",
         "out")  # fmt: skip
    verb("tables", _tables, "build the tables from the run records", "root", "out")
    verb("figures", _figures, "draw the figures from the run records", "root", "out")
    verb("report", _report, "write the report", "root", "figures", "out")
    verb("track", _track, "export the run records to MLflow", "root", "out")
    _dsd_options(verbs.add_parser("dsd", help=DSD_HELP, description=DSD_HELP, epilog=EXIT_CODES))
    return parser


def _messages(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--log", type=Path, metavar="FILE", help="write all messages to this file")
    sub.add_argument("--traceback", action="store_true", help="show where an error was raised")


def _dsd_options(sub: argparse.ArgumentParser) -> None:
    def number(name: str, kind: Callable[[str], float], default: float | None, text: str) -> None:
        sub.add_argument(f"--{name}", type=kind, default=default, metavar="N", help=text)

    sub.add_argument("--model", required=True, metavar="PATH_OR_NAME", help="folder, or name in the local hub cache")
    sub.add_argument("--prompts", type=Path, required=True, metavar="FILE", help='JSON lines with "prompt" (and "id")')
    sub.add_argument("--responses", type=Path, metavar="FILE",
                     help='JSON lines with "response" and "id" or "prompt"; nothing is sampled then')  # fmt: skip
    sub.add_argument("--dictionary", type=Path, metavar="FILE", help="dictionary.safetensors; fitted here if not given")
    sub.add_argument("--out", type=Path, required=True, metavar="DIR", help=HELP["out"])
    number("koopman-dim", _whole(2), None, "functions m of the dictionary (50, or those of --dictionary)")
    number("ridge", _at_least_zero, 1e-3, "added to the Gram matrix (0.001)")
    number("samples", _whole(1), 1, "responses sampled per prompt (1)")
    number("max-response-length", _whole(2), 512, "tokens of a sampled response (512, or what fits the context)")
    number("temperature", _above_zero, 1.0, "of sampling (1.0)")
    number("seed", _whole(0), 0, "of sampling, fit and shuffling (0)")
    sub.add_argument("--dtype", choices=("auto", "float32", "bfloat16"), default="auto",
                     help="of the weights; auto is that of the checkpoint")  # fmt: skip
    _messages(sub)


def _whole(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, found {text!r}")
        return int(text)

    return parse


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


DSD_HELP = "spectra and DSD of any causal language model's responses, without training"


HELP = {
    "policy": "name of the initial policy",
    "method": "name of the method",
    "seed": "seed of the run",
    "benchmark": "name of the benchmark",
    "out": "where the outputs go",
    "data": "problem file (JSON lines)",
    "base": "folder of the initial policy",
    "model": "folder of the policy",
    "dictionary": "folder of the dictionary stage",
    "checkpoints": "folder for this run's checkpoints",
    "figures": "folder of the figures",
    "latent": "folder of the extract stage",
    "root": "results folder of the experiment",
}
