"""The ``evaluate`` stage: one benchmark on one policy, through lm-eval.

lm-eval generates and keeps every sample; grading is the function that training rewards use, and the
statistics are made from the graded samples.
"""

import gzip
import json
import logging
from pathlib import Path
from typing import Any

import datasets
import lm_eval
import numpy as np
import torch
import yaml
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from numpy.typing import NDArray

from relax.data.problem import Problem, read_problems
from relax.errors import MachineError, NumericsError
from relax.evaluation import statistics
from relax.evaluation.catalogue import TASKS, check_tasks
from relax.evaluation.grading import grade_response
from relax.files import atomic_write
from relax.tracking import Run, digest_path

logger = logging.getLogger("relax")


def evaluate(
    settings: dict[str, Any], policy: str | Path, data: str | Path, out: str | Path, run: Run, label: str
) -> None:
    """Write ``scores.json``, ``samples.jsonl.gz`` and the record below ``out``.

    Args:
        settings: ``benchmark`` (task, greedy, samples), ``batch_size``, ``seed``, ``backend`` and
            ``max_response_length``.
        policy: folder of the policy.
        data: problem file.
        out: folder.
        run: the record to finish; its identity names the benchmark.
        label: for the progress lines.

    Raises:
        ConfigError: an unknown task.
        MachineError: a backend that is not there.
        NumericsError: all samples of every problem are the same text though they were to be drawn.
    """
    if settings["backend"] != "hf":
        raise MachineError(f"evaluation.backend is {settings['backend']}, which is not wired up yet; set it to hf.")
    out, benchmark, name = Path(out), settings["benchmark"], run.identity["benchmark"]
    check_tasks({name: benchmark})
    problems = read_problems(data)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = HFLM(pretrained=str(policy), device=device, batch_size=settings["batch_size"], dtype="auto")
    task, scores, samples = _task(benchmark["task"], problems), {}, []
    for decoding, repeats, kwargs in _passes(benchmark):
        logger.info("%s: %d problems, %d %s responses to each", label, len(problems), repeats, decoding)
        responses = _generate(model, task, repeats, settings, kwargs)
        if repeats > 1 and all(len(set(texts)) == 1 for texts in responses):
            raise NumericsError(
                f"benchmark {name}: the {repeats} samples of every problem are the same text; "
                "the backend does not sample, so mean@k would be mean@1 in disguise."
            )
        correct = _grade(problems, responses)
        scores |= _scores(correct, responses)
        samples += _samples(problems, responses, correct, decoding)
    content = {
        "benchmark": name,
        "problems": len(problems),
        "repeats": benchmark["samples"],
        "metrics": scores,
    }
    _write(out, content, samples)
    for metric, result in scores.items():
        run.metrics |= {metric: result["value"], f"{metric}_stderr": result["stderr"]}
    run.metrics["problems"] = len(problems)
    run.seeds["evaluation"] = settings["seed"]
    outputs: list[str | Path] = [out / "scores.json", out / "samples.jsonl.gz"]
    run.finish(out, outputs, task_hash=digest_path(TASKS / f"{benchmark['task']}.yaml"))


def _passes(benchmark: dict[str, Any]) -> list[tuple[str, int, dict[str, Any]]]:
    """Decoding, responses per problem and generation arguments of each pass a benchmark asks for."""
    passes: list[tuple[str, int, dict[str, Any]]] = []
    if benchmark["greedy"]:
        passes.append(("greedy", 1, {"do_sample": False, "temperature": 0.0}))
    if benchmark["samples"]:
        passes.append(("sampled", benchmark["samples"], {"do_sample": True, "temperature": 1.0}))
    return passes


def _task(name: str, problems: list[Problem]) -> dict[str, Any]:
    """The task file as a whole inline configuration, with the problems in memory."""
    task = yaml.safe_load((TASKS / f"{name}.yaml").read_text(encoding="utf-8"))
    rows = [{"prompt": p.prompt, "answer": p.answer} for p in problems]
    task["custom_dataset"] = lambda **_: datasets.DatasetDict({"test": datasets.Dataset.from_list(rows)})
    return task


def _generate(
    model: HFLM, task: dict[str, Any], repeats: int, settings: dict[str, Any], decoding: dict[str, Any]
) -> list[list[str]]:
    """``repeats`` responses to each problem; (problems, repeats)."""
    kwargs = {**task["generation_kwargs"], **decoding, "max_gen_toks": settings["max_response_length"]}
    # Without take_first_k lm-eval passes on the first repeat alone.
    keep_all = [{"name": "all", "filter": [{"function": "take_first_k", "k": repeats}]}]
    config = {
        **task, "repeats": repeats, "generation_kwargs": kwargs, "filter_list": keep_all,
        "process_results": _unscored, "metric_list": [{"metric": "n", "aggregation": "mean", "higher_is_better": True}],
    }  # fmt: skip
    seed = settings["seed"]
    result = lm_eval.simple_evaluate(
        model=model,
        tasks=[config],
        task_manager=TaskManager(include_defaults=False),
        log_samples=True,
        bootstrap_iters=0,
        random_seed=seed,
        numpy_random_seed=seed,
        torch_random_seed=seed,
        fewshot_random_seed=seed,
    )
    samples = sorted(result["samples"][task["task"]], key=lambda sample: sample["doc_id"])
    return [list(sample["resps"][0]) for sample in samples]


def _unscored(doc: dict[str, Any], results: list[Any]) -> dict[str, float]:
    return {"n": 1.0}


def _grade(problems: list[Problem], responses: list[list[str]]) -> NDArray[np.bool_]:
    rows = zip(problems, responses, strict=True)
    return np.array([[grade_response(p.source, p.prompt, text, p.answer) for text in texts] for p, texts in rows])


def _scores(correct: NDArray[np.bool_], responses: list[list[str]]) -> dict[str, dict[str, float]]:
    k = correct.shape[1]
    scores = {f"mean@{k}": statistics.mean_at_k(correct)}
    if k > 1:
        powers = [2**i for i in range(k.bit_length()) if 2**i <= k]
        scores |= {f"pass@{j}": statistics.pass_at_k(correct, j) for j in powers}
        scores[f"distinct@{k}"] = statistics.distinct(responses)
    return scores


def _samples(
    problems: list[Problem], responses: list[list[str]], correct: NDArray[np.bool_], decoding: str
) -> list[dict[str, Any]]:
    rows = zip(problems, responses, correct.tolist(), strict=True)
    return [
        {
            "id": p.id,
            "prompt": p.prompt,
            "answer": p.answer,
            "decoding": decoding,
            "responses": texts,
            "correct": right,
        }
        for p, texts, right in rows
    ]


def _write(out: Path, scores: dict[str, Any], samples: list[dict[str, Any]]) -> None:
    lines = "".join(json.dumps(sample, ensure_ascii=False) + "\n" for sample in samples)
    # mtime=0: the same samples are the same bytes.
    atomic_write(out / "samples.jsonl.gz", gzip.compress(lines.encode(), mtime=0))
    atomic_write(out / "scores.json", json.dumps(scores, indent=1) + "\n")
