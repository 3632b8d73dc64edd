"""The warm-up of a policy that is not made from scratch: up to an accuracy, behind the prompts of training."""

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from relax import config
from relax.config.stage_settings import BaseSettings
from relax.data.prompt import render
from relax.errors import ConfigError
from relax.models.base_stage import make_policy
from relax.models.policy import load_policy
from relax.models.supervised import tokenised
from relax.records.record import Run
from relax.tasks import noisy_sum
from tests.conftest import REPOSITORY
from tests.latent.dsd_fixture import relax
from tests.models.test_hub_path import make_policy as save_chat_policy

BASE = REPOSITORY / "config" / "config.yaml"


def files(folder: Path, policy: dict[str, Any], **changed: Any) -> list[Path]:
    written = {"matrix": {"policies": ["p"]}, "policies": {"p": policy}, **changed}
    (folder / "my.yaml").write_text(json.dumps(written))
    return [BASE, folder / "my.yaml"]


def settings_of(folder: Path, policy: dict[str, Any], **changed: Any) -> BaseSettings:
    return config.base_settings(config.load(files(folder, policy, **changed)), "p")


def made(settings: BaseSettings, out: Path, found: list[float]) -> tuple[dict[str, Any], list[dict[str, float]]]:
    """The record and the log of a warm-up whose accuracies are those given, one after the other."""
    accuracies = iter(found)
    inputs = config.local_files(settings)
    make_policy(settings, out, Run("base", {}, settings.recorded(), inputs), "test", lambda *_: next(accuracies))
    log = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return json.loads((out / "run.json").read_text()), log


@pytest.mark.parametrize(
    ("found", "until", "steps"),
    [
        ([0.1, 0.2, 0.41, 0.9], 0.4, 4),  # checked before the first step, and after 2, 4, 5
        ([0.5], 0.4, 0),
        ([0.1, 0.2, 0.2, 0.3], 0.4, 5),
        ([0.1, 0.9, 0.9, 0.9], None, 5),
    ],
)
def test_the_warm_up_ends_where_the_accuracy_is_reached(
    found: list[float], until: float | None, steps: int, tiny_policy: Path, tmp_path: Path
) -> None:
    warmup = {"steps": 5, "check_every": 2, "demonstrations": 32, "until": until, "learning_rate": 0.001}
    settings = settings_of(tmp_path, {"path": str(tiny_policy), "warmup": warmup})
    record, log = made(settings, tmp_path / "out", found)
    measured = {entry["step"]: entry["accuracy"] for entry in log if "accuracy" in entry}
    assert list(measured) == [step for step in (0, 2, 4, 5) if step <= steps]
    assert list(measured.values()) == found[: len(measured)]
    assert [entry["step"] for entry in log if "loss" in entry] == list(range(1, steps + 1))
    assert record["metrics"]["accuracy"] == found[len(measured) - 1]
    assert record["settings"]["policy"]["warmup"]["until"] == until
    assert record["settings"]["data"]["source"] == "noisy-sum"
    assert str(tiny_policy / "model.safetensors") in record["inputs"]
    before, after = (load_policy(folder)[0].state_dict() for folder in (tiny_policy, tmp_path / "out" / "model"))
    changed = any((before[name] != after[name]).any() for name in before)
    assert changed == (steps > 0)


