#!/usr/bin/env bash
# transformers 5.17.0, gguf 0.19.0, tokenizers of the same day (2026-11-30).
#
# A guess: a tokenizer that transformers reads from a GGUF file ends a response with the token that the file names. Seen:
# of a file of the architecture "llama" with a byte-level vocabulary, the end token is the file's *beginning* token, and
# there is no padding token although the file names one. A chat model then never ends its turn by the right token.
#
# Output seen:
#   the file: a response ends with <|im_end|>
#   transformers: a response ends with <|im_start|>
#   transformers: padding is None
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.17.0 gguf==0.19.0 accelerate==1.15.0
cd "$work"
HF_HUB_OFFLINE=1 "$work/venv/bin/python" - <<'PYTHON'
import gguf
import numpy as np
from tokenizers import pre_tokenizers
from transformers import AutoTokenizer

special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
tokens = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet()), "12", "34"]
writer = gguf.GGUFWriter("small.gguf", "llama")
writer.add_block_count(1)
writer.add_context_length(32)
writer.add_embedding_length(8)
writer.add_feed_forward_length(8)
writer.add_head_count(1)
writer.add_tokenizer_model("gpt2")
writer.add_token_list(tokens)
writer.add_token_types([3] * len(special) + [1] * (len(tokens) - len(special)))
writer.add_token_merges(["1 2", "3 4"])
writer.add_bos_token_id(1)
writer.add_eos_token_id(2)
writer.add_pad_token_id(2)
writer.add_tensor("token_embd.weight", np.zeros((len(tokens), 8), dtype=np.float32))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()

field = gguf.GGUFReader("small.gguf").get_field("tokenizer.ggml.eos_token_id").contents()
tokenizer = AutoTokenizer.from_pretrained(".", gguf_file="small.gguf")
print("the file: a response ends with", tokens[field])
print("transformers: a response ends with", tokenizer.eos_token)
print("transformers: padding is", tokenizer.pad_token)
assert (tokens[field], tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|im_start|>", None)
PYTHON
