"""A prompt and its response are longer than the policy's window: said before training, with the row."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from datasets import Dataset, Image
from PIL import Image as Pillow
from transformers import AutoModelForCausalLM, AutoTokenizer

from relax import ReLaXConfig, ReLaXTrainer, config
from relax.errors import ConfigError
from relax.koopman import SPECTRA
from relax.latent.rollouts import Rollout, write_rollouts
from relax.tasks import noisy_sum
from relax.training import window
from relax.training.train_stage import _trainer
from relax.training.window import check_window, window_of
from tests.conftest import REPOSITORY
from tests.models.vision_fixture import pictured_problems, save_policy, vision_trainer
from tests.training.trainer_fixture import arguments, save_dictionary, shape

#: Positions of the tiny policy, one token a character.
WINDOW, RESPONSE = 64, 12


def made(policy: Path, folder: Path, prompts: Any, **further: Any) -> ReLaXTrainer:
    dataset = Dataset.from_dict({"prompt": prompts}) if isinstance(prompts, list) else prompts
    return ReLaXTrainer(
        AutoModelForCausalLM.from_pretrained(policy),
        shape,
        arguments(ReLaXConfig, folder, dictionary=save_dictionary(folder), max_completion_length=RESPONSE),
        dataset,
        processing_class=AutoTokenizer.from_pretrained(policy, padding_side="left"),
        **further,
    )


def test_the_row_is_named_and_the_last_that_fits_is_taken(tiny_policy: Path, tmp_path: Path) -> None:
    fits, longer = "1" * (WINDOW - RESPONSE), "1" * (WINDOW - RESPONSE + 1)
    made(tiny_policy, tmp_path, [fits, "1"])
    words = (
        r"row 2 of the training set: 53 prompt tokens and 12 of a response do not fit into the policy's window of 64"
    )
    with pytest.raises(ConfigError, match=words):
        made(tiny_policy, tmp_path, [fits, "1", longer, "1"])
    short = Dataset.from_dict({"prompt": ["1", "2"]})
    with pytest.raises(ConfigError, match="row 1 of the evaluation set"):
        made(tiny_policy, tmp_path, short, eval_dataset=Dataset.from_dict({"prompt": ["1", longer]}))
    sets = {"easy": short, "hard": Dataset.from_dict({"prompt": [longer]})}
    with pytest.raises(ConfigError, match="row 0 of the evaluation hard set"):
        made(tiny_policy, tmp_path, short, eval_dataset=sets)
    stream = Dataset.from_dict({"prompt": [longer]}).to_iterable_dataset()
    made(tiny_policy, tmp_path, stream)  # cannot be looked at


def test_the_chat_template_counts(tiny_policy: Path, tmp_path: Path) -> None:
    """As the trainer renders it: with its generation prompt and the options of ``chat_template_kwargs``."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_policy, padding_side="left")
    tokenizer.chat_template = (
        "{% for m in messages %}{{ '00' + m['content'] }}{% endfor %}{{ '9' * (extra or 0) }}"
        "{% if add_generation_prompt %}{{ '1111' }}{% endif %}"
    )
    room = WINDOW - RESPONSE - 6
    for extra, long, refused in ((0, room, False), (0, room + 1, True), (1, room, True)):
        args = arguments(
            ReLaXConfig,
            tmp_path,
            dictionary=save_dictionary(tmp_path),
            max_completion_length=RESPONSE,
            chat_template_kwargs={"extra": extra},
        )
        turns = [[{"role": "user", "content": "5"}], [{"role": "user", "content": "5" * long}]]
        model, data = AutoModelForCausalLM.from_pretrained(tiny_policy), Dataset.from_dict({"prompt": turns})
        if not refused:
            ReLaXTrainer(model, shape, args, data, processing_class=tokenizer)
            continue
        with pytest.raises(ConfigError, match=f"row 1 of the training set: {long + 6 + extra} prompt tokens"):
            ReLaXTrainer(model, shape, args, data, processing_class=tokenizer)


def test_only_prompts_that_could_be_too_long_are_tokenized() -> None:
    asked: list[str] = []

    def tokenize(prompts: list[str]) -> tuple[list[list[int]], None, None]:
        asked.extend(prompts)
        return [[0] * len(prompt) for prompt in prompts], None, None

    config = SimpleNamespace(get_text_config=lambda: SimpleNamespace(max_position_embeddings=100))
    rows = ["short"] * 2000
    rows[1500] = "ü" * 41  # 41 tokens, 82 bytes
    shuffled = Dataset.from_dict({"prompt": rows}).select(range(1999, -1, -1))
    check_window({"training": shuffled}, config, 59, tokenize, None)
    assert asked == ["short", rows[1500]]
    with pytest.raises(ConfigError, match="row 499 of the training set: 41 prompt tokens"):
        check_window({"training": shuffled}, config, 60, tokenize, None)


def test_a_transform_is_looked_through_at_all_rows() -> None:
    config = SimpleNamespace(get_text_config=lambda: SimpleNamespace(max_position_embeddings=100))
    grown = Dataset.from_dict({"prompt": ["a", "b", "c"]}).with_transform(
        lambda columns: {"prompt": [text * (90 if text == "b" else 1) for text in columns["prompt"]]}
    )
    with pytest.raises(ConfigError, match="row 1 of the training set: 90 prompt tokens"):
        check_window({"training": grown}, config, 20, lambda prompts: (prompts, None, None), None)


