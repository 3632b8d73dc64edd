"""The policy as lm-eval runs it, told what lm-eval does not keep: tokens and reason of the end of each response."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from lm_eval.models.hf_vlms import HFMultimodalLM
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils_hf import MultiTokenEOSCriteria
from PIL import Image
from torch import Tensor
from transformers import StoppingCriteriaList

from relax.config.evaluation import Evaluation
from relax.data.images import picture
from relax.data.processor import forbidden_tokens, sees
from relax.data.prompt import adds_bos
from relax.errors import ConfigError, DataError, MachineError
from relax.evaluation.response import Response, instances, marked, unmarked
from relax.evaluation.stop_words import StopWords
from relax.models.decoding import loop_for
from relax.models.policy import end_tokens, load_policy
from relax.models.precision import format_here


class Backend(Protocol):
    """What generation needs of lm-eval's model classes."""

    def answer(
        self,
        prompts: Sequence[str],
        kwargs: dict[str, Any],
        seeds: Sequence[int],
        block_seed: int,
        images: Sequence[Sequence[bytes | Path]] = (),
    ) -> list[Response]:
        """Responses in the order of the prompts.

        Args:
            prompts: rendered.
            kwargs: lm-eval's generation arguments, every one explicit.
            seeds: one a request, for an engine that takes them.
            block_seed: for one that does not.
            images: of each prompt, encoded or as files, for a policy that sees; none of them for text.
        """
        ...


class _Tells(HFLM):
    """Marks what lm-eval's own classes decode; before them among the bases."""

    def know_ends(self) -> None:
        """Once the model is there: every token that ends a response."""
        self._ends = end_tokens(self.model, self.tokenizer)
        # lm-eval looks for the tokenizer's own in the text, and stops there once the whole batch has written it.
        self.model.generation_config.eos_token_id = self._ends or None

    def tok_decode(self, tokens: Any, skip_special_tokens: bool = True) -> str:
        text = super().tok_decode(tokens, skip_special_tokens=skip_special_tokens)
        if not isinstance(tokens, list) or not skip_special_tokens:  # a token by itself, which lm-eval cuts at
            return text
        end = next((i for i, token in enumerate(tokens) if token in self._ends), None)
        return marked(text, len(tokens), "length") if end is None else marked(text, end + 1, "stop")


class HuggingFace(_Tells):
    """lm-eval's ``hf``. Samples depend on the seed, the requests of the block and the batch size.

    Args:
        policy: folder.
        batch_size: requests a batch.
        dtype: of the weights, as for :func:`relax.models.policy.load_policy`.
    """

    def __init__(self, policy: str | Path, batch_size: int, dtype: torch.dtype | str = "auto") -> None:
        model, tokenizer = load_policy(policy, dtype)
        super().__init__(pretrained=model, tokenizer=tokenizer, batch_size=batch_size)
        self.add_bos_token = adds_bos(self.tokenizer)
        self.know_ends()

    def _model_generate(self, context: Tensor, max_length: int, stop: list[str], **kwargs: Any) -> Tensor:
        """lm-eval's call of ``generate``, by the loop that leaves ended rows out, and each row ends by itself."""
        if (loop := loop_for(self.model, kwargs)) is not None:
            words = StopWords(self.tokenizer, stop, context.shape[1])

            def by_row(model: Any, input_ids: Tensor, stopping_criteria: StoppingCriteriaList, **more: Any) -> Tensor:
                own = [criterion for criterion in stopping_criteria if not isinstance(criterion, MultiTokenEOSCriteria)]
                return loop(model, input_ids, stopping_criteria=StoppingCriteriaList([*own, words]), **more)

            kwargs["custom_generate"] = by_row
        return super()._model_generate(context, max_length, stop, **kwargs)

    def answer(
        self,
        prompts: Sequence[str],
        kwargs: dict[str, Any],
        seeds: Sequence[int],
        block_seed: int,
        images: Sequence[Sequence[bytes | Path]] = (),
    ) -> list[Response]:
        torch.manual_seed(block_seed)
        texts = self.generate_until(instances(prompts, [kwargs] * len(prompts)), disable_tqdm=True)
        return [unmarked(text) for text in texts]


class _Opened:
    """The pictures of a prompt, decoded when lm-eval asks for them: a block may have thousands."""

    def __init__(self, images: Sequence[bytes | Path]) -> None:
        self.images = images

    def __iter__(self) -> Iterator[Image.Image]:
        try:
            yield from map(picture, self.images)
        except ValueError as error:
            raise DataError(f"{error}.") from error


class HuggingFaceVision(_Tells, HFMultimodalLM):
    """lm-eval's ``hf-multimodal``, for prompts that a processor's chat template has put places for images into.

    Args:
        policy: folder.
        batch_size: requests a batch.
        dtype: of the weights, as for :func:`relax.models.policy.load_policy`.
    """

    def __init__(self, policy: str | Path, batch_size: int, dtype: torch.dtype | str = "auto") -> None:
        model, self.processor = load_policy(policy, dtype)
        window = model.config.get_text_config().max_position_embeddings
        super().__init__(pretrained=model, batch_size=batch_size, max_length=window)
        self.chat_applied = True
        self.know_ends()

    def _create_tokenizer(self, *_: Any, **__: Any) -> None:
        self.tokenizer = self.processor.tokenizer

    def answer(
        self,
        prompts: Sequence[str],
        kwargs: dict[str, Any],
        seeds: Sequence[int],
        block_seed: int,
        images: Sequence[Sequence[bytes | Path]] = (),
    ) -> list[Response]:
        torch.manual_seed(block_seed)
        own = {**kwargs, "suppress_tokens": forbidden_tokens(self.processor)}
        requests = instances(prompts, [own] * len(prompts))
        if any(images):
            for request, shown in zip(requests, images, strict=True):
                request.arguments = (*request.arguments, {"visual": _Opened(shown)})
        return [unmarked(text) for text in self.generate_until(requests, disable_tqdm=True)]


def load_backend(settings: Evaluation, policy: str | Path) -> Backend:
    """The engine, started once for all blocks.

    Args:
        settings: ``backend``, ``batch_size``, ``precision``, ``vllm_memory``.
        policy: folder.

    Raises:
        ConfigError: vLLM is asked for, and the policy sees.
        MachineError: vLLM is asked for and is not there, or there is no GPU for it.
    """
    dtype = "auto" if settings.precision is None else format_here(settings.precision)
    if settings.backend == "hf":
        return (HuggingFaceVision if sees(policy) else HuggingFace)(policy, settings.batch_size, dtype)
    if sees(policy):
        raise ConfigError(
            "evaluation.backend is vllm, which is given no images here and is not kept from writing the tokens of "
            "images, so it answers no text questions of a policy that sees either; set it to hf, which runs on CUDA "
            "too."
        )
    try:
        from relax.evaluation.vllm_backend import VLLMBackend
    except ModuleNotFoundError as error:
        raise MachineError(
            f"evaluation.backend is vllm, but {error.name} is not installed; set up with `envs/setup.sh cuda`, "
            "or set it to hf."
        ) from error
    return VLLMBackend(policy, settings.vllm_memory, dtype)
