"""Images in the batch: no response meets another's image, gradients are exact, pixels are not kept."""

from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from torch import Tensor
from trl import GRPOConfig, GRPOTrainer

from relax import ReLaXTrainer
from relax.data.processor import VISION_TOKENS, forbidden_tokens, image_inputs, load_processor, pictures
from relax.data.prompt import conversation
from relax.errors import ConfigError
from relax.evaluation import generate_stage
from relax.evaluation.questions import Question
from relax.koopman import dsd
from relax.latent.rollouts import Rollout, read_rollouts, sample, write_rollouts
from relax.latent.states import response_states
from relax.models.policy import load_policy
from relax.training import objective
from relax.training.pictures import FOLLOWS, ROW, Pictures, forbid_image_tokens, numbered, training_set
from relax.training.probes import Probes
from tests.models.vision_fixture import PROMPT, pictured_problems, save_policy, vision_trainer
from tests.training.trainer_fixture import GROUP, Recorder, relative_error, weights


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_policy(tmp_path_factory.mktemp("seeing"))


@pytest.fixture(scope="module")
def problems(tmp_path_factory: pytest.TempPathFactory) -> list:
    return pictured_problems(tmp_path_factory.mktemp("problems"))


class Kept(Recorder):
    """A recorder that also keeps what TRL's batch held before the images were taken out."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.before: list[dict] = []
        drop = self.pictures.drop

        def spied(batch: dict, inputs: list) -> None:
            self.before.append({name: batch[name] for name in FOLLOWS})
            drop(batch, inputs)

        self.pictures.drop = spied


def micro_batches(made: ReLaXTrainer) -> list[dict]:
    loader = iter(made.get_train_dataloader())
    made.model.train()
    found = []
    for _ in range(made.args.steps_per_generation):
        found.append(made._prepare_inputs(next(loader)))
        made._step += 1
    return found


def by_row(values: Tensor, batch: dict[str, Any]) -> list[Tensor]:
    """TRL's patches, one tensor a row."""
    patches = batch["image_grid_thw"].prod(1).tolist()
    assert batch["num_images"] == [1] * len(patches)
    return list(values.split(patches))


def alone(made: ReLaXTrainer, problem: Any, response: list[int]) -> Tensor:
    """Log-probabilities of one response to one problem, with no batch, no padding and no code of the trainer's."""
    processor = made.processing_class
    text = processor.apply_chat_template(conversation(problem.prompt, 1, PROMPT), add_generation_prompt=True)
    inputs = processor(images=[pictures(problem.images)], text=[text], return_tensors="pt")
    whole = torch.cat([inputs["input_ids"], torch.tensor([response])], 1)
    kinds = torch.cat([inputs["mm_token_type_ids"], torch.zeros(1, len(response), dtype=torch.long)], 1)
    with torch.no_grad():
        logits = made.model(
            input_ids=whole, attention_mask=torch.ones_like(whole), pixel_values=inputs["pixel_values"],
            image_grid_thw=inputs["image_grid_thw"], mm_token_type_ids=kinds,
        ).logits[0, -len(response) - 1 : -1]  # fmt: skip
    return logits.log_softmax(-1).gather(1, torch.tensor(response)[:, None])[:, 0]


def test_what_a_micro_batch_gets_is_what_trl_had_for_its_rows(policy: Path, problems: list, tmp_path: Path) -> None:
    made = vision_trainer(
        policy, problems, tmp_path, Kept, alpha=0.1, per_device_train_batch_size=4, gradient_accumulation_steps=4
    )
    batches = micro_batches(made)
    (before,), (whole,) = made.before, made.batches
    originals = by_row(before["pixel_values"], before)
    place = {tuple(row.tolist()): i for i, row in enumerate(whole["completion_ids"])}
    assert len(place) == 16, "the responses must differ, or rows cannot be told apart"
    order = []
    for batch in batches:
        assert set(FOLLOWS).isdisjoint(batch)
        rebuilt = made.pictures.of(batch)
        for i, patches in enumerate(by_row(rebuilt["pixel_values"], rebuilt)):
            row = place[tuple(batch["completion_ids"][i].tolist())]
            order.append(row)
            assert torch.equal(patches, originals[row])
            assert torch.equal(rebuilt["image_grid_thw"][i], before["image_grid_thw"][row])
            assert torch.equal(rebuilt["mm_token_type_ids"][i], before["mm_token_type_ids"][row])
    assert sorted(order) == list(range(16))
    assert order != sorted(order), "TRL must have shuffled"
    assert len({len(patches) for patches in originals}) > 1, "the pictures must differ in size"


