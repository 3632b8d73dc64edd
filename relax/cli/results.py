"""The verbs that show what has run: tables, figures, report, the MLflow store, reference copies, and the records."""

import argparse
import json
import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from relax import config
from relax.cli.verb import CONFIGFILE, OPTIONS, Verb, add_configfile, begin, whole
from relax.errors import ConfigError, DataError

if TYPE_CHECKING:
    from relax.records.record import Run
    from relax.results.model import Results

logger = logging.getLogger("relax")


def _collected(a: argparse.Namespace, loaded: config.Experiment, run: "Run") -> "Results":
    """What has run in a results folder, noted as what this verb has read."""
    from relax.records.why import record_inputs
    from relax.results.collect import collect

    results = collect(a.root, loaded.recorded())
    if not results.records:
        raise DataError(f"{a.root}: no run record of {loaded.name} there; expected the folder results/<name>/.")
    run.digests |= record_inputs(a.root, [record["folder"] for record in results.records])
    return results


def run_tables(a: argparse.Namespace) -> None:
    """Tables and findings, from a results folder or from what MLflow holds of one."""
    if a.from_mlflow is None:
        if a.configfile is None or a.root is None:
            raise ConfigError("name --configfile and --root, or --from-mlflow; see relax tables --help.")
        if a.experiment is not None:
            raise ConfigError("--experiment belongs to --from-mlflow; a configuration has its own name.")
        _write_tables(a, config.load(a.configfile))
        return
    if a.configfile is not None or a.root is not None:
        raise ConfigError("--from-mlflow brings its own configuration and results; leave --configfile and --root out.")
    from relax.records.record import masked
    from relax.store.restore import restore

    with tempfile.TemporaryDirectory() as folder:
        loaded, a.root = restore(a.from_mlflow, a.experiment, folder)
        try:
            _write_tables(a, loaded)
        except DataError as error:
            said = str(error).replace(f"{folder}/", "")
            raise DataError(f"{masked(a.from_mlflow)}: {said} Then `relax track` brings it to the store.") from error


def _write_tables(a: argparse.Namespace, loaded: config.Experiment) -> None:
    run = begin(a, loaded, config.results_settings(loaded), [])
    from relax.files import atomic_write
    from relax.paper import claims
    from relax.results import findings
    from relax.results.claims.runs import judge_claims
    from relax.results.tables.all import write_tables

    results = _collected(a, loaded, run)
    written = write_tables(results, a.out)
    content = judge_claims(results) | ({"fault": results.fault} if results.fault else {})
    below = f"\n{results.fault}\n" if results.fault else ""
    texts = {
        "findings.md": findings.to_markdown(findings.findings(results)) + below,
        "claims.md": claims.to_markdown(claims.read_claims(), {content["name"]: content}) + below,
        claims.CONTENT: json.dumps(content, indent=1, ensure_ascii=False) + "\n",
    }
    for name, text in texts.items():
        atomic_write(a.out / name, text)
    run.finish(a.out, [*written, *(a.out / name for name in texts)])


def add_tables(parser: argparse.ArgumentParser) -> None:
    """The options of ``tables``, which takes a configuration with a results folder, or a store alone."""
    add_configfile(parser, CONFIGFILE)
    parser.add_argument("--root", type=Path, metavar="PATH", help=OPTIONS["root"][2])
    text = "an MLflow store in place of both, e.g. sqlite:///results/demo/mlflow.db"
    parser.add_argument("--from-mlflow", metavar="URI", help=text)
    parser.add_argument("--experiment", metavar="NAME", help="experiment of the MLflow store, where that holds several")


def run_figures(a: argparse.Namespace, loaded: config.Experiment) -> None:
    """Figures."""
    run = begin(a, loaded, config.results_settings(loaded), [])
    from relax.results.figures.all import write_figures

    figures = write_figures(_collected(a, loaded, run), a.out)
    run.finish(a.out, [a.out / "figures.json", *(path for figure in figures for path in (figure.svg, figure.png))])