def test_the_train_verb_says_it_too(tiny_policy: Path, tmp_path: Path) -> None:
    short = {"training": {"max_response_length": WINDOW, "prompts_per_step": 2, "micro_batch": None}}
    settings = config.train_settings(
        config.check(config.merge(config.load([REPOSITORY / "config/config.yaml"]).recorded(), short)), "relax"
    )
    save_dictionary(tmp_path)
    write_rollouts(tmp_path / "probes.jsonl", [Rollout("a/0", "12", [3, 4], [5, 6, 1], "34")])
    (tmp_path / "initial_dsd.json").write_text(json.dumps({spectrum: {"q90": 0.05} for spectrum in SPECTRA}))
    problems = list(noisy_sum.problems(16, "train", 4, seed=0))
    with pytest.raises(ConfigError, match=r"row 0 of the training set: .* and 64 of a response.*max_response_length"):
        _trainer(settings, 1, problems, tiny_policy, tmp_path, tmp_path / "checkpoints")


def test_vllm_keeps_room_for_the_longest_prompt_and_its_response(
    tiny_policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the number TRL hands it none, and vLLM takes the policy's whole window."""
    asked = {"training": {"rollouts": "vllm-colocate", "max_response_length": 9}}
    settings = config.train_settings(
        config.check(config.merge(config.load([REPOSITORY / "config/config.yaml"]).recorded(), asked)), "relax"
    )
    save_dictionary(tmp_path)
    write_rollouts(tmp_path / "probes.jsonl", [Rollout("a/0", "12", [3, 4], [5, 6, 1], "34")])
    (tmp_path / "initial_dsd.json").write_text(json.dumps({spectrum: {"q90": 0.05} for spectrum in SPECTRA}))
    problems = [problem for digits in (3, 5) for problem in noisy_sum.problems(200, "train", digits, seed=0)]
    handed = []

    def trainer(args: ReLaXConfig, **_: Any) -> None:
        handed.append(args.vllm_max_model_length)
        raise ConfigError("that is all")

    monkeypatch.setattr("relax.training.train_stage.ReLaXTrainer", trainer)
    monkeypatch.setattr("relax.training.trl_arguments.find_spec", lambda name: name)
    with pytest.raises(ConfigError, match="that is all"):
        _trainer(settings, 1, problems, tiny_policy, tmp_path, tmp_path / "checkpoints")
    tokenizer = AutoTokenizer.from_pretrained(tiny_policy)
    assert handed == [9 + max(len(tokenizer(p.prompt)["input_ids"]) for p in problems)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ({}, None),
        ({"max_position_embeddings": None}, None),
        ({"max_position_embeddings": 100}, 100),
        ({"max_position_embeddings": 100, "rope_parameters": {"rope_type": "default", "rope_theta": 1e4}}, 100),
        ({"max_position_embeddings": 100, "rope_parameters": {"rope_type": "linear", "factor": 4.0}}, 400),
        (  # a configuration that has the factor in its positions already
            {
                "max_position_embeddings": 400,
                "rope_parameters": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 100},
            },
            400,
        ),
        (
            {
                "max_position_embeddings": 100,
                "rope_parameters": {
                    "full": {"rope_type": "linear", "factor": 2.0},
                    "sliding": {"rope_type": "default"},
                },
            },
            200,
        ),
    ],
)
def test_the_window_of_a_policy(text: dict, expected: int | None) -> None:
    assert window_of(SimpleNamespace(get_text_config=lambda: SimpleNamespace(**text))) == expected


def test_images_count_and_only_those_of_rows_near_the_limit_are_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = save_policy(tmp_path / "policy")
    problems = pictured_problems(tmp_path)
    opened: list[int] = []
    exact = window._prompts

    def spied(dataset: Dataset, rows: list[int]) -> Any:
        opened.extend(rows)
        return exact(dataset, rows)

    monkeypatch.setattr(window, "_prompts", spied)
    trainer = vision_trainer(policy, problems, tmp_path / "run", alpha=0.1)
    limit = trainer.model.config.get_text_config().max_position_embeddings
    lengths = [
        len(ids)
        for i in range(len(problems))
        for ids in trainer._tokenize_prompts([next(exact(trainer.train_dataset, [i]))[0]])[0]
    ]
    assert len(set(lengths)) > 1
    longest = max(range(len(lengths)), key=lengths.__getitem__)
    sets = {"training": trainer.train_dataset}
    rest = (trainer._tokenize_prompts, trainer.processing_class)
    check_window(sets, trainer.model.config, limit - lengths[longest], *rest)
    with pytest.raises(ConfigError, match=f"row {longest} of the training set: {lengths[longest]} prompt tokens"):
        check_window(sets, trainer.model.config, limit - lengths[longest] + 1, *rest)
    opened.clear()
    wide = SimpleNamespace(get_text_config=lambda: SimpleNamespace(max_position_embeddings=10**6))
    check_window(sets, wide, 12, *rest)
    assert opened == [0]
    own = Dataset.from_dict(
        {
            "prompt": [[{"role": "user", "content": "What is this?"}]] * 2,
            "images": [[], [Pillow.new("RGB", (56, 56))]],
        }
    )
    assert own.features["images"].feature == Image()
    counts = window._tokens(own, [0, 1], trainer._tokenize_prompts)
    assert counts[1] > counts[0]
    with pytest.raises(ConfigError, match=f"row 1 of the training set: {counts[1]} prompt tokens"):
        check_window({"training": own}, trainer.model.config, limit - counts[1] + 1, *rest)
