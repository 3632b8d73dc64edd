"""Responses sampled from a policy, kept with their tokens so that they can be read by any policy."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, ProcessorMixin, StoppingCriteria, StoppingCriteriaList

from relax.data.processor import forbidden_tokens, image_inputs, pictures, render_images, tokenizer_of
from relax.data.prompt import PLAIN, render
from relax.errors import DataError, NumericsError
from relax.files import atomic_write
from relax.models.cache_size import rows_that_fit
from relax.models.decoding import loop_for
from relax.models.policy import Processing, check_tokens, end_tokens
from relax.progress import Progress
from relax.reading import read_json_lines
from relax.records.record import check_recorded
from relax.tasks.problem import Problem

BATCH = 256


@dataclass(frozen=True)
class Rollout:
    """One response.

    Attributes:
        id: of the problem, a slash, and the number of the sample.
        prompt_ids: tokens of the prompt.
        response_ids: tokens of the response, with the token that ended it where the policy wrote one.
        response: the text, without special tokens.
        correct: whether it solves the problem.
        images: files of the prompt's images; in a file of rollouts relative to its folder. ``prompt_ids`` holds a
            token for each of their patches.
    """

    id: str
    prompt: str
    prompt_ids: list[int]
    response_ids: list[int]
    response: str
    correct: bool | None = None
    images: tuple[str, ...] = ()


@torch.no_grad()
def sample(
    model: PreTrainedModel,
    processing: Processing,
    problems: Sequence[Problem],
    per_problem: int,
    max_response_length: int,
    temperature: float,
    seed: int,
    label: str,
    batch: int = BATCH,
    prompt: dict[str, Any] = PLAIN,
) -> list[Rollout]:
    """Sample ``per_problem`` responses to each problem from the full distribution, ``batch`` at a time, or as many as
    :func:`relax.models.cache_size.rows_that_fit` says where these are fewer.

    ``prompt`` is the configuration's, see :func:`relax.data.prompt.render`. Temperature, top-p, top-k and the penalty
    of repetitions are given, whatever the checkpoint's generation_config.json says; that one decides, as in training,
    which tokens end a response. Tokens of images are never sampled.

    Raises:
        DataError: problems have images and the policy takes none, an image is broken, or a prompt has a token that the
            policy has no embedding of.
        NumericsError: the policy's probabilities are not finite.
    """
    torch.manual_seed(seed)
    tokenizer, forbidden = tokenizer_of(processing), forbidden_tokens(processing)
    ends = end_tokens(model, processing)
    generator: Any = model  # every model with a language head generates, which the type of its base does not say
    prompts = [(p, k) for p in problems for k in range(per_problem)]
    progress = Progress(label, len(prompts), unit="responses")
    rollouts: list[Rollout] = []
    while len(rollouts) < len(prompts):
        part = prompts[len(rollouts) : len(rollouts) + batch]
        inputs = _inputs(model, processing, [p for p, _ in part], prompt)
        fits = rows_that_fit(model, inputs["input_ids"].shape[1] + max_response_length)
        if fits < len(part):
            batch = fits
            continue
        check_tokens(model, inputs["input_ids"], f"{label}, prompts from {part[0][0].id!r} on")
        width = inputs["input_ids"].shape[1]
        tick = _Tick(progress, len(rollouts), len(part) / max_response_length, width)
        asked: dict[str, Any] = {
            **inputs,
            "max_new_tokens": max_response_length,
            "do_sample": True,
            "temperature": temperature,
            "top_p": 1.0,
            "top_k": 0,
            "repetition_penalty": 1.0,
            "pad_token_id": tokenizer.pad_token_id,
            "eos_token_id": ends or None,
            "suppress_tokens": forbidden or None,
            "stopping_criteria": StoppingCriteriaList([tick]),
        }
        with _finite(label):
            output = generator.generate(**asked, custom_generate=loop_for(model, asked))
        for (problem, k), tokens, mask in zip(part, output, inputs["attention_mask"], strict=True):
            response_ids = _until_end(tokens[width:].tolist(), ends)
            rollouts.append(
                Rollout(
                    id=f"{problem.id}/{k}",
                    prompt=problem.prompt,
                    prompt_ids=tokens[:width][mask.bool()].tolist(),
                    response_ids=response_ids,
                    response=tokenizer.decode(response_ids, skip_special_tokens=True),
                    images=problem.images,
                )
            )
        progress.update(len(rollouts))
    return rollouts


@contextmanager
def _finite(label: str) -> Iterator[None]:
    """torch refuses to sample from probabilities that are none, in words of its own."""
    try:
        yield
    except RuntimeError as error:
        if "probability tensor" not in str(error):
            raise
        raise NumericsError(
            f"{label}: the policy's probabilities are not finite, as its weights or its arithmetic are not; take "
            "another checkpoint, or another precision."
        ) from error


def _inputs(
    model: PreTrainedModel, processing: Processing, problems: Sequence[Problem], prompt: dict[str, Any]
) -> dict[str, torch.Tensor]:
    """Prompts as a model takes them to generate, padded on the left; what images add is dropped with the batch."""
    tokenizer = tokenizer_of(processing)
    if not any(p.images for p in problems):
        inputs = tokenizer(
            [render(tokenizer, p.prompt, prompt, p.subset) for p in problems], return_tensors="pt", padding=True
        )
        # Token type ids, which some tokenizers add, are not for causal models.
        return {name: inputs[name].to(model.device) for name in ("input_ids", "attention_mask")}
    if not isinstance(processing, ProcessorMixin):
        raise DataError(f"problem {problems[0].id} has images, and the policy is a model of text; take one that sees.")
    texts = [render_images(processing, p.prompt, len(p.images), prompt, p.subset) for p in problems]
    images = [pictures(p.images) for p in problems]
    inputs = processing(images=images, text=texts, return_tensors="pt", padding=True)
    return {name: tensor.to(model.device) for name, tensor in inputs.items()}


def images_of(processing: Processing, rollouts: Sequence[Rollout], tokens: torch.Tensor) -> dict[str, Any]:
    """What a model takes beside the tokens of responses to prompts with images; nothing for text."""
    if not isinstance(processing, ProcessorMixin) or not any(rollout.images for rollout in rollouts):
        return {}
    return image_inputs(processing, [pictures(rollout.images) for rollout in rollouts], tokens)


class _Tick(StoppingCriteria):
    """Stops nothing; tells how far a batch is, since one of long responses can take an hour.

    Args:
        progress: told of the responses done, in parts.
        done: responses before this batch.
        per_token: responses that a token of the whole batch counts for.
        width: tokens of the prompts.
    """

    def __init__(self, progress: Progress, done: int, per_token: float, width: int) -> None:
        self.progress, self.done, self.per_token, self.width = progress, done, per_token, width

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: object) -> torch.Tensor:
        done = self.done + int(self.per_token * (input_ids.shape[1] - self.width))
        self.progress.update(min(done, self.progress.total - 1))
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


def _until_end(tokens: list[int], ends: Sequence[int]) -> list[int]:
    return next((tokens[: i + 1] for i, token in enumerate(tokens) if token in ends), tokens)


def write_rollouts(path: str | Path, rollouts: Sequence[Rollout]) -> None:
    """One JSON object a line, atomically."""
    atomic_write(path, "".join(json.dumps(_row(r, Path(path).parent), ensure_ascii=False) + "\n" for r in rollouts))


def _row(rollout: Rollout, folder: Path) -> dict[str, Any]:
    row = asdict(rollout)
    images = [os.path.relpath(image, folder) for image in row.pop("images")]
    return row | ({"images": images} if images else {})


def read_rollouts(path: str | Path) -> list[Rollout]:
    """Rollouts from a file.

    Raises:
        DataError: the file cannot be read, is empty or not what its record says, or a line is not a rollout; names file
            and line.
    """
    check_recorded(path)
    rollouts = []
    for where, _, row in read_json_lines(Path(path), "rollouts"):
        try:
            rollout = Rollout(**row)
        except TypeError as error:
            raise DataError(f"{where}: not a rollout ({error}).") from error
        images = tuple(os.path.normpath(Path(path).parent / image) for image in rollout.images)
        rollouts.append(replace(rollout, images=images))
    return rollouts
