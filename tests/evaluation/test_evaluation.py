"""Responses, grades and scores as stages: against the policy itself, in any order, after a kill, and by hand."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from relax import config
from relax.config.evaluation import AskedBenchmark
from relax.config.stage_settings import EvaluateSettings, GenerateSettings
from relax.data.problem_files import read_problems, write_problems
from relax.data.prompt import PLAIN
from relax.errors import ConfigError, DataError, MachineError, NumericsError
from relax.evaluation import backends
from relax.evaluation import generate_stage as stage
from relax.evaluation.evaluate_stage import evaluate_stage, scores_of
from relax.evaluation.grade_stage import grade_stage, grade_table
from relax.evaluation.questions import BOXED, Question
from relax.evaluation.shards import decodings, plan_blocks, read_generation
from relax.models.policy import load_policy
from relax.records.record import Run
from relax.tasks.noisy_sum import problems as noisy_sums
from tests.conftest import REPOSITORY
from tests.repository.benchmarks_fixture import write_benchmark

ENTRY = {"task": "noisy_sum", "greedy": True, "samples": 4, "path": None, "rows": None}
SETTINGS: dict[str, Any] = {
    "benchmarks": {"sums": ENTRY, "again": {**ENTRY, "greedy": False, "samples": 2}}, "batch_size": 4, "block_size": 10,
    "seed": 7, "backend": "hf", "vllm_memory": 0.9, "max_response_length": 12, "prompt": PLAIN,
}  # fmt: skip


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    write_problems(tmp_path / "test.jsonl", noisy_sums(6, "test", 4, seed=0))
    return tmp_path / "test.jsonl"


def generate(policy: Path, problems: Path, out: Path, part: tuple[int, int] = (1, 1), **changed: Any) -> None:
    settings = SETTINGS | changed
    run = Run("generate", {"name": "t"}, settings, [policy, problems])
    stage.generate_stage(GenerateSettings(**settings), policy, problems, out, run, "test", part)


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.parquet"))}


def test_responses_are_the_policys_own_with_their_tokens_and_ends(tiny_policy, problems, tmp_path) -> None:
    generate(tiny_policy, problems, tmp_path / "out", max_response_length=40)
    found = {name: table for name, _, table in read_generation(tmp_path / "out")}
    assert {name: len(table) for name, table in found.items()} == {"sums": 6 * 5, "again": 6 * 2}
    drawn = found["sums"][found["sums"].decoding == "sampled"]
    assert drawn.groupby("id")["sample"].apply(list).tolist() == [[0, 1, 2, 3]] * 6
    assert drawn.response.nunique() > 12
    model, tokenizer = load_policy(tiny_policy)
    greedy = found["sums"][found["sums"].decoding == "greedy"].set_index("id")
    for problem in read_problems(problems):
        inputs = tokenizer(problem.prompt, return_tensors="pt")
        with torch.no_grad():
            output = model.generate(**inputs, max_new_tokens=40, do_sample=False)
        tokens = output[0, inputs["input_ids"].shape[1] :]
        assert greedy.response[problem.id] == tokenizer.decode(tokens, skip_special_tokens=True)
        end = (tokens == tokenizer.eos_token_id).nonzero().flatten().tolist()
        assert (greedy.tokens[problem.id], greedy.finish[problem.id]) == (
            (end[0] + 1, "stop") if end else (40, "length")
        )
    every = pd.concat(found.values())
    assert set(every.finish) == {"stop", "length"}
    cut = every[every.finish == "length"]
    assert (cut.tokens == 40).all()
    ended = every[every.finish == "stop"]
    # One character a token, but for the end and for padding, which an untrained policy writes at times.
    assert (ended.tokens > ended.response.str.len()).all()
    assert (ended.tokens == ended.response.str.len() + 1).mean() > 0.2


def test_parts_in_any_order_and_a_kill_between_give_the_same_bytes(tiny_policy, problems, tmp_path) -> None:
    generate(tiny_policy, problems, tmp_path / "whole")
    for part in ((3, 3), (1, 3)):
        generate(tiny_policy, problems, tmp_path / "parts", part)
    assert not (tmp_path / "parts" / "run.json").exists()
    with pytest.raises(DataError, match="the generation is not finished"):
        list(read_generation(tmp_path / "parts"))
    done = files(tmp_path / "parts")
    times = {name: (tmp_path / "parts" / name).stat().st_mtime_ns for name in done}
    generate(tiny_policy, problems, tmp_path / "parts")  # whoever comes last makes what is missing
    assert files(tmp_path / "parts") == files(tmp_path / "whole")
    again = {name: (tmp_path / "parts" / name).stat().st_mtime_ns for name in done if "questions" not in name}
    assert again.items() <= times.items()
    assert json.loads((tmp_path / "parts" / "run.json").read_text())["blocks"].keys() == {"sums", "again"}


def test_a_finished_generation_starts_no_engine_and_other_settings_make_other_blocks(
    tiny_policy, problems, tmp_path, monkeypatch
) -> None:
    generate(tiny_policy, problems, tmp_path / "out")
    before = files(tmp_path / "out")
    with monkeypatch.context() as patched:
        patched.setattr(backends, "load_backend", lambda *_: pytest.fail("an engine was started"))
        generate(tiny_policy, problems, tmp_path / "out")
    generate(tiny_policy, problems, tmp_path / "out", seed=8)
    after = files(tmp_path / "out")
    assert before.keys() & after.keys() == {"sums/questions.parquet", "again/questions.parquet"}
    assert len(after) == len(before)  # the old blocks are gone


@pytest.mark.parametrize("older", [False, True], ids=["", "without a hash"])
def test_a_damaged_block_is_named_and_made_again(tiny_policy, problems, tmp_path, caplog, older: bool) -> None:
    out = tmp_path / "out"
    generate(tiny_policy, problems, out)
    before = files(out)
    blocks = [out / name for name in before if "questions" not in name]
    half, changed, gone = blocks[0], blocks[2], blocks[3]
    os.truncate(half, half.stat().st_size // 2)
    if not older:
        pd.read_parquet(changed).assign(response="another").to_parquet(changed)
    gone.unlink()
    for path in out.rglob(".*.sha256") if older else []:
        path.unlink()
    with pytest.raises(DataError, match=r"parquet: (cannot be read \(.*\)|no such file); run `relax generate` again"):
        list(read_generation(out))
    generate(tiny_policy, problems, out)
    assert files(out) == before
    named = [half] if older else [half, changed]
    said = [f"{path}: damaged, it is not what was written; its responses are made again." for path in named]
    assert sorted(message for message in caplog.messages if "damaged" in message) == sorted(said)
    caplog.clear()
    generate(tiny_policy, problems, out)
    assert "damaged" not in caplog.text
    generate(tiny_policy, problems, out, seed=8)
    assert len(list(out.rglob(".*.sha256"))) == len(blocks)  # those of the old blocks are gone


def test_a_benchmark_beside_it_does_not_change_a_benchmarks_samples(tiny_policy, problems, tmp_path) -> None:
    generate(tiny_policy, problems, tmp_path / "both")
    generate(tiny_policy, problems, tmp_path / "one", benchmarks={"sums": ENTRY})
    one, both = files(tmp_path / "one"), files(tmp_path / "both")
    assert one.items() <= both.items()


def test_the_checkpoints_own_generation_settings_have_no_say(tiny_policy, problems, tmp_path) -> None:
    stubborn = tmp_path / "stubborn"
    shutil.copytree(tiny_policy, stubborn)
    settings = json.loads((stubborn / "generation_config.json").read_text())
    hidden = {"do_sample": True, "top_k": 1, "top_p": 0.1, "repetition_penalty": 3.0, "temperature": 0.2}
    (stubborn / "generation_config.json").write_text(json.dumps(settings | hidden))
    one = {"sums": {**ENTRY, "samples": 2}}
    for name, policy in (("plain", tiny_policy), ("stubborn", stubborn)):
        generate(policy, problems, tmp_path / name, benchmarks=one, block_size=100)
    texts = [next(read_generation(tmp_path / name))[2].response.tolist() for name in ("plain", "stubborn")]
    assert texts[0] == texts[1]


def test_a_block_is_planned_from_its_requests_alone() -> None:
    blocks = plan_blocks("b", 5, decodings(AskedBenchmark(**ENTRY)), 8, seed=1, key="k")
    assert [(b.decoding, b.number, len(b.requests)) for b in blocks] == [
        ("greedy", 0, 5),
        ("sampled", 0, 8),
        ("sampled", 1, 8),
        ("sampled", 2, 4),
    ]
    asked = [(r.question, r.sample) for b in blocks if b.decoding == "sampled" for r in b.requests]
    assert sorted(asked) == [(q, s) for q in range(5) for s in range(4)]
    assert len({b.seed for b in blocks}) == len({b.file for b in blocks}) == 4
    assert plan_blocks("b", 5, decodings(AskedBenchmark(**ENTRY)), 8, seed=2, key="k")[1].seed != blocks[1].seed
    assert plan_blocks("b", 5, decodings(AskedBenchmark(**ENTRY)), 8, seed=1, key="other")[1].file != blocks[1].file


def test_what_cannot_be_generated_is_refused_before_the_engine_starts(tiny_policy, problems, tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"no task 'noisy_som'; did you mean noisy_sum\?"):
        generate(tiny_policy, problems, tmp_path / "a", benchmarks={"sums": {**ENTRY, "task": "noisy_som"}})
    with pytest.raises(ConfigError, match=r"5 prompt tokens and 60 of a response do not fit into .* window of 64"):
        generate(tiny_policy, problems, tmp_path / "a", max_response_length=60)
    with pytest.raises(ConfigError, match="tokenizer has no chat template"):
        generate(tiny_policy, problems, tmp_path / "a", prompt={**PLAIN, "chat_template": True})
    entry = {**ENTRY, "task": "mmstar", "path": str(write_benchmark("mmstar", tmp_path)), "rows": 2}
    with pytest.raises(ConfigError, match="benchmark stars: its questions have images"):
        generate(tiny_policy, problems, tmp_path / "a", benchmarks={"stars": entry})
    with pytest.raises(MachineError, match=r"evaluation\.backend is vllm, but vllm is not installed"):
        generate(tiny_policy, problems, tmp_path / "a", backend="vllm")


# Grades and scores ------------------------------------------------------------------------------


def graded(policy: Path, problems: Path, out: Path) -> pd.DataFrame:
    generate(policy, problems, out / "responses")
    grade_stage(out / "responses", out / "grades", Run("grade", {"name": "t"}, {}), "test")
    return pd.read_parquet(out / "grades" / "sums" / "grades.parquet")


def test_grades_and_scores_are_made_from_the_kept_responses_alone(tiny_policy, problems, tmp_path) -> None:
    policy = tmp_path / "policy"
    shutil.copytree(tiny_policy, policy)
    table = graded(policy, problems, tmp_path)
    shutil.rmtree(policy)
    problems.unlink()
    settings = {"benchmarks": SETTINGS["benchmarks"]}
    evaluate_stage(
        EvaluateSettings(**settings), tmp_path / "grades", tmp_path / "scores", Run("evaluate", {"name": "t"}, settings)
    )
    scores = json.loads((tmp_path / "scores" / "sums" / "scores.json").read_text())
    record = json.loads((tmp_path / "scores" / "sums" / "run.json").read_text())
    assert record["identity"] == {"name": "t", "benchmark": "sums"}
    assert {
        "mean@1",
        "mean@4",
        "pass@1",
        "pass@2",
        "pass@4",
        "maj@4",
        "distinct@4",
        "truncated@4",
        "lenient@4",
        "no_box@4",
        "timeout@4",
        "truncated@1",
    } <= scores["metrics"].keys()
    drawn = table[table.decoding == "sampled"]
    assert scores["metrics"]["mean@4"]["value"] == pytest.approx(drawn.correct.mean())
    assert scores["metrics"]["truncated@4"]["value"] == pytest.approx(drawn.truncated.mean())
    assert scores["metrics"]["pass@4"]["value"] == pytest.approx(drawn.groupby("id").correct.any().mean())
    again = tmp_path / "again"
    grade_stage(tmp_path / "responses", again, Run("grade", {"name": "t"}, {}), "test")
    assert files(again) == files(tmp_path / "grades")


def boxed(texts: list[list[str]], golds: list[list[str]], clusters: list[str] | None = None) -> pd.DataFrame:
    """Grades of hand-made responses; texts[problem][sample]."""
    ids = [f"p{i}" for i in range(len(texts))]
    questions = pd.DataFrame(
        {"id": ids, "prompt": ids, "golds": golds, "cluster": clusters or ids, "subset": "", "tolerance": 0.0,
         "texts": [[] for _ in ids], "source": "math500"}
    )  # fmt: skip
    rows = [
        {"id": ids[p], "decoding": "sampled", "sample": s, "response": text, "tokens": 3, "finish": "stop"}
        for p, samples in enumerate(texts)
        for s, text in enumerate(samples)
    ]
    return grade_table(questions, pd.DataFrame(rows))


def test_scores_of_hand_made_answers() -> None:
    texts = [[r"\boxed{1/2}", r"\boxed{0.5}", r"\boxed{3}", "so it is 1/2"], [r"\boxed{7}"] * 3 + ["nothing"]]
    table = boxed(texts, [[r"\frac12"], ["8", "7"]])
    assert table.correct.tolist() == [True, True, False, False, True, True, True, False]
    scores = scores_of(table, 4)
    assert scores["mean@4"]["value"] == pytest.approx(5 / 8)
    assert scores["pass@2"]["value"] == pytest.approx((5 / 6 + 1) / 2)
    assert scores["no_box@4"]["value"] == pytest.approx(2 / 8)
    # 1/2 and 0.5 are two strings with one vote each, beside 3: a tie of three, two of them right.
    assert scores["maj@4"]["value"] == pytest.approx((2 / 3 + 1) / 2)
    with pytest.raises(DataError, match=r"do not have the 4 samples asked for \(problem p1 has 3\)"):
        scores_of(table.iloc[:-1], 4)


def test_variants_of_a_problem_are_one_cluster() -> None:
    texts = [[r"\boxed{1}"], [r"\boxed{1}"], [r"\boxed{1}"], [r"\boxed{2}"]]
    scores = scores_of(boxed(texts, [["1"]] * 4, ["a", "a", "b", "b"]), 1)
    assert scores["mean@1"]["value"] == 0.75
    assert scores["worst@1"]["value"] == 0.5
    assert "worst@1" not in scores_of(boxed(texts, [["1"]] * 4), 1)


@pytest.mark.parametrize("kind", ["empty", "random", "constant", "everything"])
def test_a_policy_that_knows_nothing_scores_nothing(kind: str) -> None:
    rng = np.random.default_rng(0)
    golds = [[str(g)] for g in rng.integers(1000, 10**6, size=60)]
    made = {
        "empty": lambda i: "",
        "random": lambda i: "".join(chr(c) for c in rng.integers(32, 127, size=80)),
        "constant": lambda i: r"The answer is \boxed{42}.",
        "everything": lambda i: " ".join(str(n) for n in range(1000, 1100)),
    }
    table = boxed([[made[kind](i), made[kind](i)] for i in range(60)], golds)
    scores = scores_of(table, 2)
    assert scores["mean@2"]["value"] == scores["lenient@2"]["value"] == 0
    assert 0 < scores["mean@2"]["high"] < 0.1


def test_samples_that_are_all_the_same_are_no_samples(tiny_policy, problems, tmp_path) -> None:
    generate(tiny_policy, problems, tmp_path / "responses", benchmarks={"sums": ENTRY})
    for path in (tmp_path / "responses" / "sums").glob("sampled-*.parquet"):
        pd.read_parquet(path).assign(response="=1").to_parquet(path)
    with pytest.raises(NumericsError, match="the 4 samples of every problem are the same text"):
        grade_stage(tmp_path / "responses", tmp_path / "grades", Run("grade", {"name": "t"}, {}), "test")
    assert not (tmp_path / "grades" / "sums").exists()


def test_a_protocol_decides_how_responses_are_drawn(tiny_policy, problems, tmp_path) -> None:
    """At a low temperature with little probability to draw from, samples are the greedy response."""
    asked = {"temperature": 0.01, "top_p": 0.01}
    generate(tiny_policy, problems, tmp_path / "plain")
    generate(tiny_policy, problems, tmp_path / "cold", asked=asked)
    plain, cold = ({n: t for n, _, t in read_generation(tmp_path / name)}["sums"] for name in ("plain", "cold"))
    greedy = cold[cold.decoding == "greedy"].set_index("id").response
    drawn = cold[cold.decoding == "sampled"]
    assert (drawn.response == drawn.id.map(greedy)).all()
    assert (plain[plain.decoding == "greedy"].set_index("id").response == greedy).all()
    assert plain[plain.decoding == "sampled"].response.nunique() > len(greedy)


def test_a_protocols_system_turn_stands_in_place_of_the_instruction(tiny_policy) -> None:
    _, tokenizer = load_policy(tiny_policy)
    tokenizer.chat_template = "{% for turn in messages %}[{{ turn.role }}] {{ turn.content }}\n{% endfor %}"
    turns = {"chat_template": True, "system": "Box it.", "thinking": False}
    question = Question("1", f"What is 1 + 1?\n{BOXED}", ("2",), "1", "")
    assert stage._prompt(tokenizer, question, turns, [BOXED]) == "[system] Box it.\n[user] What is 1 + 1?\n"


def test_what_a_protocol_hands_on_to_the_generation() -> None:
    """Its name and those that are not asked for decide nothing; without one the settings are as they always were."""
    demo, overlay = REPOSITORY / "config" / "config.yaml", {"protocols": {"a": {"top_p": 0.9}, "b": {"temperature": 2}}}
    merged = config.loading.read_merged([demo])
    plain, named = (
        config.generate_settings(config.check({**merged, "evaluation": {**merged["evaluation"], **more}}, [demo]))
        for more in (overlay, {**overlay, "protocol": "a"})
    )
    assert plain.recorded() == config.generate_settings(config.load([demo])).recorded()
    changed = {k: v for k, v in named.recorded().items() if plain.recorded().get(k) != v}
    assert changed == {"asked": {"temperature": 1.0, "top_p": 0.9, "max_response_length": None, "system": None}}
