"""Reads finished runs: their records and the files beside them, as frames that everything else shares."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from relax.errors import DataError
from relax.records.links import other_code, refuse_broken, refuse_changed
from relax.records.record import RECORD, find_records
from relax.results.model import INITIAL, KEYS, SPECTRA, Matrix, Results

TRAJECTORY_COLUMNS = ["id", "kind", "length", "correct", "condition", "leverage", "residual",
                      "effective_rank", "dsd_eigenvalues", "dsd_singular_values", "dsd_eigenvalues_ridge_0.1",
                      "dsd_singular_values_ridge_0.1", "shuffled_eigenvalues",
                      "shuffled_singular_values"]  # fmt: skip
EIGENVALUE_COLUMNS = ["id", "kind", "real", "imag", "residual"]
MATRIX_COLUMNS = ["id", "matrix"]
GRADE_COLUMNS = ["id", "cluster", "decoding", "sample", "correct"]
#: Columns in which few trajectories would make the mean: their median stands for a run.
SKEWED = ("condition", "leverage")
#: Folders whose records count; tables and figures do not, or they would depend on themselves.
STAGES = ("data", "overlap", "base", "dictionary", "train", "latent", "koopman", "responses", "grades", "evaluate")
#: Verbs whose records belong to one policy, method and seed, and whose files are read here.
OF_RUNS = ("train", "koopman", "grade", "evaluate")
COST_COLUMNS = ["wall_seconds", "cpu_seconds", "peak_memory_mb"]


def collect(root: str | Path, config: Mapping[str, Any]) -> Results:
    """Read everything below a results folder that belongs to a configuration.

    Args:
        root: ``results/<name>``; it may be empty or not exist.
        config: needs ``name`` and ``matrix`` (policies, methods, seeds, benchmarks); ``methods``,
            ``dictionary`` and ``benchmarks`` are used where present.

    Raises:
        DataError: a record, or a file that a record vouches for, is missing, has changed since, or does not parse; or a
            record was made from what no record speaks of, or speaks of otherwise.
    """
    root, matrix = Path(root), Matrix.of(config)
    found = []
    for folder, record in (item for stage in STAGES for item in find_records(root / stage)):
        place = folder.relative_to(root)
        # A hidden folder is the unfinished output of a step that was killed.
        if not any(part.startswith(".") for part in place.parts):
            found.append((folder, _checked(folder, record) | {"folder": str(place)}))
    mine = [(folder, record) for folder, record in found if matrix.asks_for(record["identity"])]
    by_verb = {verb: [x for x in mine if x[1]["verb"] == verb] for verb in OF_RUNS}
    refuse_broken(root, found, mine)
    for folder, record in mine:
        refuse_changed(folder, record)
    _refuse_mixed(mine)

    series = _stack([_series(f, r) for f, r in by_verb["train"]], [*KEYS, "step"])
    score_columns = [*KEYS, "benchmark", "metric", "value", "stderr", "rerun", "problems"]
    scores = _stack([_scores(f, r) for f, r in by_verb["evaluate"]], score_columns)
    trajectories = _stack(
        [_parquet(f / "trajectories.parquet", r, TRAJECTORY_COLUMNS) for f, r in by_verb["koopman"]],
        KEYS + TRAJECTORY_COLUMNS,
    )
    eigenvalues = _stack(
        [_parquet(f / "eigenvalues.parquet", r, EIGENVALUE_COLUMNS) for f, r in by_verb["koopman"]],
        KEYS + EIGENVALUE_COLUMNS,
    )
    matrices = _stack(
        [
            _parquet(f / "matrices.parquet", r, MATRIX_COLUMNS)
            for f, r in by_verb["koopman"]
            if (f / "matrices.parquet").is_file()
        ],  # older runs have none
        KEYS + MATRIX_COLUMNS,
    )
    grades = _stack(
        [
            _parquet(f / name / "grades.parquet", r, GRADE_COLUMNS).assign(benchmark=name)
            for f, r in by_verb["grade"]
            for name in matrix.benchmarks
            if (f / name).is_dir()  # a benchmark may have been added since
        ],
        [*KEYS, "benchmark", *GRADE_COLUMNS],
    )
    records = [record for _, record in mine]
    return Results(
        matrix=matrix,
        config=config,
        records=records,
        outside=[record["folder"] for _, record in found if not matrix.asks_for(record["identity"])],
        runs=_runs(matrix, [r for _, r in by_verb["train"]], series, scores, trajectories),
        series=series,
        scores=scores,
        trajectories=trajectories,
        eigenvalues=eigenvalues,
        matrices=matrices,
        dictionaries=pd.DataFrame(
            [{"policy": _dictionary_name(r["identity"]), **r["metrics"]} for r in records if r["verb"] == "dictionary"],
        ),
        costs=_costs(records),
        grades=grades,
        fault=other_code(records),
    )


def _refuse_mixed(found: list[tuple[Path, dict[str, Any]]]) -> None:
    """Scores of two protocols of evaluation are no numbers to set beside each other."""
    asked = {json.dumps(r["settings"].get("asked")): folder for folder, r in found if r["verb"] == "generate"}
    if len(asked) > 1:
        first, second, *_ = asked.values()
        raise DataError(
            f"{first} and {second}: their responses were asked for under different protocols (evaluation.protocol), "
            "which no table may mix; run the pipeline again, which makes both under that of the configuration."
        )


def _checked(folder: Path, record: Any) -> dict[str, Any]:
    for key, kind in {"verb": str, "identity": dict, "settings": dict, "metrics": dict}.items():
        if not isinstance(record, dict) or not isinstance(record.get(key), kind):
            raise DataError(
                f"{folder / RECORD}: not a run record ({key!r} is missing or not a {kind.__name__}); remove "
                "this folder and run its step again."
            )
    missing = [key for key in KEYS if record["identity"].get(key) is None]
    if record["verb"] in OF_RUNS and missing:
        raise DataError(
            f"{folder / RECORD}: the identity lacks {missing[0]!r}; remove this folder and run its step again."
        )
    return record


def _keys(record: Mapping[str, Any]) -> dict[str, Any]:
    return {key: record["identity"].get(key) for key in KEYS}


def _dictionary_name(identity: Mapping[str, Any]) -> str:
    own = f", m = {identity['koopman_dim']}" if "koopman_dim" in identity else ""
    return f"{identity.get('policy')}{own}"


def _stack(frames: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def _read(path: Path, record: Mapping[str, Any]) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, record, str(error)) from error


def _unusable(path: Path, record: Mapping[str, Any], why: str) -> DataError:
    return DataError(
        f"{path}: cannot be used although its run record says it is finished ({why}); remove the folder and "
        f"run `relax {record['verb']}` for it again."
    )


def _series(folder: Path, record: Mapping[str, Any]) -> pd.DataFrame:
    path, rows = folder / "metrics.jsonl", []
    for number, line in enumerate(_read(path, record).splitlines(), start=1):
        try:
            row = json.loads(line)
            rows.append(
                {"step": int(row["step"])} | {k: float(v) for k, v in row.items() if k != "step" and v is not None}
            )
        except (ValueError, TypeError, KeyError) as error:
            raise _unusable(path, record, f"line {number}: expected step and numbers") from error
    return pd.DataFrame(rows, columns=None if rows else ["step"]).assign(**_keys(record))


def _scores(folder: Path, record: Mapping[str, Any]) -> pd.DataFrame:
    path = folder / "scores.json"
    try:
        content = json.loads(_read(path, record))
        problems = int(content["problems"])
        rows = [
            {
                "metric": name,
                "value": float(m["value"]),
                "stderr": float(m["stderr"]),
                "problems": problems,
                "rerun": float(m.get("rerun", "nan")),
            }
            for name, m in content["metrics"].items()
        ]
    except (ValueError, TypeError, KeyError) as error:
        raise _unusable(path, record, f"expected problems and metrics, {error!r}") from error
    return pd.DataFrame(rows).assign(benchmark=record["identity"].get("benchmark"), **_keys(record))


def _parquet(path: Path, record: Mapping[str, Any], columns: list[str]) -> pd.DataFrame:
    try:
        return pd.read_parquet(path, columns=columns).assign(**_keys(record))
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise _unusable(path, record, str(error).splitlines()[0]) from error


def _runs(
    matrix: Matrix,
    trained: list[dict[str, Any]],
    series: pd.DataFrame,
    scores: pd.DataFrame,
    trajectories: pd.DataFrame,
) -> pd.DataFrame:
    """One row per run; see :class:`Results`."""
    rows: dict[tuple[str, str, int], dict[str, Any]] = {}
    for record in trained:
        row = rows.setdefault(tuple(_keys(record).values()), {})
        row.update({f"train/{name}": value for name, value in record["metrics"].items()})
        row.update({f"cost/{name}": record.get(name) for name in COST_COLUMNS}, finished=True)
        if record["metrics"].get("steps") and record.get("cpu_seconds") is not None:
            row["cost/cpu_per_step"] = record["cpu_seconds"] / record["metrics"]["steps"]
    for key, run in series.groupby(KEYS):
        rows.setdefault(key, {}).update(_step_costs(run[run.step > 0]))
    for item in scores.itertuples():
        row = rows.setdefault((item.policy, item.method, item.seed), {})
        row[f"evaluate/{item.benchmark}/{item.metric}"] = item.value
    for (*key, kind), group in trajectories.groupby([*KEYS, "kind"]):
        rows.setdefault(tuple(key), {}).update(_trajectory_means(kind, group))
    for policy in matrix.policies:
        first = series[(series.policy == policy) & (series.step == 1)]
        names = [name for name in ("reward", "entropy", "length") if name in first and first[name].notna().any()]
        if names:
            initial = rows.setdefault((policy, INITIAL, 0), {})
            initial.update({f"train/{name}": first[name].mean() for name in names})
        if (policy, INITIAL, 0) in rows:
            rows[policy, INITIAL, 0]["finished"] = True
    order = {row: place for place, row in enumerate(r for p in matrix.policies for r in matrix.rows(p))}
    keys = sorted(rows, key=lambda key: (order[key[:2]], key[2]))
    frame = pd.DataFrame([dict(zip(KEYS, key, strict=True)) | rows[key] for key in keys])
    frame = frame.reindex(columns=[*KEYS, "finished", *sorted(c for c in frame if c not in (*KEYS, "finished"))])
    return frame.assign(finished=frame.finished.eq(True))


def _step_costs(steps: pd.DataFrame) -> dict[str, float]:
    """Seconds per step and the share of DSD in them; nothing where the log does not say."""
    result: dict[str, float] = {}
    if "seconds/step" in steps and steps["seconds/step"].notna().any():
        result["cost/seconds_per_step"] = steps["seconds/step"].mean()
        if "seconds/dsd" in steps and steps["seconds/dsd"].notna().any():
            result["cost/dsd_share"] = steps["seconds/dsd"].sum() / steps["seconds/step"].sum()
    return result


def _trajectory_means(kind: str, group: pd.DataFrame) -> dict[str, float]:
    columns = [name for name in TRAJECTORY_COLUMNS if name not in ("id", "kind", "correct", *SKEWED)]
    result = {f"koopman/{kind}/{name}": float(group[name].mean()) for name in columns}
    result |= {f"koopman/{kind}/{name}": float(group[name].median()) for name in SKEWED}
    for spectrum in SPECTRA:
        # The shuffled trajectory has the same states in the same number: what is left is order in time.
        left = group[f"dsd_{spectrum}"] - group[f"shuffled_{spectrum}"]
        result[f"koopman/{kind}/dsd_{spectrum}_minus_shuffled"] = float(left.mean())
    return result


def _costs(records: list[dict[str, Any]]) -> pd.DataFrame:
    names = ["policy", "method", "seed", "benchmark"]
    rows = [
        {"verb": record["verb"]}
        | {name: record["identity"].get(name) for name in names}
        | {name: record.get(name) for name in COST_COLUMNS}
        | {"accelerator_seconds": record.get("wall_seconds") and record["wall_seconds"] * devices(record)}
        | {"started": record.get("started"), "commit": (record.get("git") or {}).get("commit")}
        | {"folder": record["folder"]}
        for record in records
    ]
    columns = ["verb", *names, *COST_COLUMNS, "accelerator_seconds", "started", "commit", "folder"]
    return pd.DataFrame(rows, columns=columns)


def devices(record: Mapping[str, Any]) -> int:
    """Number of accelerators that a record's machine names, such as 2 of ``2 x NVIDIA H100``; 0 on a CPU.

    A training on several nodes has as many on each, and those of its vLLM server beside them.
    """
    named, several = (record.get("machine") or {}).get("accelerator"), record.get("processes") or {}
    return int(named.partition(" x ")[0]) * several.get("nodes", 1) + several.get("vllm_gpus", 0) if named else 0
