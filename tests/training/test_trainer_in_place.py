"""In place of GRPOTrainer: what TRL's arguments mean, they mean here; what would train nothing is refused."""

import functools
import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
import trl
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers import models as tokenizer_models
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForSequenceClassification,
    Qwen3Config,
    Qwen3ForCausalLM,
    TrainerCallback,
)
from trl import GRPOConfig, GRPOTrainer

from relax import ReLaXConfig, ReLaXTrainer
from relax.errors import ConfigError, NumericsError
from tests.training.trainer_fixture import arguments, save_dictionary, shape, trainer, weights

LORA = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], lora_dropout=0.1)
PROMPTS = Dataset.from_dict({"prompt": ["1+2=", "3+4="] * 8})


def test_it_takes_what_trl_takes_in_its_order(tiny_policy: Path, tmp_path: Path) -> None:
    theirs = list(inspect.signature(GRPOTrainer.__init__).parameters.values())
    ours = list(inspect.signature(ReLaXTrainer.__init__).parameters.values())[: 1 + 6]
    assert [p.name for p in ours] == [p.name for p in theirs[: len(ours)]]
    assert [p.default for p in ours] == [p.default for p in theirs[: len(ours)]]

    class Called(TrainerCallback):
        pass

    tokenizer = AutoTokenizer.from_pretrained(tiny_policy)
    args = arguments(ReLaXConfig, tmp_path)
    made = ReLaXTrainer(str(tiny_policy), [shape], args, PROMPTS, PROMPTS, tokenizer, None, [Called])
    assert made.eval_dataset is PROMPTS
    assert any(isinstance(callback, Called) for callback in made.callback_handler.callbacks)


