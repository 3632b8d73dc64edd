"""Evaluation with images: the policy's own greedy responses, every benchmark's columns, and scores by dependence."""

import json
import shutil
import weakref
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from PIL import Image

from relax.config.stage_settings import EvaluateSettings, GenerateSettings
from relax.data.images import keep, picture
from relax.data.problem_files import read_problems, write_problems
from relax.data.processor import forbidden_tokens, pictures
from relax.data.prompt import conversation
from relax.errors import ConfigError
from relax.evaluation import backends
from relax.evaluation import generate_stage as stage
from relax.evaluation.evaluate_stage import evaluate_stage
from relax.evaluation.grade_stage import grade_stage
from relax.evaluation.shards import read_generation
from relax.latent.rollouts import sample
from relax.models.policy import load_policy
from relax.records.record import Run
from relax.tasks.visual import rendered
from tests.models.vision_fixture import PROMPT, TASK, save_policy
from tests.repository.benchmarks_fixture import FOLDER, base64_png, image_rows

ENTRY = {"task": "visual", "greedy": True, "samples": 2, "path": None, "rows": None}
SETTINGS: dict[str, Any] = {
    "benchmarks": {"visual": ENTRY}, "batch_size": 4, "block_size": 30, "seed": 7, "backend": "hf",
    "vllm_memory": 0.9, "max_response_length": 10, "prompt": PROMPT,
}  # fmt: skip


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_policy(tmp_path_factory.mktemp("seeing"))


@pytest.fixture(scope="module")
def problems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("held-out")
    write_problems(
        folder / "test.jsonl", rendered.problems({**TASK, "size": 48}, 4, "test", 0, partial(keep, folder=folder))
    )
    return folder / "test.jsonl"


def generate(policy: Path, problems: Path, out: Path, **changed: Any) -> None:
    settings = SETTINGS | changed
    stage.generate_stage(
        GenerateSettings(**settings),
        policy,
        problems,
        out,
        Run("generate", {"name": "t"}, settings, [policy, problems]),
        "t",
    )


def test_greedy_responses_are_those_of_one_prompt_alone(policy: Path, problems: Path, tmp_path: Path) -> None:
    generate(policy, problems, tmp_path / "out")
    ((_, questions, found),) = read_generation(tmp_path / "out")
    assert found.groupby("decoding").size().to_dict() == {"greedy": 20, "sampled": 40}
    greedy = found[found.decoding == "greedy"].set_index("id")
    model, processor = load_policy(policy)
    for problem in read_problems(problems)[::3]:
        text = processor.apply_chat_template(conversation(problem.prompt, 1), add_generation_prompt=True)
        inputs = processor(images=[pictures(problem.images)], text=[text], return_tensors="pt")
        with torch.no_grad():
            output = model.generate(
                **inputs, max_new_tokens=10, do_sample=False, suppress_tokens=forbidden_tokens(processor)
            )
        response = processor.tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        assert greedy.response[problem.id] == response
    assert set(questions.variant) == {"plain", "colours", "size", "position", "orientation"}