def run_report(a: argparse.Namespace, loaded: config.Experiment) -> None:
    """The report, its pages and its record."""
    run = begin(a, loaded, config.results_settings(loaded), [a.figures])
    from relax.records.record import shareable
    from relax.results.figures.all import read_figures
    from relax.results.report.page import write_pages, write_report
    from relax.results.report.samples import samples
    from relax.results.tables.all import shown_tables
    from relax.results.tables.paper_tables import compares, paper_tables

    results = _collected(a, loaded, run)
    tables, figures = shown_tables(results), read_figures(a.figures)
    paper = paper_tables(results) if compares(results) else []
    pages = write_pages([*tables, *paper], figures, a.pages)
    written = [shown for name in results.matrix.policies if (shown := samples(results, a.root, name))]
    write_report(results, shareable(loaded.recorded()), tables, figures, a.out, loaded.limits, paper, written)
    run.finish(a.pages, [a.out, *pages])


def run_track(a: argparse.Namespace, loaded: config.Experiment) -> None:
    """Export to MLflow."""
    from relax.config.tracking_uri import uri_fault
    from relax.files import atomic_write
    from relax.store.export import export

    if a.uri and (fault := uri_fault(a.uri)):
        raise ConfigError(f"--uri {fault}, or leave it out for mlflow.db in the results folder.")
    uri = a.uri or loaded.tracking.uri or f"sqlite:///{a.root.as_posix()}/mlflow.db"
    counts = export(a.root, loaded.recorded(), uri)
    atomic_write(a.out, json.dumps(counts) + "\n")
    logger.info("track: %s", ", ".join(f"{n} runs {what}" for what, n in counts.items() if n or what == "added"))


def add_uri(parser: argparse.ArgumentParser) -> None:
    """The option of ``track`` alone."""
    parser.add_argument("--uri", metavar="URI", help="MLflow tracking URI, in place of the configuration's")


def run_reference(a: argparse.Namespace) -> None:
    """What is tracked of a finished run."""
    from relax.records.reference import changed_records, make_reference

    written = make_reference(a.root, a.out)
    logger.info("reference: %d files in %s; `relax claims --out docs/claims.md` takes them up", len(written), a.out)
    if changed := changed_records(a.out):
        logger.warning("reference: %d records were made with uncommitted changes: %s", len(changed), ", ".join(changed))


def run_why(a: argparse.Namespace) -> int:
    """The chain of records behind a result."""
    from relax.records.why import why

    text, faults = why(a.path, {name: getattr(a, name) for name in ("policy", "method", "seed", "benchmark")})
    print(text)
    return DataError.exit_code if faults else 0


def add_why(parser: argparse.ArgumentParser) -> None:
    """The options of ``why``."""
    parser.add_argument("path", type=Path, metavar="PATH", help="a file below results/<name>/, e.g. tables/final.md")
    parser.add_argument("--seed", type=whole(0), metavar="N", help="this seed alone")
    for name in ("policy", "method", "benchmark"):
        parser.add_argument(f"--{name}", metavar="NAME", help=f"this {name} alone")


VERBS = (
    Verb("tables", "Build the tables from the run records, or from MLflow alone.", run_tables, ("out",), add_tables),
    Verb("figures", "Draw the figures from the run records.", run_figures, ("root", "out"), configured=True),
    Verb("report", "Write the report.", run_report, ("root", "figures", "pages", "out"), configured=True),
    Verb("track", "Export the run records to MLflow.", run_track, ("root", "out"), add_uri, configured=True),
    Verb("why", "Show the run records behind a result, and every broken link or digest.", run_why, more=add_why),
    Verb(
        "reference",
        "Copy what is tracked of a finished run: tables, findings, status of the claims, records.",
        run_reference,
        ("root", "out"),
    ),
)
