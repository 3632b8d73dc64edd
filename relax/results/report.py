"""The report: one self-contained HTML page about finished runs."""

import base64
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from relax.files import atomic_write
from relax.results.figures_style import Figure
from relax.results.findings import NOTE, findings
from relax.results.model import INITIAL, Results
from relax.results.render import Table, cell
from relax.results.tables import seeds_of

#: Tables that stand in the section on cost.
COST = ("cost", "stages")


def write_report(
    results: Results,
    config: Mapping[str, Any],
    tables: Sequence[Table],
    figures: Sequence[Figure],
    out: str | Path,
    limits: Sequence[str] = (),
) -> Path:
    """Write the page; it holds everything it shows and needs no script and no network.

    Args:
        results: the runs; findings, machine and list of runs come from them.
        config: shown as given.
        tables: as :func:`relax.results.tables.build_tables` makes them.
        figures: as :func:`relax.results.figures.write_figures` returns them.
        out: path of the page.
        limits: paragraphs on deviations from the paper and limits of the experiment.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(cell=cell)
    page = environment.get_template("report.html.j2").render(
        name=results.matrix.name,
        lead=_lead(results),
        note=NOTE,
        made_with=_made_with(results),
        questions=[(q, list(f)) for q, f in groupby(findings(results), key=lambda finding: finding.question)],
        tables=[table for table in tables if table.name not in COST],
        cost_tables=[table for table in tables if table.name in COST],
        figures=[_embed(figure) for figure in figures],
        limits=limits,
        outside=results.outside,
        runs=results.costs.astype(object).where(results.costs.notna(), None).to_dict("records"),
        config=yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True, width=70),
    )
    atomic_write(out, page)
    return Path(out)


def _lead(results: Results) -> list[str]:
    """What was asked for and what is there."""
    matrix = results.matrix
    trained = results.runs[results.runs.method != INITIAL].finished.sum() if len(results.runs) else 0
    asked = len(matrix.policies) * len(matrix.methods) * len(matrix.seeds)
    policies = f"{'policy' if len(matrix.policies) == 1 else 'policies'} {', '.join(matrix.policies)}"
    methods = f"{len(matrix.methods)} {'method' if len(matrix.methods) == 1 else 'methods'}"
    return [
        f"Asked for: {policies}; {methods} ({', '.join(matrix.methods)}); {seeds_of(results)}; "
        f"{'benchmark' if len(matrix.benchmarks) == 1 else 'benchmarks'} {', '.join(matrix.benchmarks)}.",
        f"Finished: {trained} of {asked} training runs, {_evaluated(results)} evaluations.",
    ]


def _evaluated(results: Results) -> str:
    matrix = results.matrix
    asked = len(matrix.policies) * (1 + len(matrix.methods) * len(matrix.seeds)) * len(matrix.benchmarks)
    return f"{sum(record['verb'] == 'evaluate' for record in results.records)} of {asked}"


def _made_with(results: Results) -> list[tuple[str, str]]:
    """Commit, machine and versions of the records; every distinct value with its count where they differ."""
    columns: dict[str, list[Any]] = {}
    for record in results.records:
        git, machine = record.get("git") or {}, record.get("machine") or {}
        about = {
            "commit": git.get("commit"),
            "uncommitted changes": {True: "yes", False: "no"}.get(git.get("dirty")),
            "configuration hash": record.get("config_hash"),
            "system": machine.get("system"),
            "processors": machine.get("cpus"),
            "accelerator": machine.get("accelerator") or "none",
            **(record.get("versions") or {}),
        }
        for key, value in about.items():
            columns.setdefault(key, []).append("unknown" if value is None else str(value))
    return [(key, _distinct(values)) for key, values in columns.items()]


def _distinct(values: list[str]) -> str:
    counts = Counter(values)
    if len(counts) == 1:
        return values[0]
    return ", ".join(f"{value} ({count} records)" for value, count in counts.most_common())


def _embed(figure: Figure) -> dict[str, Any]:
    """A figure as a picture inside the page; an SVG in an image element keeps its names to itself."""
    content = figure.svg.read_bytes()
    points = re.search(rb'<svg[^>]* width="([\d.]+)pt"', content)
    width = float(points[1]) / 72 if points else 7.2
    source = "data:image/svg+xml;base64," + base64.b64encode(content).decode()
    return {
        "name": figure.name,
        "title": figure.title,
        "caption": figure.caption,
        "source": source,
        "inches": width,
    }