def test_no_more_than_two_batches_of_images_are_decoded(
    policy: Path, problems: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive, counts = [0], []

    def counted(image: bytes | Path) -> Image.Image:
        made = picture(image)
        alive[0] += 1
        counts.append(alive[0])
        weakref.finalize(made, lambda: alive.__setitem__(0, alive[0] - 1))
        return made

    monkeypatch.setattr(backends, "picture", counted)
    generate(policy, problems, tmp_path / "out")
    assert len(counts) == 60  # 20 drawings, once greedy and twice sampled
    assert max(counts) <= 2 * SETTINGS["batch_size"]


def test_a_processor_without_a_chat_template_is_refused(policy: Path, problems: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(policy, bare)
    (bare / "chat_template.jinja").unlink()
    with pytest.raises(ConfigError, match="the policy's processor has no chat template, which puts images in"):
        generate(bare, problems, tmp_path / "out")
    with pytest.raises(ConfigError, match="the policy's processor has no chat template, which puts images in"):
        sample(*load_policy(bare), read_problems(problems), 1, 4, 1.0, 0, "test", prompt=PROMPT)


def test_other_pictures_are_other_blocks(policy: Path, problems: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in problems.read_text().splitlines()]
    other = tmp_path / "other"
    (other / "images").mkdir(parents=True)
    for row in rows:
        (other / row["images"][0]).write_bytes((problems.parent / rows[0]["images"][0]).read_bytes())
    (other / "test.jsonl").write_text(problems.read_text())
    names = []
    for source in (problems, other / "test.jsonl"):
        generate(policy, source, tmp_path / "out")
        names.append({path.name for path in (tmp_path / "out" / "visual").glob("greedy-*.parquet")})
    assert not names[0] & names[1]


def test_scores_are_broken_down_by_dependence_and_variant(policy: Path, problems: Path, tmp_path: Path) -> None:
    generate(policy, problems, tmp_path / "out")
    ((_, _, found),) = read_generation(tmp_path / "out")
    place = next((tmp_path / "out" / "visual").glob("greedy-*.parquet"))
    gold = {p.id: p.answer for p in read_problems(problems)}
    right = [p.id for p in read_problems(problems) if p.variant in ("plain", "size") and p.dependence == "text"]
    assert right, "the case must have both"
    table = pd.read_parquet(place)
    table["response"] = [rf"\boxed{{{gold[i]}}}" if i in right else "nothing" for i in table.id]
    table.to_parquet(place, index=False)
    grade_stage(tmp_path / "out", tmp_path / "grades", Run("grade", {"name": "t"}, {}), "t")
    asked = EvaluateSettings(benchmarks=SETTINGS["benchmarks"])
    evaluate_stage(asked, tmp_path / "grades", tmp_path / "scores", Run("evaluate", {"name": "t"}, SETTINGS))
    scores = json.loads((tmp_path / "scores" / "visual" / "scores.json").read_text())["metrics"]
    values = {name: score["value"] for name, score in scores.items() if name.endswith("mean@1")}
    told = sum(p.dependence == "text" for p in read_problems(problems))
    assert values["dependence/visual/mean@1"] == 0
    assert values["dependence/text/mean@1"] == pytest.approx(len(right) / told)
    assert values["variant/plain/mean@1"] == values["variant/size/mean@1"] == pytest.approx(len(right) / 2 / 4)
    assert values["variant/colours/mean@1"] == 0
    assert values["mean@1"] == pytest.approx(len(right) / len(found[found.decoding == "greedy"]))


def test_all_seven_benchmarks_run_on_rendered_pictures_in_their_own_columns(
    policy: Path, problems: Path, tmp_path: Path
) -> None:
    entries = {}
    for name, rows in image_rows(base64_png).items():
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        entries[name] = {"task": name, "greedy": True, "samples": 0, "path": str(path), "rows": len(rows)}
    assert len(entries) == 7
    with pytest.raises(ConfigError, match=r"do not fit into the policy's window of 512"):
        generate(policy, problems, tmp_path / "long", benchmarks=entries, max_response_length=500)
    generate(policy, problems, tmp_path / "out", benchmarks=entries)
    grade_stage(tmp_path / "out", tmp_path / "grades", Run("grade", {"name": "t"}, {}), "t")
    for name, entry in entries.items():
        grades = pd.read_parquet(tmp_path / "grades" / name / "grades.parquet")
        assert len(grades) == entry["rows"]
        assert "dependence" not in grades


@pytest.mark.skipif(not FOLDER, reason="RELAX_BENCHMARKS names no folder with the official data sets")
@pytest.mark.parametrize(
    ("name", "file", "rows"),
    [("mathvision", "mathvision_sample/testmini80.jsonl", 80), ("dynamath", "dynamath_sample/sample_10x10.jsonl", 100)],
)
def test_real_images_go_through(policy: Path, problems: Path, tmp_path: Path, name: str, file: str, rows: int) -> None:
    entry = {"task": name, "greedy": True, "samples": 0, "path": str(Path(str(FOLDER)) / file), "rows": rows}
    # Their questions are longer than the window of this policy's tests: a wider one.
    config = json.loads((policy / "config.json").read_text())
    config["text_config"]["max_position_embeddings"] = 8192
    wide = tmp_path / "wide"
    wide.mkdir()
    for part in policy.iterdir():
        (wide / part.name).write_bytes(part.read_bytes())
    (wide / "config.json").write_text(json.dumps(config))
    generate(wide, problems, tmp_path / "out", benchmarks={name: entry}, batch_size=16)
    ((_, questions, found),) = read_generation(tmp_path / "out")
    assert len(questions) == len(found) == rows


def test_a_policy_of_text_and_vllm_are_told_about_images(
    policy: Path, problems: Path, tiny_policy: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"benchmark visual: its questions have images, and the policy is a model of"):
        generate(tiny_policy, problems, tmp_path / "out")
    with pytest.raises(ConfigError, match=r"problems with images need prompt\.chat_template: true"):
        generate(policy, problems, tmp_path / "out", prompt={**PROMPT, "chat_template": False})
    with pytest.raises(ConfigError, match="answers no text questions of a policy that sees either; set it to hf"):
        generate(policy, problems, tmp_path / "out", backend="vllm")