def test_every_response_is_scored_with_its_own_image(policy: Path, problems: list, tmp_path: Path) -> None:
    """Against one forward pass a response, and with crossed images to show that it would be seen."""
    alike = [p for p in problems if p.id.startswith("48")]  # pictures of one size: crossed ones fit everywhere
    for shown in (problems, alike):
        made = vision_trainer(
            policy, shown, tmp_path, alpha=0.1, per_device_train_batch_size=8, gradient_accumulation_steps=2
        )
        made.current_gradient_accumulation_steps = 2
        for batch in micro_batches(made):
            made._compute_loss(made.model_wrapped, batch)
            right = made._logps.detach().clone()
            for i, row in enumerate(batch[ROW].tolist()):
                response = batch["completion_ids"][i][batch["completion_mask"][i].bool()].tolist()
                expected = alone(made, shown[row], response)
                assert torch.allclose(right[i, : len(response)], expected, atol=1e-4)
    others = next(k for k in range(1, 8) if (batch[ROW].roll(k) != batch[ROW]).any())
    made._compute_loss(made.model_wrapped, {**batch, ROW: batch[ROW].roll(others)})
    assert (made._logps - right).abs().max() > 1e-2


def test_worked_examples_stand_before_the_pictures_in_training_analysis_and_evaluation(
    policy: Path, problems: list, tmp_path: Path
) -> None:
    kinds = sorted({p.subset for p in problems})
    shots = [{"problem": next(p.prompt for p in problems if p.subset == kind), "response": f"{n}+1={n + 1}",
              "subset": kind} for n, kind in enumerate(kinds)]  # fmt: skip
    asked = {**PROMPT, "shots": shots}
    made = vision_trainer(policy, problems, tmp_path, prompt=asked)
    model, processor = load_policy(policy)
    seen = set()
    for batch in micro_batches(made)[:2]:
        for i, row in enumerate(batch[ROW].tolist()):
            ids = batch["prompt_ids"][i][batch["prompt_mask"][i].bool()].tolist()
            (rollout,) = sample(model, processor, [problems[row]], 1, 1, 1.0, 0, "test", prompt=asked)
            assert ids == rollout.prompt_ids
            (plain,) = sample(model, processor, [problems[row]], 1, 1, 1.0, 0, "test", prompt=PROMPT)
            assert ids[-len(plain.prompt_ids) :] == plain.prompt_ids
            kind = problems[row].subset
            question = Question("q", problems[row].prompt, ("1",), "q", kind, images=problems[row].images)
            text = generate_stage._prompt(processor, question, asked)
            assert [shot["subset"] for shot in shots if shot["response"] in text] == [kind]
            inputs = processor(images=[pictures(problems[row].images)], text=[text], return_tensors="pt")
            assert ids == inputs["input_ids"][0].tolist()
            seen.add(kind)
    assert len(seen) > 1


