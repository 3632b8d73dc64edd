"""The policy as lm-eval runs it, told what lm-eval does not keep: tokens and reason of the end of each response."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from relax.data.prompt import adds_bos
from relax.errors import MachineError

#: Between a response and its ending, on the way through lm-eval, which hands on text alone.
MARK = "\x1e"


class Response(NamedTuple):
    """A response and how it ended.

    Attributes:
        text: without special tokens.
        tokens: generated, the end token included.
        finish: ``"stop"`` at an end token, ``"length"`` at the limit.
    """

    text: str
    tokens: int
    finish: str


def marked(text: str, tokens: int, finish: str) -> str:
    """A response as it travels through lm-eval."""
    return f"{text}{MARK}{tokens}{MARK}{finish}"


def unmarked(text: str) -> Response:
    """The response that :func:`marked` wrote.

    lm-eval cuts a text at the end token written out as characters; the mark behind it is then lost, and the
    number of tokens not known (0).
    """
    parts = text.rsplit(MARK, 2)
    return Response(parts[0], int(parts[1]), parts[2]) if len(parts) == 3 else Response(text, 0, "stop")


class Backend(Protocol):
    """What generation needs of lm-eval's model classes."""

    def answer(
        self, prompts: Sequence[str], kwargs: dict[str, Any], seeds: Sequence[int], block_seed: int
    ) -> list[Response]:
        """Responses in the order of the prompts.

        Args:
            prompts: rendered.
            kwargs: lm-eval's generation arguments, every one explicit.
            seeds: one a request, for an engine that takes them.
            block_seed: for one that does not.
        """
        ...


def instances(prompts: Sequence[str], kwargs: Sequence[dict[str, Any]]) -> list[Instance]:
    """Requests as lm-eval takes them."""
    return [
        Instance(request_type="generate_until", doc={}, arguments=(prompt, own), idx=0)
        for prompt, own in zip(prompts, kwargs, strict=True)
    ]


class HuggingFace(HFLM):
    """lm-eval's ``hf``. Samples depend on the seed, the requests of the block and the batch size.

    Args:
        policy: folder.
        batch_size: requests a batch.
    """

    def __init__(self, policy: str | Path, batch_size: int) -> None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        super().__init__(pretrained=str(policy), device=device, batch_size=batch_size, dtype="auto")
        self.add_bos_token = adds_bos(self.tokenizer)
        ends = self.model.generation_config.eos_token_id
        self._ends = {self.eot_token_id, *(ends if isinstance(ends, list) else [ends])}

    def answer(
        self, prompts: Sequence[str], kwargs: dict[str, Any], seeds: Sequence[int], block_seed: int
    ) -> list[Response]:
        torch.manual_seed(block_seed)
        texts = self.generate_until(instances(prompts, [kwargs] * len(prompts)), disable_tqdm=True)
        return [unmarked(text) for text in texts]

    def tok_decode(self, tokens: Any, skip_special_tokens: bool = True) -> str:
        text = super().tok_decode(tokens, skip_special_tokens=skip_special_tokens)
        if not isinstance(tokens, list):  # the end token itself, which lm-eval cuts at
            return text
        end = next((i for i, token in enumerate(tokens) if token in self._ends), None)
        return marked(text, len(tokens), "length") if end is None else marked(text, end + 1, "stop")


def load_backend(settings: dict[str, Any], policy: str | Path) -> Backend:
    """The engine, started once for all blocks.

    Args:
        settings: ``backend``, ``batch_size``, ``max_response_length``, ``vllm_memory``, ``devices``.
        policy: folder.

    Raises:
        MachineError: vLLM is asked for and is not there, or there is no GPU for it.
    """
    if settings["backend"] == "hf":
        return HuggingFace(policy, settings["batch_size"])
    try:
        from relax.evaluation.vllm_backend import VLLMBackend
    except ModuleNotFoundError as error:
        raise MachineError(
            f"evaluation.backend is vllm, but {error.name} is not installed; set up with `envs/setup.sh cuda`, "
            "or set it to hf."
        ) from error
    return VLLMBackend(policy, settings["vllm_memory"])