def test_without_args_the_defaults_count(tiny_policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # TRL's default of bfloat16 is refused on a machine without a GPU, by transformers.
    monkeypatch.setattr("transformers.training_args.is_torch_bf16_gpu_available", lambda: True)
    model = AutoModelForCausalLM.from_pretrained(tiny_policy, max_position_embeddings=1024)
    theirs = GRPOTrainer(model, shape, train_dataset=PROMPTS)
    ours = ReLaXTrainer(model, shape, train_dataset=PROMPTS)
    assert isinstance(ours.args, ReLaXConfig)
    assert ours.args.output_dir == theirs.args.output_dir == f"{tiny_policy.name}-GRPO"
    assert (ours.args.alpha, ours.args.kl_term) == (0.1, "trl")
    with pytest.raises(ConfigError, match=r"args is a GRPOConfig, .*; give ReLaXConfig\(\.\.\.\)"):
        ReLaXTrainer(model, shape, GRPOConfig(output_dir="run"), PROMPTS)


def test_an_environment_may_bring_the_reward_and_the_prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tokenizer of bytes with a chat template that knows tools."""
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    vocabulary = {token: i for i, token in enumerate([*special, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    tokenizer = Tokenizer(tokenizer_models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    processing = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=special[0], eos_token=special[2], extra_special_tokens=special[1:2]
    )
    template = Path(trl.__file__).parent / "chat_templates" / "qwen3.jinja"
    processing.chat_template = template.read_text(encoding="utf-8")
    config = Qwen3Config(
        vocab_size=len(processing), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, head_dim=8,
        num_key_value_heads=1, intermediate_size=32, eos_token_id=2, pad_token_id=0, max_position_embeddings=64,
    )  # fmt: skip
    model = Qwen3ForCausalLM(config)

    class Counter:
        def reset(self, **_: Any) -> str:
            return "Count."

        def get_reward(self) -> float:
            Counter.given += 1
            return Counter.given % 3 / 3

        def add(self, a: int) -> int:
            """
            Adds to the count.

            Args:
                a: What is added.
            """
            return a

    Counter.given = 0
    before = weights(model)
    # The window is too short for the prompt with its tools, which only the environment knows.
    made = ReLaXTrainer(
        model,
        args=arguments(ReLaXConfig, tmp_path, max_steps=1, koopman_dim=4, learning_rate=0.1),
        processing_class=processing,
        environment_factory=Counter,
    )
    made.train()
    assert Counter.given == 8
    assert any(not torch.equal(value, before[name]) for name, value in weights(made.model).items())


@pytest.mark.parametrize(
    "common",
    [
        {},
        {"sync_ref_model": True, "ref_model_sync_steps": 2},
        {"num_iterations": 2, "loss_type": "grpo"},
        {"peft_config": LORA},
        pytest.param({"num_iterations": 2, "use_bias_correction_kl": False}, marks=pytest.mark.long),
        pytest.param({"peft_config": LORA, "beta": 0.0}, marks=pytest.mark.long),
    ],
    ids=["plain", "reference in step", "bias corrected", "dropout", "not corrected", "dropout without beta"],
)
def test_beta_alone_is_trls_kl_bit_for_bit(tiny_policy: Path, tmp_path: Path, common: dict) -> None:
    runs = []
    for kind, options in ((GRPOTrainer, {}), (ReLaXTrainer, {"alpha": 0.0, "koopman_dim": 6, "length_order": False})):
        full = {"beta": 0.1, "max_steps": 3, **common, **options}
        made = trainer(tiny_policy, tmp_path / kind.__name__, kind, **full)
        made.train()
        history = [entry for entry in made.state.log_history if "loss" in entry]
        runs.append(
            (weights(made.model), [(e["loss"], e["grad_norm"], e.get("kl"), e["reward"]) for e in history[::2]])
        )
    assert runs[0][1] == runs[1][1]
    assert (runs[0][1][-1][2] is None) == (common.get("beta") == 0.0)
    assert all(torch.equal(value, runs[1][0][name]) for name, value in runs[0][0].items())


@pytest.mark.parametrize(
    ("options", "term", "own"),
    [
        ({"beta": 0.1}, "trl", False),
        ({"beta": 0.1, "xi": 1.0}, "adaptive", True),
        ({"beta": 0.1, "kl_mode": "uniform"}, "uniform", True),
        ({"beta": 0.1, "xi": "q90", "kl_mode": "uniform"}, "uniform", True),
        ({"kl_mode": "none"}, "none", False),
        ({"xi": 1.0}, "adaptive", False),
    ],
)
def test_who_sets_xi_gets_the_adaptive_kl(tmp_path: Path, options: dict, term: str, own: bool) -> None:
    args = arguments(ReLaXConfig, tmp_path, **options)
    assert (args.kl_term, args.own_kl) == (term, own)


def test_alpha_beside_trls_kl_adds_the_same_gradient_as_without_it(tiny_policy: Path, tmp_path: Path) -> None:
    gradients = {}
    for beta in (0.0, 0.5):
        for alpha in (0.0, 2.0):
            made = trainer(
                tiny_policy, tmp_path, alpha=alpha, beta=beta, dictionary=save_dictionary(tmp_path), dtype=torch.float64
            )
            made.model.train()
            made.current_gradient_accumulation_steps = 1
            torch.manual_seed(11)
            inputs = made._prepare_inputs(next(iter(made.get_train_dataloader())))
            made._compute_loss(made.model_wrapped, inputs).backward()
            gradients[alpha, beta] = made.model.model.layers[0].mlp.up_proj.weight.grad
    term = [gradients[2.0, beta] - gradients[0.0, beta] for beta in (0.0, 0.5)]
    assert term[0].abs().max() > 0
    assert torch.allclose(term[0], term[1], atol=1e-6 * term[0].abs().max().item())


async def awaited(completions: list[str], value: float, **_: Any) -> list[float | None]:
    return [0.5, None, value, *[0.0] * (len(completions) - 3)]


def plain(completions: list[str], value: float, **_: Any) -> list[float | None]:
    return [0.5, None, value, *[0.0] * (len(completions) - 3)]


class Judge:
    async def __call__(self, completions: list[str], **options: Any) -> list[float | None]:
        return await awaited(completions, float("nan"))


@pytest.mark.parametrize(
    ("reward", "words"),
    [
        (functools.partial(awaited, value=float("nan")), "the reward awaited is NaN for completion 2 of 8"),
        (functools.partial(awaited, value=float("-inf")), "the reward awaited is -inf for completion 2 of 8"),
        (Judge(), "the reward Judge is NaN for completion 2 of 8"),
        (functools.partial(Judge()), "the reward Judge is NaN for completion 2 of 8"),
        (functools.partial(plain, value=float("inf")), "the reward plain is inf for completion 2 of 8"),
        (functools.partial(plain, value=-1e39), r"the reward plain is -1e\+39 for completion 2 of 8"),
        (functools.partial(plain, value=torch.tensor(torch.nan)), "the reward plain is NaN for completion 2 of 8"),
    ],
)
def test_a_reward_that_is_no_number_is_refused(tiny_policy: Path, tmp_path: Path, reward: Any, words: str) -> None:
    made = trainer(tiny_policy, tmp_path, reward=reward, dictionary=save_dictionary(tmp_path))
    before = weights(made.model)
    with pytest.raises(NumericsError, match=words):
        made.train()
    assert all(torch.equal(value, before[name]) for name, value in weights(made.model).items())


def test_awaited_rewards_and_generators_train_as_lists_do(tiny_policy: Path, tmp_path: Path) -> None:
    async def later(completions: list[str], **_: Any) -> list[float]:
        return shape([], completions)

    ends = []

    def scalars(completions: list[str], **_: Any) -> list[torch.Tensor]:
        found = map(torch.tensor, shape([], completions))
        return [value.bool() if value in (0, 1) else value for value in found]

    for reward in (shape, later, lambda completions, **_: (value for value in shape([], completions)), scalars):
        made = trainer(tiny_policy, tmp_path, reward=reward, dictionary=save_dictionary(tmp_path), max_steps=1)
        made.train()
        ends.append(weights(made.model))
    assert all(torch.equal(value, end[name]) for end in ends[1:] for name, value in ends[0].items())


def test_rewards_whose_weighted_sum_is_no_number_are_refused(tiny_policy: Path, tmp_path: Path) -> None:
    made = ReLaXTrainer(
        str(tiny_policy),
        [shape, functools.partial(plain, value=3.0)],
        arguments(ReLaXConfig, tmp_path, dictionary=save_dictionary(tmp_path), reward_weights=[1.0, 1e39]),
        PROMPTS,
        processing_class=AutoTokenizer.from_pretrained(tiny_policy),
    )
    with pytest.raises(NumericsError, match=r"the reward of all functions, weighted, is (inf|NaN) for completion"):
        made.train()


def test_a_reward_model_that_gives_no_number_is_refused(tiny_policy: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_policy)
    judge = Qwen2ForSequenceClassification(
        Qwen2Config.from_pretrained(tiny_policy, num_labels=1, vocab_size=len(tokenizer))
    )
    judge.config._name_or_path = "models/judge"
    judge.score.weight.data.fill_(torch.nan)
    made = ReLaXTrainer(
        str(tiny_policy), judge, arguments(ReLaXConfig, tmp_path, dictionary=save_dictionary(tmp_path)), PROMPTS,
        processing_class=tokenizer, reward_processing_classes=tokenizer,
    )  # fmt: skip
    with pytest.raises(NumericsError, match="the reward judge is NaN for completion 0 of 8"):
        made.train()


@pytest.mark.parametrize("beta", [0.0, 0.1])
def test_a_policy_of_which_nothing_is_trained_is_refused(tiny_policy: Path, tmp_path: Path, beta: float) -> None:
    base = AutoModelForCausalLM.from_pretrained(tiny_policy)
    get_peft_model(base, LORA).save_pretrained(tmp_path / "adapter")
    tokenizer, args = AutoTokenizer.from_pretrained(tiny_policy), arguments(ReLaXConfig, tmp_path, beta=beta)
    loaded = {
        trainable: PeftModel.from_pretrained(
            AutoModelForCausalLM.from_pretrained(tiny_policy), tmp_path / "adapter", is_trainable=trainable
        )
        for trainable in (False, True)
    }
    with pytest.raises(ConfigError, match=r"no parameter of the policy requires a gradient.*is_trainable=True"):
        ReLaXTrainer(loaded[False], shape, args, PROMPTS, processing_class=tokenizer)
    ReLaXTrainer(loaded[True], shape, args, PROMPTS, processing_class=tokenizer)
    frozen = AutoModelForCausalLM.from_pretrained(tiny_policy).requires_grad_(False)
    with pytest.raises(ConfigError, match="no parameter of the policy requires a gradient"):
        ReLaXTrainer(frozen, shape, args, PROMPTS, processing_class=tokenizer)


@pytest.mark.parametrize(("reduction", "scale"), [("group", 2), ("mean", 1), ("sum", 4)])
def test_an_evaluation_is_scaled_with_its_own_group(
    tiny_policy: Path, tmp_path: Path, reduction: str, scale: int
) -> None:
    """With a uniform KL the penalty is the mean KL times what the reduction asks for."""
    made = trainer(
        tiny_policy, tmp_path, beta=0.1, kl_mode="uniform", kl_reduction=reduction, num_generations_eval=2,
        per_device_eval_batch_size=4, dictionary=save_dictionary(tmp_path), alpha=0.1,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():  # away from the reference
        for parameter in made.model.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
    found = made.evaluate(PROMPTS.select(range(2)))
    assert found["eval_kl"] > 0
    assert found["eval_relax/kl"] / found["eval_kl"] == pytest.approx(scale)
    assert 0 < found["eval_relax/weight_min"] <= 1 <= found["eval_relax/weight_max"] < 2
