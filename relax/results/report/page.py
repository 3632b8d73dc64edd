"""The report: one self-contained HTML page about finished runs, and its tables and figures as pages of their own."""

import base64
import re
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from relax.files import atomic_folder, atomic_write
from relax.paper.claims import MEANING, hours, read_claims
from relax.results.claims.runs import judge_claims
from relax.results.figures.style import Figure, save
from relax.results.findings import NOTE, findings
from relax.results.model import Results
from relax.results.provenance import versions, what_ran
from relax.results.report.deviations import deviations, read_settings
from relax.results.report.opening import answer, as_they_are, what_was_run
from relax.results.report.opening_figures import accuracies, training
from relax.results.report.samples import Samples
from relax.results.tables.paper_tables import summary
from relax.results.tables.render import Table, cell

#: Tables that stand in the section on cost.
COST = ("cost", "stages")


def write_report(
    results: Results,
    config: Mapping[str, Any],
    tables: Sequence[Table],
    figures: Sequence[Figure],
    out: str | Path,
    limits: Sequence[str] = (),
    paper_tables: Sequence[Table] = (),
    written: Sequence[Samples] = (),
) -> Path:
    """Write the page; it holds everything it shows and needs no script and no network.

    Args:
        results: the runs; claims, findings, machine and list of runs come from them.
        config: shown as given.
        tables: as :func:`relax.results.tables.all.build_tables` makes them.
        figures: as :func:`relax.results.figures.all.write_figures` returns them.
        out: path of the page.
        limits: paragraphs on limits of the experiment.
        paper_tables: tables of the paper with its numbers beside those of the runs; empty where nothing compares.
        written: responses of each policy before and after training; empty where none were sampled.
    """
    found = judge_claims(results)
    policies = results.matrix.policies if results.trains else []
    openings = [_opening(results, policy) for policy in policies]
    if not results.trains:
        openings = [{"policy": "", "answer": as_they_are(results), "figures": []}]
    page = _template("report.html.j2").render(
        name=results.matrix.name,
        fault=results.fault,
        what=what_was_run(results),
        trains=results.trains,
        openings=openings,
        facts=what_ran(results),
        claims=[{"claim": claim, **found["claims"][claim.id]} for claim in read_claims()],
        meaning=MEANING,
        note=NOTE,
        made_with=versions(results),
        questions=[(q, list(f)) for q, f in groupby(findings(results), key=lambda finding: finding.question)],
        tables=[table for table in tables if table.name not in COST],
        cost_tables=[table for table in tables if table.name in COST],
        paper_tables=paper_tables,
        paper_summary=summary(results),
        figures=[_embed(figure) for figure in figures],
        deviations=deviations(config, read_settings()),
        limits=limits,
        written=written,
        outside=results.outside,
        runs=results.costs.astype(object).where(results.costs.notna(), None).to_dict("records"),
        config=yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True, width=70),
    )
    atomic_write(out, page)
    return Path(out)


def write_pages(tables: Sequence[Table], figures: Sequence[Figure], out_dir: str | Path) -> list[Path]:
    """Write every table and every figure as a page of its own, numbered in their order.

    ``tables/01-final.html`` and so on, ``figures/01-training.html``: what Snakemake's own report shows. Pages that were
    there before are gone. Returns the two folders.
    """
    template, out = _template("page.html.j2"), Path(out_dir)
    pages: dict[str, list[tuple[str, dict[str, Any]]]] = {
        "tables": [(table.name, {"table": table}) for table in tables],
        "figures": [(figure.name, {"figure": _embed(figure)}) for figure in figures],
    }
    for kind, items in pages.items():
        with atomic_folder(out / kind) as folder:
            for number, (name, shown) in enumerate(items, 1):
                text = template.render({"table": None, "figure": None, **shown})
                (folder / f"{number:02d}-{name}.html").write_text(text, encoding="utf-8")
    return [out / kind for kind in pages]


def _template(name: str) -> Any:
    environment = Environment(
        loader=PackageLoader("relax.results.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(cell=cell, hours=hours)
    return environment.get_template(name)


def _opening(results: Results, policy: str) -> dict[str, Any]:
    """The answer for one policy and the figures that show it, drawn for this page alone."""
    with tempfile.TemporaryDirectory() as folder:
        drawn = [save(partial(draw, results, policy), Path(folder)) for draw in (training, accuracies)]
        figures = [_embed(figure) for figure in drawn if figure is not None]
    return {"policy": policy, "answer": answer(results, policy), "figures": figures}


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
        "paper": figure.paper,
        "source": source,
        "inches": width,
    }
