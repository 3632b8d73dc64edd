"""Policies as one meets them: a Llama without a padding token, ends of a turn, folders with one fault each."""

import json
import shutil
from pathlib import Path
from typing import Any

from transformers import LlamaConfig, LlamaForCausalLM

from relax.models.scratch import make_tokenizer
from relax.tasks.noisy_sum import ALPHABET


def changed(folder: Path, file: str, **keys: Any) -> None:
    """Keys of a JSON file set; those with the value ... are removed."""
    content = json.loads((folder / file).read_text()) | keys
    (folder / file).write_text(json.dumps({key: value for key, value in content.items() if value is not ...}))


def copy_of(policy: Path, folder: Path, file: str = "", **keys: Any) -> Path:
    """A copy of a policy's folder, one of its files changed."""
    shutil.copytree(policy, folder)
    if file:
        changed(folder, file, **keys)
    return folder


def save_llama(folder: Path) -> Path:
    """A tiny Llama whose tokenizer has no padding token, as all official ones."""
    config = LlamaConfig(
        vocab_size=2 + len(ALPHABET), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        intermediate_size=64, max_position_embeddings=64, initializer_range=0.06, bos_token_id=None, eos_token_id=1,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    make_tokenizer(ALPHABET).save_pretrained(folder)
    changed(folder, "tokenizer_config.json", pad_token=...)
    words = json.loads((folder / "tokenizer.json").read_text())["model"]
    changed(folder, "tokenizer.json", model=words | {"unk_token": "<pad>"})  # this class of tokenizer insists on one
    return folder
