"""The loop for ``generate`` against transformers' own: the same tokens, less work."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy.stats import chisquare
from transformers import (
    GenerationConfig,
    Lfm2Config,
    Lfm2ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    StoppingCriteria,
    StoppingCriteriaList,
    T5Config,
    T5ForConditionalGeneration,
)

from relax.models.decoding import LEAVE_AT, decode, loop_for
from relax.models.policy import load_policy
from tests.models.vision_fixture import save_policy

PAD, END, WORDS = 0, 1, 40
SIZES: dict[str, Any] = {
    "vocab_size": WORDS, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 64, "max_position_embeddings": 128, "initializer_range": 0.2, "bos_token_id": None,
    "eos_token_id": END, "pad_token_id": PAD,
}  # fmt: skip


def llama(seed: int = 0, **changed: Any) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    return LlamaForCausalLM(LlamaConfig(**SIZES | changed)).eval()


def qwen() -> Qwen2ForCausalLM:
    torch.manual_seed(0)
    return Qwen2ForCausalLM(Qwen2Config(**SIZES)).eval()


def mistral() -> MistralForCausalLM:
    """Its cache holds the last tokens only."""
    torch.manual_seed(0)
    return MistralForCausalLM(MistralConfig(**SIZES, sliding_window=8)).eval()


def lfm() -> Lfm2ForCausalLM:
    """Its cache holds states of convolutions too, which a choice of rows would leave as they are."""
    torch.manual_seed(0)
    return Lfm2ForCausalLM(Lfm2Config(**SIZES, layer_types=["conv", "full_attention"], conv_L_cache=3)).eval()


def prompts(groups: int = 3, each: int = 4) -> dict[str, torch.Tensor]:
    """Each of several prompts of different length several times, padded on the left."""
    width = 1 + 2 * groups
    ids = torch.full((groups, width), PAD)
    for number, row in enumerate(ids):
        length = 3 + 2 * number
        row[-length:] = torch.randint(2, WORDS, (length,), generator=torch.Generator().manual_seed(number))
    ids = ids.repeat_interleave(each, dim=0)
    return {"input_ids": ids, "attention_mask": (ids != PAD).long()}


def written(
    model: Any, asked: dict[str, Any], loop: Callable[..., torch.Tensor] | None, seed: int = 3
) -> tuple[torch.Tensor, float, int]:
    """Tokens, the next random number, and how many tokens went through the model."""
    read = 0

    def count(_: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        nonlocal read
        read += inputs[0].numel()

    hook = model.get_input_embeddings().register_forward_pre_hook(count)
    torch.manual_seed(seed)
    tokens = model.generate(**asked, custom_generate=loop)
    hook.remove()
    return tokens, torch.rand(1).item(), read


@pytest.mark.parametrize("make", [llama, qwen, mistral])
@pytest.mark.parametrize(
    "how",
    [
        {"do_sample": False},
        {"do_sample": True},
        {"do_sample": True, "top_k": 5, "temperature": 0.7},
        {"do_sample": True, "top_p": 0.8, "repetition_penalty": 1.3},
        {"do_sample": False, "repetition_penalty": 1.3, "suppress_tokens": [5, 7]},
    ],
    ids=lambda how: "-".join(how),
)
def test_the_tokens_are_those_of_transformers_own_loop_and_less_is_read(make: Callable[[], Any], how: Any) -> None:
    model, asked = make(), {**prompts(), "max_new_tokens": 60, **how}
    loop = loop_for(model, asked)
    assert loop is decode
    theirs, their_next, all_read = written(model, asked, None)
    ours, our_next, read = written(model, asked, loop)
    assert torch.equal(ours, theirs)
    assert our_next == their_next
    width = asked["input_ids"].shape[1]
    assert all_read == 12 * (theirs.shape[1] - 1)
    assert read <= all_read - 9 * width  # a prompt once for its four responses


def test_rows_that_have_ended_are_read_no_more() -> None:
    model, asked = llama(), {**prompts(), "max_new_tokens": 60, "do_sample": True, "top_p": 0.8}
    theirs, _, _ = written(model, asked, None)
    _, _, read = written(model, asked, decode)
    responses = theirs[:, asked["input_ids"].shape[1] :]
    ended = (responses == END).int().cumsum(dim=1).clamp(max=1)
    open_rows = int((1 - ended[:, -1]).sum())
    needed = int((1 - ended).sum()) - open_rows  # a token for each but the last, which nothing follows
    assert 0 < open_rows < 6
    assert needed <= read - 3 * asked["input_ids"].shape[1] <= needed / LEAVE_AT


def test_sizes_of_real_vocabularies_give_the_same_random_numbers() -> None:
    model, asked = llama(vocab_size=30000), {**prompts(2), "max_new_tokens": 8, "do_sample": True}
    assert torch.equal(written(model, asked, decode)[0], written(model, asked, None)[0])


def test_criteria_see_the_batch_as_transformers_shows_it() -> None:
    class Seen(StoppingCriteria):
        def __init__(self) -> None:
            self.seen: list[list[list[int]]] = []

        def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
            self.seen.append(input_ids.tolist())
            return torch.tensor([len(self.seen) > 9 * row for row in range(len(input_ids))]) & (len(self.seen) > 2)

    model, shown = llama(), []
    for loop in (None, decode):
        criterion = Seen()
        asked = {**prompts(), "max_new_tokens": 60, "do_sample": True, "stopping_criteria": [criterion]}
        written(model, asked | {"stopping_criteria": StoppingCriteriaList([criterion])}, loop)
        shown.append(criterion.seen)
    assert shown[0] == shown[1]
    assert len(shown[0]) > 9


def test_a_policy_without_an_end_and_one_whose_cache_cannot_be_chosen_from_keep_their_rows() -> None:
    for model, more in ((llama(eos_token_id=None), {}), (lfm(), {"repetition_penalty": 1.3})):
        asked = {**prompts(), "max_new_tokens": 30, "do_sample": True, **more}
        assert loop_for(model, asked) is decode
        theirs, _, all_read = written(model, asked, None)
        ours, _, read = written(model, asked, decode)
        assert torch.equal(ours, theirs)
        assert read == all_read or model.config.eos_token_id is None


def test_bfloat16_weights_and_a_seed_that_repeats_itself() -> None:
    model = llama().to(torch.bfloat16)
    asked = {**prompts(), "max_new_tokens": 40, "do_sample": True}
    first, again, other = (written(model, asked, decode, seed)[0] for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first[:, :40], other[:, :40])
    assert not first.requires_grad


def test_probabilities_that_are_none_are_refused_in_torchs_words() -> None:
    model = llama()
    model.lm_head.weight.data[3] = float("nan")
    with pytest.raises(RuntimeError, match="probability tensor"):
        model.generate(**prompts(), max_new_tokens=4, do_sample=True, custom_generate=decode)


def test_two_tokens_have_the_distribution_of_the_policy() -> None:
    """Many equal prompts: of the pairs that begin with no end, and of the responses that end at once."""
    model, count = llama(3, vocab_size=6, initializer_range=0.5), 20000
    prompt = torch.tensor([[2, 3, 4]])
    asked = {"input_ids": prompt.repeat(count, 1), "max_new_tokens": 2, "do_sample": True}
    asked["attention_mask"] = torch.ones_like(asked["input_ids"])
    tokens, _, read = written(model, asked, decode)
    with torch.no_grad():
        first = model(prompt).logits[0, -1].softmax(-1)
        second = torch.stack([model(torch.cat([prompt, torch.tensor([[t]])], 1)).logits[0, -1] for t in range(6)])
    expected = first[:, None] * second.softmax(-1)
    expected[END] = 0
    expected[END, PAD] = first[END]
    pairs = torch.zeros(6, 6)
    pairs.index_put_((tokens[:, 3], tokens[:, 4]), torch.ones(count), accumulate=True)
    assert pairs[expected == 0].sum() == 0
    often = count * expected >= 5
    seen = torch.cat([pairs[often], pairs[~often].sum()[None]]).double()
    meant = count * torch.cat([expected[often], expected[~often].sum()[None]]).double()
    assert len(seen) > 15
    assert chisquare(seen, meant * count / meant.sum()).pvalue > 0.01
    assert read == 3 + int((tokens[:, 3] != END).sum())  # those that ended at once have left


@pytest.mark.parametrize(
    "asked",
    [
        {"num_beams": 2},
        {"penalty_alpha": 0.6, "top_k": 4},
        {"prompt_lookup_num_tokens": 2},
        {"cache_implementation": "static"},
        {"prefill_chunk_size": 4},
        {"return_dict_in_generate": True, "output_scores": True},
        {"use_cache": False},
        {"guidance_scale": 1.5},
        {"generation_config": GenerationConfig(num_beams=2)},
        {"synced_gpus": True},
        {"streamer": None},
        {"pixel_values": torch.zeros(1)},
        {"inputs_embeds": torch.zeros(1)},
        {"prefix_allowed_tokens_fn": len},
    ],
    ids=lambda asked: "-".join(asked),
)
def test_what_needs_another_loop_is_left_to_transformers(asked: dict[str, Any]) -> None:
    model = llama()
    assert loop_for(model, prompts()) is decode
    assert loop_for(model, {**prompts(), **asked}) is None


def test_what_the_checkpoint_asks_for_counts_and_what_is_given_comes_first() -> None:
    model = llama()
    model.generation_config.num_beams = 3
    assert loop_for(model, prompts()) is None
    assert loop_for(model, {**prompts(), "num_beams": 1}) is decode
    assert loop_for(model, {**prompts(), "generation_config": GenerationConfig(num_beams=1)}) is decode


def test_models_that_encode_and_models_that_see_are_left_to_transformers(tmp_path: Path) -> None:
    encoder = T5ForConditionalGeneration(
        T5Config(vocab_size=WORDS, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, decoder_start_token_id=PAD)
    )
    assert loop_for(encoder, prompts()) is None
    assert loop_for(load_policy(save_policy(tmp_path))[0], prompts()) is None
