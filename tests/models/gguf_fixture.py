"""A tiny Llama as a GGUF file, written by llama.cpp's own library as its converter writes one."""

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Kind
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM

CHAT = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
#: Names of llama.cpp -> names of transformers, as far as they differ; {} is a layer.
_NAMES = {
    "token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head",
    "blk.{}.attn_q": "model.layers.{}.self_attn.q_proj", "blk.{}.attn_k": "model.layers.{}.self_attn.k_proj",
    "blk.{}.attn_v": "model.layers.{}.self_attn.v_proj", "blk.{}.attn_output": "model.layers.{}.self_attn.o_proj",
    "blk.{}.ffn_gate": "model.layers.{}.mlp.gate_proj", "blk.{}.ffn_up": "model.layers.{}.mlp.up_proj",
    "blk.{}.ffn_down": "model.layers.{}.mlp.down_proj", "blk.{}.attn_norm": "model.layers.{}.input_layernorm",
    "blk.{}.ffn_norm": "model.layers.{}.post_attention_layernorm",
}  # fmt: skip
LAYERS, HEADS, KEY_VALUE_HEADS = 2, 2, 1


def small_tokenizer() -> Tokenizer:
    """A byte-level BPE tokenizer of about 300 tokens whose digits come one by one, as SmolLM's."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=SPECIAL, initial_alphabet=alphabet)
    made.train_from_iterator(["The    sum of 12 and 30 is 42.", "    return the   sum"] * 4, trainer)
    return made


def small_llama(tokens: int) -> LlamaForCausalLM:
    """A random Llama with an untied head."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=tokens, hidden_size=64, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
            num_key_value_heads=KEY_VALUE_HEADS, intermediate_size=96, max_position_embeddings=128,
            initializer_range=0.06, rms_norm_eps=1e-5, tie_word_embeddings=False,
        )
    )  # fmt: skip


def tensors(model: LlamaForCausalLM) -> dict[str, np.ndarray]:
    """Weights by llama.cpp's names, with its order of the rows of queries and keys."""
    weights, found = model.state_dict(), {}
    for ours, theirs in _NAMES.items():
        for layer in range(LAYERS) if "{}" in ours else [0]:
            value = weights[f"{theirs.format(layer)}.weight"].numpy()
            heads = {"blk.{}.attn_q": HEADS, "blk.{}.attn_k": KEY_VALUE_HEADS}.get(ours)
            if heads is not None:
                halves = value.reshape(heads, 2, value.shape[0] // heads // 2, value.shape[1])
                value = halves.swapaxes(1, 2).reshape(value.shape)
            found[f"{ours.format(layer)}.weight"] = value
    return found


def write_gguf(path: Path, **changed: Any) -> LlamaForCausalLM:
    """Write the file, its matrices in Q8_0; the model that it was made from is returned.

    Args:
        path: of the file.
        changed: fields below ``tokenizer.ggml`` that are to be others, None to leave one out; ``architecture``.
    """
    tokenizer = small_tokenizer()
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda pair: pair[1])
    merges = [" ".join(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]
    model = small_llama(len(vocabulary))
    writer = gguf.GGUFWriter(path, changed.pop("architecture", "llama"))
    writer.add_block_count(LAYERS)
    writer.add_context_length(128)
    writer.add_embedding_length(64)
    writer.add_feed_forward_length(96)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_VALUE_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(vocabulary))
    fields = {
        "model": "gpt2", "pre": "smollm", "tokens": [token for token, _ in vocabulary], "merges": merges,
        "token_type": [3 if token in SPECIAL else 1 for token, _ in vocabulary],
        "bos_token_id": 1, "eos_token_id": 2, "padding_token_id": 0, **changed,
    }  # fmt: skip
    for name, value in fields.items():
        key = f"tokenizer.ggml.{name}"
        if isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        elif value is not None:
            writer.add_array(key, value)
    writer.add_chat_template(CHAT)
    for name, value in tensors(model).items():
        if value.ndim == 1:
            writer.add_tensor(name, value)
        else:
            writer.add_tensor(name, gguf.quants.quantize(value, Kind.Q8_0), raw_dtype=Kind.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return model
