"""A GGUF file as a policy's folder: weights in float32, and the tokenizer, end tokens and chat template of the file.

transformers dequantises the weights. Its tokenizer is not taken: for Llama's architecture the end token would be the
beginning token, and every text would be cut by the rule of GPT-2, whatever rule the file names.
"""

import io
from contextlib import redirect_stderr
from math import prod
from pathlib import Path
from typing import Any

import torch
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers import models as tokenizer_models
from transformers import AutoModelForCausalLM, GenerationConfig, PreTrainedModel, PreTrainedTokenizerFast
from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

from relax.data.gguf_header import Header, read_header
from relax.errors import DataError
from relax.files import atomic_folder
from relax.models.policy import check_policy, check_weights, no_report, refused

_CUT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)


def _split(digits: str) -> list[Any]:
    return [
        pre_tokenizers.Split(Regex(_CUT % digits), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]


_GPT2 = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
#: ``tokenizer.ggml.pre`` -> how a text is cut before the merges; the names and rules are those of llama.cpp
#: (src/llama-vocab.cpp).
PRE_TOKENIZERS: dict[str, list[Any]] = {
    "gpt-2": [_GPT2],
    "llama-bpe": _split("{1,3}"),
    "qwen2": _split(""),
    "smollm": [pre_tokenizers.Digits(individual_digits=True), _GPT2],
}
#: ``tokenizer.ggml.token_type``: tokens that control, and tokens that a user has added.
_CONTROL, _ADDED = 3, 4


def convert(file: Path, folder: Path) -> None:
    """Write a GGUF file as a policy's folder in the layout of the hub.

    Args:
        file: the GGUF file.
        folder: the new folder, which is there whole or not at all.

    Raises:
        DataError: it is no GGUF file, its architecture is none that transformers reads, its weights are not whole, or
            its tokenizer cannot be restored.
    """
    header = read_header(file)
    architecture = header.fields.get("general.architecture")
    if architecture not in GGUF_SUPPORTED_ARCHITECTURES:
        raise DataError(
            f"{file}: transformers reads no GGUF file of the architecture {architecture!r}; take a folder of the same "
            "model with config.json and safetensors files."
        )
    _check_whole(file, header)
    tokenizer, model = tokenizer_of(file, header), _weights(file)
    # An end of turn ends a response as an end of text does.
    named = [header.fields.get(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot")]
    ends = list(dict.fromkeys(end for end in named if end is not None))
    special = {"bos_token_id": tokenizer.bos_token_id, "pad_token_id": tokenizer.pad_token_id}
    model.generation_config = GenerationConfig(eos_token_id=ends if len(ends) > 1 else ends[0], **special)
    for name, value in {"eos_token_id": tokenizer.eos_token_id, **special}.items():
        setattr(model.config, name, value)
    with atomic_folder(folder) as target:
        model.save_pretrained(target)
        tokenizer.save_pretrained(target)
        check_policy(target, str(file))


def tokenizer_of(file: Path, header: Header) -> PreTrainedTokenizerFast:
    """The tokenizer of a GGUF file.

    Args:
        file: for messages.
        header: of the file.

    Raises:
        DataError: it is no byte-level BPE tokenizer, lacks its tokens, merges or end token, or cuts texts by an
            unknown rule.
    """

    def field(name: str) -> Any:
        return header.fields.get(f"tokenizer.ggml.{name}")

    def refuse(reason: str) -> DataError:
        return DataError(
            f"{file}: its tokenizer cannot be restored ({reason}); take a folder of the same model with tokenizer.json."
        )

    tokens, merges, cut = field("tokens"), field("merges"), field("pre")
    if field("model") != "gpt2":
        raise refuse(f"tokenizer.ggml.model is {field('model')!r}, expected 'gpt2', which is byte-level BPE")
    if not tokens or not merges:
        raise refuse(f"it has no {'merges' if tokens else 'tokens'}, which byte-level BPE needs")
    if cut not in PRE_TOKENIZERS:
        raise refuse(f"tokenizer.ggml.pre is {cut!r}, and the rules known here are {', '.join(PRE_TOKENIZERS)}")
    special = {name: field(f"{name}_token_id") for name in ("bos", "eos", "padding", "unknown")}
    if special["eos"] is None:
        raise refuse("it has no tokenizer.ggml.eos_token_id, so nothing would end a response")
    if beyond := [name for name, number in special.items() if number is not None and number >= len(tokens)]:
        raise refuse(f"tokenizer.ggml.{beyond[0]}_token_id is not among its {len(tokens)} tokens")

    made = Tokenizer(
        tokenizer_models.BPE(
            {token: number for number, token in enumerate(tokens)},
            [tuple(pair.split(" ")) for pair in merges],
            ignore_merges=cut == "llama-bpe",
        )
    )
    made.pre_tokenizer = pre_tokenizers.Sequence(PRE_TOKENIZERS[cut])
    made.decoder = decoders.ByteLevel()
    if cut == "qwen2":
        made.normalizer = normalizers.NFC()
    kinds = field("token_type") or []
    added = [(token, kind) for token, kind in zip(tokens, kinds, strict=False) if kind in (_CONTROL, _ADDED)]
    made.add_tokens([AddedToken(token, normalized=False, special=kind == _CONTROL) for token, kind in added])
    named = {name: None if number is None else tokens[number] for name, number in special.items()}
    # llama.cpp puts Llama 3's beginning token in front where the file says nothing.
    if named["bos"] is not None and (
        field("add_bos_token") if field("add_bos_token") is not None else cut == "llama-bpe"
    ):
        made.post_processor = processors.Sequence([
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single=f"{named['bos']} $A", pair=f"{named['bos']} $A {named['bos']} $B",
                special_tokens=[(named["bos"], special["bos"])],
            ),
        ])  # fmt: skip
    context = header.fields.get(f"{header.fields['general.architecture']}.context_length")
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token=named["bos"],
        eos_token=named["eos"],
        pad_token=named["padding"],
        unk_token=named["unknown"],
        chat_template=header.fields.get("tokenizer.chat_template"),
        clean_up_tokenization_spaces=False,
        **({} if context is None else {"model_max_length": context}),
    )


def _check_whole(file: Path, header: Header) -> None:
    """transformers would fail on the shape of the first tensor that is cut."""
    size = file.stat().st_size
    for name, (kind, begin) in header.places.items():
        known = GGML_QUANT_SIZES.get(GGMLQuantizationType(kind)) if kind in set(GGMLQuantizationType) else None
        if known is None:
            raise DataError(f"{file}: the weights of {name} are of a kind that is not known, number {kind}.")
        block, block_bytes = known
        if begin + prod(header.shapes[name]) // block * block_bytes > size:
            raise DataError(f"{file}: is cut off, {name} ends behind the file; fetch or copy it again.")


def _weights(file: Path) -> PreTrainedModel:
    loader: Any = AutoModelForCausalLM
    with refused(str(file)), no_report(), redirect_stderr(io.StringIO()):  # a bar of progress, which has no switch
        model, found = loader.from_pretrained(
            file.parent,
            gguf_file=file.name,
            dtype=torch.float32,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    check_weights(model, found, str(file))
    # Marks of a model that is still quantised, which transformers does not save.
    for mark in ("hf_quantizer", "is_quantized", "quantization_method"):
        if mark in vars(model):
            delattr(model, mark)
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    return model