@pytest.mark.parametrize(("micro", "accumulation"), [(2, 8), (4, 4), (8, 2), (16, 1)])
def test_the_accumulated_gradient_is_that_of_the_whole_batch(
    policy: Path, problems: list, tmp_path: Path, micro: int, accumulation: int
) -> None:
    gradients = []
    for alpha in (0.0, 2.0):
        made = vision_trainer(
            policy, problems, tmp_path, Kept, dtype=torch.float64, alpha=alpha, kl_mode="none", beta=0.0, ridge=1e-2,
            per_device_train_batch_size=micro, gradient_accumulation_steps=accumulation,
        )  # fmt: skip
        torch.manual_seed(11)
        gradients.append(made.gradient())
    term = {name: gradients[1][name] - gradients[0][name] for name in gradients[1]}
    (batch,), (before,) = made.batches, made.before
    made.model.zero_grad()
    mask, length = batch["completion_mask"], batch["completion_ids"].shape[1]
    states = made.model(
        input_ids=torch.cat([batch["prompt_ids"], batch["completion_ids"]], 1),
        attention_mask=torch.cat([batch["prompt_mask"], mask], 1),
        output_hidden_states=True,
        **{name: before[name] for name in FOLLOWS if name != "num_images"},
    ).hidden_states[-1][:, -length:]
    values = dsd(states, made.exploration.weight, mask, made.args.spectrum, made.args.ridge)
    factor = objective.exploration_factor(batch["advantages"].double(), values.detach(), True, None)
    (2.0 * objective.exploration_loss(values, factor, GROUP)).backward()
    expected = {n: p.grad for n, p in made.model.named_parameters() if p.grad is not None}
    seen = [name for name in expected if ".visual." in name and expected[name].abs().max() > 0]
    assert seen, "the term must reach the vision tower"
    assert relative_error(term, {n: expected[n] for n in term if n in expected}) < 1e-5


def test_without_its_terms_it_is_trl_bit_for_bit(policy: Path, problems: list, tmp_path: Path) -> None:
    runs = []
    forbidden = forbidden_tokens(load_processor(policy))
    for kind, options in ((GRPOTrainer, {}), (ReLaXTrainer, {"alpha": 0.0, "kl_mode": "none", "length_order": False})):
        made = vision_trainer(
            policy,
            problems,
            tmp_path / kind.__name__,
            kind,
            beta=0.0,
            steps_per_generation=2,
            generation_kwargs={"suppress_tokens": forbidden},
            **options,
        )
        made.train()
        history = [(e["loss"], e["grad_norm"], e.get("reward")) for e in made.state.log_history if "loss" in e]
        runs.append((weights(made.model), history))
    assert runs[0][1] == runs[1][1]
    assert len(runs[0][1]) == 3
    assert all(torch.equal(value, runs[1][0][name]) for name, value in runs[0][0].items())


def test_tokens_of_images_are_never_sampled(policy: Path, problems: list, tmp_path: Path) -> None:
    model, processor = load_policy(policy)
    forbidden = forbidden_tokens(processor)
    assert {processor.tokenizer.decode([token]) for token in forbidden} == set(VISION_TOKENS) - {"<|vision_pad|>"}
    made = vision_trainer(policy, problems, tmp_path, alpha=0.1)
    for one in (model, made.model):
        with torch.no_grad():  # a policy that would write nothing else
            one.lm_head.weight[forbidden] *= 1e4
            one.lm_head.weight[forbidden] += 1e4 * torch.randn_like(one.lm_head.weight[forbidden])
    rollouts = sample(model, processor, problems[:6], 4, 8, 1.0, 0, "test", prompt=PROMPT)
    assert not {token for r in rollouts for token in r.response_ids} & set(forbidden)
    (batch,) = micro_batches(made)
    assert not set(batch["completion_ids"].flatten().tolist()) & set(forbidden)
    args = GRPOConfig(output_dir=str(tmp_path), use_cpu=True, bf16=False)
    args.use_vllm = True
    forbid_image_tokens(args, processor)
    assert args.generation_kwargs == {"logit_bias": {str(token): -100.0 for token in forbidden}}


