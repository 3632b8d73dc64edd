"""The ``evaluate`` stage: grades to the numbers of the tables, one record a benchmark."""

import copy
import json
from pathlib import Path

import pandas as pd

from relax.config.stage_settings import EvaluateSettings
from relax.errors import DataError
from relax.evaluation import metrics
from relax.evaluation.grade_stage import GRADES
from relax.evaluation.shards import BREAKDOWNS, decodings
from relax.files import atomic_write
from relax.reading import reading
from relax.records.record import Run

Metrics = dict[str, dict[str, float]]


def evaluate_stage(settings: EvaluateSettings, grades: str | Path, out: str | Path, run: Run) -> None:
    """Write ``<benchmark>/scores.json`` and ``<benchmark>/run.json`` below ``out``.

    Args:
        settings: ``benchmarks``: name -> task, greedy, samples.
        grades: folder of the ``grade`` stage.
        out: folder.
        run: its copies, one a benchmark, are finished.

    Raises:
        DataError: grades are missing or cannot be read, or a problem has not the number of samples asked for.
    """
    for name, entry in settings.benchmarks.items():
        path, target = Path(grades) / name / GRADES, Path(out) / name
        if not path.is_file():
            raise DataError(f"{path}: no grades of benchmark {name}; run `relax grade` on its responses.")
        with reading(path, "run `relax grade` again"):
            table = pd.read_parquet(path)
        one = copy.deepcopy(run)
        metrics: Metrics = {}
        for decoding, (samples, _) in decodings(entry).items():
            drawn = table[table.decoding == decoding]
            metrics |= scores_of(drawn, samples)
            for column in [name for name in BREAKDOWNS if name in drawn]:
                for value, part in drawn.groupby(column):
                    named = ["mean", "pass"] if column == "subset" and samples > 1 else ["mean"]
                    of_part = scores_of(part, samples)
                    metrics |= {f"{column}/{value}/{n}@{samples}": of_part[f"{n}@{samples}"] for n in named}
        problems = int(table.id.nunique())
        content = {"benchmark": name, "problems": problems, "metrics": metrics}
        atomic_write(target / "scores.json", json.dumps(content, indent=1) + "\n")
        one.identity = run.identity | {"benchmark": name}
        one.settings = {"benchmark": entry.recorded()}
        for metric, estimate in metrics.items():
            one.metrics |= {metric: estimate["value"], f"{metric}_stderr": estimate["stderr"]}
        one.metrics["problems"] = problems
        one.finish(target, [target / "scores.json"])


def scores_of(grades: pd.DataFrame, samples: int) -> Metrics:
    """Every number of one decoding: name -> value, stderr, low, high.

    ``mean@k`` (with ``rerun``, its error over new samples of the same problems), for k > 1 ``pass@j``,
    ``maj@k`` and ``distinct@k``; where problems form clusters ``worst@k``; and beside them ``lenient@k``,
    ``truncated@k``, ``no_box@k``, ``timeout@k``, ``unparseable_gold@k``, ``unparseable_answer@k``.

    Args:
        grades: rows of one decoding.
        samples: k, responses to each problem.

    Raises:
        DataError: a problem has another number of samples.
    """
    k, groups = samples, [group for _, group in grades.sort_values("sample").groupby("id", sort=False)]
    ids = [group.id.iloc[0] for group in groups]
    correct = metrics.complete_samples([group.correct.tolist() for group in groups], k, ids)
    labels = [group.cluster.iloc[0] for group in groups]
    clusters = labels if len(set(labels)) < len(labels) else None
    scores: Metrics = {f"mean@{k}": {**metrics.mean_at_k(correct, clusters), "rerun": metrics.rerun_error(correct)}}
    if k > 1:
        scores |= {f"pass@{j}": value for j, value in metrics.pass_curve(correct, clusters).items()}
        answers = [[None if pd.isna(a) else a for a in group.answer] for group in groups]
        scores[f"maj@{k}"] = metrics.majority_at_k(answers, correct, clusters)
        scores[f"distinct@{k}"] = metrics.share_of_distinct([group.text_hash.tolist() for group in groups])
    if clusters is not None:
        scores[f"worst@{k}"] = metrics.worst_case_share(correct, clusters)
    columns = {
        name: pd.DataFrame([group[name].tolist() for group in groups]).to_numpy()
        for name in ("status", "truncated", "lenient")
    }
    beside = metrics.rates(
        columns["status"].astype(str), columns["truncated"].astype(bool), columns["lenient"].astype(bool), clusters
    )
    return scores | {f"{name}@{k}": value for name, value in beside.items()}