def test_demonstrations_stand_behind_the_prompts_of_training(tmp_path: Path) -> None:
    save_chat_policy(tmp_path / "chat")
    prompt = {"chat_template": True, "system": "Add."}
    warmup = {"demonstrations": 6, "error_rate": 0.0}
    settings = settings_of(tmp_path, {"path": str(tmp_path / "chat"), "warmup": warmup}, prompt=prompt)
    assert settings.sampling is not None
    tokenizer = load_policy(tmp_path / "chat")[1]
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    how = settings.sampling.recorded()["prompt"]
    rows = list(tokenised(settings, settings.policy.warmup.recorded(), how, tokenizer))
    assert len(rows) == 6
    for row in rows:
        answered = [token for token in row["labels"] if token != -100]
        asked = row["input_ids"][: len(row["input_ids"]) - len(answered)]
        assert row["labels"] == [-100] * len(asked) + answered
        assert answered[-1] == tokenizer.eos_token_id
        text = tokenizer.decode(asked)
        problem = text.removeprefix("system: Add.\nuser: ").removesuffix("\nassistant:")
        assert text == render(tokenizer, problem, how)
        assert problem.endswith(":")
        assert noisy_sum.verify(problem, tokenizer.decode(answered[:-1]))


@pytest.mark.slow
def test_a_policy_becomes_better_by_its_demonstrations(tmp_path: Path) -> None:
    """From the command line, measured by the sampler and the grader of training."""
    small = {"hidden_size": 64, "warmup": {"steps": 60, "batch_size": 64, "demonstrations": 4000}}
    data = {"digits": 3, "train_problems": 200, "test_problems": 50}
    first = files(tmp_path, {"scratch": small}, data=data)
    ended, terminal = relax("base", "--configfile", *first, "--policy", "p", "--out", tmp_path / "made")
    assert ended == 0, terminal
    warmup = {"steps": 200, "check_every": 25, "batch_size": 64, "learning_rate": 0.003, "until": 0.25}
    more = files(tmp_path, {"path": str(tmp_path / "made" / "model"), "warmup": warmup}, data=data)
    ended, terminal = relax("base", "--configfile", *more, "--policy", "p", "--out", tmp_path / "out")
    assert ended == 0, terminal
    log = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    found = [entry["accuracy"] for entry in log if "accuracy" in entry]
    assert max(found[:-1]) < 0.25 <= found[-1]


def test_a_warm_up_without_demonstrations_is_refused(tiny_policy: Path, tmp_path: Path) -> None:
    rows = {"repo": "mine", "revision": "unpinned", "split": "train", "prompt": "q", "answer": "a"}
    policy = {"path": str(tiny_policy), "warmup": {}}
    with pytest.raises(ConfigError, match=r"policies\.p\.warmup needs demonstrations, and the task hub has none"):
        config.load(files(tmp_path, policy, data={"source": "hub", "datasets": [rows]}))
    with pytest.raises(ConfigError, match=r"policies\.p is made from scratch, and its warm-up is scratch\.warmup"):
        config.load(files(tmp_path, {"scratch": {"warmup": {}}, "warmup": {}}))


def test_worked_examples_of_a_subset_stand_before_its_demonstrations(tmp_path: Path) -> None:
    save_chat_policy(tmp_path / "chat")
    shots = [
        {"problem": "What is 1 + 1 + 1?", "response": "THREE", "subset": "sum-of-three"},
        {"problem": "What is 10 + 1?", "response": "ELEVEN", "subset": "two-digit-sum"},
    ]
    prompt = {"chat_template": True, "shots": shots}
    settings = settings_of(
        tmp_path,
        {"path": str(tmp_path / "chat"), "warmup": {"demonstrations": 20}},
        prompt=prompt,
        data={"source": "elementary", "elementary": {"kinds": {"sum-of-three": 1, "two-digit-sum": 1}}},
    )
    assert settings.sampling is not None
    assert settings.policy.warmup is not None
    tokenizer = load_policy(tmp_path / "chat")[1]
    how = settings.sampling.recorded()["prompt"]
    texts = [
        tokenizer.decode(row["input_ids"])
        for row in tokenised(settings, settings.policy.warmup.recorded(), how, tokenizer)
    ]
    for text in texts:
        three = text.rsplit("user: ", 1)[1].split("?")[0].count("+") == 2
        assert ("THREE" in text, "ELEVEN" in text) == (three, not three)
    assert len({"THREE" in text for text in texts}) == 2