@pytest.mark.parametrize("options", [{"steps_per_generation": 2}, {"dynamic_sampling": True}], ids=["buffer", "drawn"])
def test_a_checkpoint_holds_no_image_and_goes_on_the_same(
    policy: Path, problems: list, tmp_path: Path, options: dict
) -> None:
    full = {"alpha": 0.1, "beta": 0.01, "xi": 0.05, "max_steps": 4, "save_strategy": "steps", "save_steps": 1}
    straight = vision_trainer(policy, problems, tmp_path / "run", **full, **options)
    straight.train()
    place = tmp_path / "run" / "checkpoint-1"
    buffer = torch.load(place / "rollouts_0.pt", weights_only=True)["buffer"]
    for batch in buffer or []:
        assert ROW in batch
        assert set(FOLLOWS).isdisjoint(batch)
    resumed = vision_trainer(policy, problems, tmp_path / "run", **full, **options)
    resumed.train(resume_from_checkpoint=str(place))
    expected = weights(straight.model)
    assert all(torch.equal(value, expected[name]) for name, value in weights(resumed.model).items())


def test_the_states_of_fixed_responses_are_those_of_one_pass_each(policy: Path, problems: list, tmp_path: Path) -> None:
    model, processor = load_policy(policy)
    rollouts = sample(model, processor, problems[::3], 2, 8, 1.0, 0, "test", prompt=PROMPT)
    write_rollouts(tmp_path / "latent" / "probes.jsonl", rollouts)
    assert str(Path(problems[0].images[0]).parent.parent) not in (tmp_path / "latent" / "probes.jsonl").read_text()
    again = read_rollouts(tmp_path / "latent" / "probes.jsonl")
    assert [Path(r.images[0]).resolve() for r in again] == [Path(r.images[0]).resolve() for r in rollouts]
    made = vision_trainer(policy, problems, tmp_path, alpha=0.1)
    batches = {
        "latent": list(response_states(model, again, processor, batch=5)),
        "training": list(Probes(again, made).states()),
    }
    for name, found in batches.items():
        rows = [hidden[i, : int(m.sum())] for hidden, mask in found for i, m in enumerate(mask)]
        assert len(rows) == len(again)
        for rollout, states in zip(again, rows, strict=True):
            assert torch.allclose(states, _states_alone(model, processor, rollout), atol=1e-4), name


def _states_alone(model: Any, processor: Any, rollout: Rollout) -> Tensor:
    whole = torch.tensor([rollout.prompt_ids + rollout.response_ids])
    with torch.no_grad():
        inputs = image_inputs(processor, [pictures(rollout.images)], whole)
        return model.model(input_ids=whole, **inputs).last_hidden_state[0, -len(rollout.response_ids) :]


def test_a_text_policy_and_a_plain_prompt_are_told_about_images(
    policy: Path, problems: list, tiny_policy: Path
) -> None:
    with pytest.raises(ConfigError, match=r"problems with images need prompt\.chat_template: true"):
        training_set(problems, load_processor(policy), {**PROMPT, "chat_template": False})
    model, tokenizer = load_policy(tiny_policy)
    with pytest.raises(Exception, match="has images, and the policy is a model of text"):
        sample(model, tokenizer, problems[:1], 1, 4, 1.0, 0, "test", prompt=PROMPT)


def test_an_own_data_set_is_numbered_and_a_text_one_left_alone(policy: Path, problems: list) -> None:
    processor = load_processor(policy)
    images = [pictures(p.images)[0] for p in problems[:3]]
    own = numbered(Dataset.from_dict({"prompt": ["a", "b", "c"], "image": images}), processor)
    assert own[ROW] == [0, 1, 2] if isinstance(own[ROW], list) else list(own[ROW]) == [0, 1, 2]
    text = Dataset.from_dict({"prompt": ["a"]})
    assert numbered(text, processor) is text
    assert numbered(own.remove_columns(ROW), processor.tokenizer).column_names == ["prompt", "image"]
    assert Pictures(own, processor).of({"prompt_ids": torch.zeros(1, 2), "advantages": torch.zeros(1)}) == {}
