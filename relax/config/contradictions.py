"""What fits part by part and cannot be together: names that lead nowhere, and values that other parts contradict.

Every fault is the places of the keys concerned and a sentence; :func:`relax.config.load` adds file and line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from relax.config.benchmarks import asks_held_out
from relax.config.faults import nearest
from relax.paper import printed
from relax.tasks import TASKS

if TYPE_CHECKING:
    from relax.config.experiment import Experiment

#: The keys concerned, and what is wrong with their values.
Fault = tuple[list[list[str]], str]


def contradictions(experiment: Experiment) -> Iterator[Fault]:
    """Every fault, those first that others rest on; whoever asks for one after a fault may find a KeyError."""
    yield from _names(experiment)
    yield from _frames(experiment)
    yield from _system_turn(experiment)
    yield from _paper(experiment)
    yield from _warmups(experiment)
    yield from _held_out(experiment)
    yield from _updates(experiment)


def _names(experiment: Experiment) -> Iterator[Fault]:
    known = {
        "policies": list(experiment.policies), "methods": list(experiment.methods),
        "benchmarks": list(experiment.benchmarks),
    }  # fmt: skip
    matrix = experiment.matrix
    for kind, names in (("policies", matrix.policies), ("methods", matrix.methods), ("benchmarks", matrix.benchmarks)):
        for name in names:
            if name not in known[kind]:
                yield [["matrix", kind]], f"unknown name {name!r}; {nearest(name, known[kind])}."
    for title, ablation in experiment.ablations.items():
        for kind, names in (("policies", ablation.policies or []), ("methods", list(ablation.arms.values()))):
            for name in names:
                if name not in known[kind]:
                    yield [["ablations", title]], f"unknown name {name!r} in {kind}; {nearest(name, known[kind])}."


def _frames(experiment: Experiment) -> Iterator[Fault]:
    """Dictionaries of policies that have none, or that do not run."""
    matrix = experiment.matrix.policies
    for name in matrix:
        frame = experiment.policies[name].dictionary_of
        if frame is None:
            continue
        place = [["policies", name, "dictionary_of"]]
        if frame not in matrix:
            yield place, f"policies.{name}.dictionary_of is {frame!r}, which matrix.policies lacks; add it there."
        elif frame == name or experiment.policies[frame].dictionary_of is not None:
            yield (
                place,
                f"policies.{name}.dictionary_of is {frame!r}, which has no dictionary of its own; name a policy that "
                "has no dictionary_of.",
            )


def _system_turn(experiment: Experiment) -> Iterator[Fault]:
    """A protocol with a system turn and no chat template that would show it."""
    name, decoding = experiment.evaluation.protocol, experiment.evaluation.decoding
    if decoding is not None and decoding.system is not None and not experiment.prompt.chat_template:
        yield (
            [["evaluation", "protocols", str(name), "system"], ["prompt", "chat_template"]],
            f"evaluation.protocols.{name}.system needs prompt.chat_template: true.",
        )


def _paper(experiment: Experiment) -> Iterator[Fault]:
    """Names in ``paper`` that do not exist, in print or here."""
    layouts = {layout.table: layout for layout in printed.LAYOUTS}
    known = {"policies": list(experiment.policies), "methods": ["initial", *experiment.methods]}
    for table, rows in experiment.paper.rows.items():
        if table not in layouts:
            yield [["paper", "rows", table]], f"unknown table {table!r}; {nearest(table, list(layouts))}."
            continue
        # Rows of printed gains are the differences of two others, here as there.
        labels = [row.label for row in printed.read_table(layouts[table]) if row.difference_of is None]
        for label, ours in rows.items():
            place = ["paper", "rows", table, label]
            if label not in labels:
                yield [place], f"{table} has no row {label!r} to stand for; {nearest(label, labels)}."
            for kind, names in (("policies", [ours.policy]), ("methods", ours.methods)):
                for name in (name for name in names if name not in known[kind]):
                    yield [place], f"unknown name {name!r} in {kind}; {nearest(name, known[kind])}."
    for column, asked in experiment.paper.columns.items():
        place, name = ["paper", "columns", column], asked.benchmark
        if column not in printed.METRICS:
            yield [place], f"no table has a column {column!r}; {nearest(column, list(printed.METRICS))}."
        if name not in experiment.benchmarks:
            yield [place], f"unknown name {name!r} in benchmarks; {nearest(name, list(experiment.benchmarks))}."
            continue
        if asked.metric not in (metrics := experiment.benchmarks[name].metrics):
            keys = [place, *(["benchmarks", name, key] for key in ("samples", "greedy"))]
            yield keys, f"{name} is asked for {' and '.join(metrics)}, not {asked.metric}."


def _warmups(experiment: Experiment) -> Iterator[Fault]:
    """Supervised steps without anything to show."""
    source = experiment.data.source
    for name in experiment.matrix.policies:
        if experiment.policies[name].warmup is not None and TASKS[source].demonstrations is None:
            known = [task.name for task in TASKS.values() if task.demonstrations is not None]
            yield (
                [["policies", name, "warmup"], ["data", "source"]],
                f"policies.{name}.warmup needs demonstrations, and the task {source} has none; leave it out, or take "
                f"one of {', '.join(known)}.",
            )


def _held_out(experiment: Experiment) -> Iterator[Fault]:
    """Files of questions where the questions are those of ``data``."""
    for name in experiment.matrix.benchmarks:
        asked = experiment.benchmarks[name]
        for key in ("path", "rows"):
            if getattr(asked, key) is not None and asks_held_out(asked.task):
                yield (
                    [["benchmarks", name, key], ["benchmarks", name, "task"]],
                    f"benchmarks.{name}.{key} is not read, as the task {asked.task} asks the held-out problems of "
                    "data; leave it out, hold a file out with data.files[].held_out, or name a task with questions of "
                    "its own.",
                )


def _updates(experiment: Experiment) -> Iterator[Fault]:
    for name in experiment.matrix.methods:
        method = experiment.methods[name]
        if method.token_method == "kl_cov" and experiment.training.updates_per_generation < 2:
            yield (
                [["methods", name, "token_method"], ["training", "updates_per_generation"]],
                "kl_cov has no gradient at one update per generation; "
                "set training.updates_per_generation to 2 or more.",
            )
