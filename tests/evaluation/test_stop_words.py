"""Stop words by row: lm-eval's own run answers the same, and its own cut is not changed by what would have followed."""

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import postprocess_generated_text

from relax.evaluation.backends import HuggingFace
from relax.evaluation.response import instances
from relax.evaluation.stop_words import EVERY, StopWords
from relax.models.policy import load_policy
from relax.models.scratch import make_tokenizer
from relax.tasks.noisy_sum import problems

GREEDY: dict[str, Any] = {"do_sample": False, "temperature": 0.0, "top_p": 1.0, "top_k": 0, "max_gen_toks": 48}
SAMPLED = {**GREEDY, "do_sample": True, "temperature": 1.0}


def read(model: Any) -> list[int]:
    """Tokens that each forward pass reads, from now on."""
    seen: list[int] = []
    model.get_input_embeddings().register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].numel()))
    return seen


@pytest.mark.parametrize("kwargs", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
@pytest.mark.parametrize("until", [[], ["1"], ["7", "2+", ":1"]], ids=["none", "one", "several"])
def test_answers_are_those_of_lm_evals_own_run(tiny_policy: Path, kwargs: dict[str, Any], until: list[str]) -> None:
    prompts = [problem.prompt for problem in problems(6, "test", 4, seed=0) for _ in range(4)]
    model, tokenizer = load_policy(tiny_policy)
    theirs = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=24)
    torch.manual_seed(5)
    seen = read(model)
    expected = theirs.generate_until(instances(prompts, [{**kwargs, "until": [*until]}] * 24), disable_tqdm=True)
    ours = HuggingFace(tiny_policy, 24)
    less = read(ours.model)
    answers = ours.answer(prompts, {**kwargs, "until": [*until]}, [0] * 24, 5)
    assert [answer.text for answer in answers] == expected
    assert sum(less) < (0.75 if until else 1) * sum(seen)


def test_a_row_ends_where_nothing_can_change_the_cut_any_more() -> None:
    tokenizer, rng = make_tokenizer("ab"), random.Random(0)
    ended_before = 0
    for _ in range(400):
        words = ["".join(rng.choices("ab", k=rng.randint(1, 4))) for _ in range(rng.randint(1, 3))]
        texts = ["".join(rng.choices("ab", weights=(rng.random(), 1), k=8 * EVERY)) for _ in range(4)]
        ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts])
        criterion = StopWords(tokenizer, words, 0)
        ended: dict[int, int] = {}
        for length in range(1, ids.shape[1] + 1):
            for row in criterion(ids[:, :length], None).nonzero().flatten().tolist():
                ended.setdefault(row, length)
        for row, text in enumerate(texts):
            cut = postprocess_generated_text(text, words, None)
            known = text[: ended.get(row, len(text))]
            assert postprocess_generated_text(known, words, None) == cut, (words, text, known)
            ended_before += len(known) < len(text)
            if len(cut) + 4 * 4 + EVERY < len(text):  # as soon as it is certain, and the next look has come
                assert len(known) < len(cut) + 4 * 4 + EVERY
    assert ended_before > 1000


def test_no_words_end_nothing_and_a_row_of_padding_is_not_read() -> None:
    tokenizer = make_tokenizer("ab")
    ids = torch.full((2, EVERY), tokenizer.pad_token_id)
    assert not StopWords(tokenizer, [], 0)(ids, None).any()
    assert not StopWords(tokenizer, ["", "a"], 0)(ids, None).any()
