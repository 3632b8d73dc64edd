"""The tiny vision-language policy: its files alone bring it back, and its warm-up learns the solutions and no more."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from relax.data.processor import ImageTextProcessor, image_inputs, load_processor, pictures, sees
from relax.data.prompt import conversation
from relax.errors import DataError
from relax.models import scratch_vision
from relax.tasks import TASKS
from relax.tasks.visual import rendered
from tests.models.vision_fixture import SCRATCH, pictured_problems, save_policy

TASK = {"families": ["bars", "cells"], "levels": [1, 2], "size": 48, "text_share": 0.5}


def test_its_files_alone_bring_it_back(tmp_path: Path) -> None:
    policy = save_policy(tmp_path / "policy")
    problem = pictured_problems(tmp_path, 3)[0]
    program = (
        "import sys, torch; from relax.data.processor import pictures; "
        "from relax.data.prompt import conversation; "
        "from transformers import AutoModelForImageTextToText as M, AutoProcessor as P; "
        "p = P.from_pretrained(sys.argv[1], local_files_only=True); "
        "m = M.from_pretrained(sys.argv[1], local_files_only=True, dtype=torch.float32); "
        "t = p.apply_chat_template(conversation(sys.argv[3], 1), add_generation_prompt=True); "
        "i = p(images=[pictures([sys.argv[2]])], text=[t], return_tensors='pt'); "
        "print(type(p).__name__, type(m).__name__, m(**i).logits[0, -1].argmax().item())"
    )
    words = [sys.executable, "-c", program, str(policy), problem.images[0], problem.prompt]
    result = subprocess.run(words, capture_output=True, text=True, check=True)
    processor, model, token = result.stdout.split()
    assert (processor, model) == ("ImageTextProcessor", "Qwen2_5_VLForConditionalGeneration")
    here = AutoModelForImageTextToText.from_pretrained(policy, dtype=torch.float32)
    made = load_processor(policy)
    text = made.apply_chat_template(conversation(problem.prompt, 1), add_generation_prompt=True)
    inputs = made(images=[pictures(problem.images)], text=[text], return_tensors="pt")
    assert here(**inputs).logits[0, -1].argmax().item() == int(token)
    assert sees(policy)
    assert isinstance(AutoProcessor.from_pretrained(policy), ImageTextProcessor)


def test_image_inputs_are_those_of_the_processor_as_a_whole(tmp_path: Path) -> None:
    processor = load_processor(save_policy(tmp_path / "policy"))
    problems = pictured_problems(tmp_path, 6)
    texts = [processor.apply_chat_template(conversation(p.prompt, 1), add_generation_prompt=True) for p in problems]
    images = [pictures(p.images) for p in problems]
    whole = processor(images=images, text=texts, padding=True, return_tensors="pt")
    parts = image_inputs(processor, images, whole["input_ids"])
    assert parts.keys() == whole.keys() - {"input_ids", "attention_mask"}
    assert all(torch.equal(parts[name], whole[name]) for name in parts)
    counts = whole["image_grid_thw"].prod(1) // scratch_vision.MERGE**2
    assert torch.equal((whole["input_ids"] == processor.image_token_id).sum(1), counts)
    assert not image_inputs(processor, [[], []], whole["input_ids"][:2])


def test_every_word_of_the_task_is_a_token_of_its_own() -> None:
    tokenizer = scratch_vision.make_processor(SCRATCH["vision"], rendered.texts()).tokenizer
    for text in rendered.texts():
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.unk_token_id not in ids, text
        assert tokenizer.decode(ids) == text
    assert tokenizer.unk_token_id in tokenizer("a word that it never saw")["input_ids"]


def test_the_loss_counts_on_solutions_alone() -> None:
    processor = scratch_vision.make_processor(SCRATCH["vision"], rendered.texts())
    drawn = scratch_vision.Demonstrations(TASKS["visual"], TASK, {"demonstrations": 12, "error_rate": 0.5}, "seed")
    rows = [drawn[i] for i in range(12)]
    batch = scratch_vision.Collator(processor)(rows)
    for labels, row in zip(batch["labels"], rows, strict=True):
        assert processor.tokenizer.decode(labels[labels != -100]) == row["solution"] + "<eos>"
    results = {row["solution"].rpartition("{")[2] for row in rows}
    assert len(results) > 3


def test_the_warm_up_lowers_the_loss_and_is_a_function_of_its_seed(tmp_path: Path) -> None:
    warmup = {"demonstrations": 400, "error_rate": 0.0, "steps": 12, "batch_size": 16, "learning_rate": 3e-3}
    settings = {**SCRATCH, "initializer_range": 0.06, "warmup": warmup}
    made = [scratch_vision.warm_up_vision(settings, TASKS["visual"], TASK, tmp_path / str(i), "test") for i in range(2)]
    losses = [entry["loss"] for entry in made[0].state.log_history if "loss" in entry]
    assert losses[-1] < losses[0] - 0.5
    for name, value in made[0].model.state_dict().items():
        assert torch.equal(value, made[1].model.state_dict()[name]), name


def test_a_second_stage_goes_on_from_the_first_on_demonstrations_of_its_own(tmp_path: Path) -> None:
    first = {"demonstrations": 64, "error_rate": 0.0, "steps": 4, "batch_size": 16, "learning_rate": 3e-3}
    second = {**first, "error_rate": 0.5, "steps": 3, "learning_rate": 0.0}
    alone, both = (
        scratch_vision.warm_up_vision({**SCRATCH, "warmup": warmup}, TASKS["visual"], TASK, tmp_path / name, "test")
        for name, warmup in (("alone", first), ("both", {**first, "second_stage": second}))
    )
    assert [entry["step"] for entry in both.state.log_history if "loss" in entry] == [1, 2, 3, 4, 5, 6, 7]
    for name, value in alone.model.state_dict().items():  # at a learning rate of 0 it changes nothing
        assert torch.equal(value, both.model.state_dict()[name]), name
    of = [scratch_vision.Demonstrations(TASKS["visual"], TASK, first, seed).rows for seed in ("a", "a", "b")]
    drawn = [[(prompt, solution, picture().tobytes()) for prompt, solution, picture in rows] for rows in of]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_policy_that_sees_and_has_no_processor_is_named(tmp_path: Path) -> None:
    policy = save_policy(tmp_path / "policy")
    config = json.loads((policy / "processor_config.json").read_text())
    config["image_processor"] = {"image_processor_type": "NoSuchProcessor"}
    (policy / "processor_config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match=r"policy: its image processor cannot be loaded"):
        load_processor(policy)
