"""What turns images and prompts into a vision-language policy's inputs, with Pillow and without torchvision."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import AutoConfig, AutoProcessor, ProcessorMixin, Qwen2_5_VLProcessor

from relax.data.images import picture
from relax.data.prompt import apply_template, conversation
from relax.errors import ConfigError, DataError

#: Tokens around and for images in Qwen's vocabulary. A policy that writes one would ask for an image that is not there.
VISION_TOKENS = ("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>")


class ImageTextProcessor(Qwen2_5_VLProcessor):
    """Qwen2.5-VL's processor without its videos, whose part cannot be loaded without torchvision.

    Images are resized by Pillow where torchvision is not installed, as transformers does by itself.
    """

    def __init__(self, image_processor: Any = None, tokenizer: Any = None, chat_template: str | None = None) -> None:
        self.image_token, self.video_token = "<|image_pad|>", "<|video_pad|>"
        self.image_token_id, self.video_token_id = tokenizer.convert_tokens_to_ids([self.image_token, self.video_token])
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)

    @property
    def model_input_names(self) -> list[str]:
        """Names of what a call returns."""
        return ["input_ids", "attention_mask", "mm_token_type_ids", "pixel_values", "image_grid_thw"]


# Found by the name in a folder's processor_config.json; no configuration of transformers maps to it.
AutoProcessor.register("relax-image-text", ImageTextProcessor)


def sees(policy: str | Path) -> bool:
    """Whether a policy folder's model takes images."""
    return hasattr(AutoConfig.from_pretrained(policy, trust_remote_code=False), "vision_config")


def load_processor(policy: str | Path) -> ProcessorMixin:
    """The processor of a vision-language policy, padding on the left.

    Raises:
        DataError: the folder holds none that can be loaded here.
    """
    kind = AutoConfig.from_pretrained(policy, trust_remote_code=False).model_type
    maker = ImageTextProcessor if kind == "qwen2_5_vl" else AutoProcessor
    try:
        processor = maker.from_pretrained(policy, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, ImportError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{policy}: its image processor cannot be loaded ({reason:.200}).") from error
    if not isinstance(processor, ProcessorMixin):
        raise DataError(f"{policy}: its model takes images, but there is no image processor (processor_config.json).")
    processor.tokenizer.padding_side = "left"
    return processor


def tokenizer_of(processing: Any) -> Any:
    """The tokenizer itself, or a processor's."""
    return processing.tokenizer if isinstance(processing, ProcessorMixin) else processing


def image_token(processor: Any) -> int:
    """The token that stands for a patch of an image: every processor of images names it, their base class does not."""
    token: int = processor.image_token_id
    return token


def forbidden_tokens(processing: Any) -> list[int]:
    """Tokens that a vision-language policy must not write; none of a tokenizer of text."""
    if not isinstance(processing, ProcessorMixin):
        return []
    known = processing.tokenizer.get_vocab()
    return sorted({known[token] for token in VISION_TOKENS if token in known} | {image_token(processing)})


def render_images(
    processor: ProcessorMixin, problem: str, images: int, settings: dict[str, Any], subset: str = ""
) -> str:
    """A problem as the text that its processor reads, with the marks of its images.

    Args:
        processor: of the policy.
        problem: its text.
        images: how many.
        settings: the configuration's ``prompt``.
        subset: of the problem, as for :func:`relax.data.prompt.render`.

    Raises:
        ConfigError: no chat template is asked for, or the processor has none.
    """
    turns = conversation(problem, images, settings, subset)
    if not processor.chat_template:
        raise ConfigError(
            "prompt.chat_template is true, but the policy's processor has no chat template, which puts images in their "
            "places; take a policy that was trained with one."
        )
    return apply_template(processor, turns)


def pictures(paths: Sequence[str]) -> list[Image.Image]:
    """The decoded images of a problem, in RGB.

    Raises:
        DataError: one is broken; names the file.
    """
    try:
        return [picture(Path(path)) for path in paths]
    except ValueError as error:
        raise DataError(f"{error}.") from error


def image_inputs(processor: ProcessorMixin, images: Sequence[Sequence[Image.Image]], tokens: Tensor) -> dict[str, Any]:
    """What a model takes beside tokens that hold places for images.

    The kinds of the tokens are read off the tokens themselves, so that no shuffle can part them.

    Args:
        processor: of the policy.
        images: decoded, one list a row.
        tokens: (B, T), with one image token for each patch that the language model sees.

    Returns:
        ``pixel_values`` (patches of all rows), ``image_grid_thw`` (images of all rows, 3) and ``mm_token_type_ids``
        (B, T), 1 at image tokens; nothing where there are no images.
    """
    flat = [image for row in images for image in row]
    if not flat:
        return {}
    made = processor.image_processor(images=flat, return_tensors="pt")
    kinds = (tokens == image_token(processor)).to(torch.long)
    return {
        "pixel_values": made["pixel_values"].to(tokens.device),
        "image_grid_thw": made["image_grid_thw"].to(tokens.device),
        "mm_token_type_ids": kinds,
    }
