"""GGUF files as policies: weights against llama.cpp's own library, texts against tokenizers, faults in a sentence."""

import inspect
import json
import shutil
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from safetensors import safe_open
from transformers import AutoTokenizer
from transformers.convert_slow_tokenizer import TikTokenConverter
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

from relax.data.gguf_header import read_header
from relax.errors import DataError
from relax.models.gguf import PRE_TOKENIZERS, convert
from relax.models.policy import end_tokens, load_policy
from tests.latent.dsd_fixture import relax
from tests.models.gguf_fixture import CHAT, SPECIAL, small_tokenizer, tensors, write_gguf

TEXTS = [
    "The sum of 12 and 30 is 42.", "x   12 and    7", "a\n\n  3", "\t1\n 2", "naïve café ½ x² 日本語", "it's I'd  ", "",
]  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Any]:
    """The file, the folder made from it, and the model that the file was written from."""
    place = tmp_path_factory.mktemp("gguf")
    torch.manual_seed(0)
    model = write_gguf(place / "tiny.gguf")
    convert(place / "tiny.gguf", place / "model")
    return place / "tiny.gguf", place / "model", model


def test_the_header_is_that_of_the_library(made: tuple[Path, Path, Any]) -> None:
    file, _, model = made
    theirs, ours = gguf.GGUFReader(file), read_header(file)
    fields = {name: field.contents() for name, field in theirs.fields.items() if not name.startswith("GGUF.")}
    assert ours.fields == fields
    assert ours.shapes == {tensor.name: tuple(map(int, tensor.shape)) for tensor in theirs.tensors}
    assert ours.parameters == model.num_parameters()


def test_the_weights_are_those_that_the_library_dequantises(made: tuple[Path, Path, Any]) -> None:
    file, folder, _ = made
    loaded, _ = load_policy(folder)
    assert loaded.dtype == torch.float32
    ours = tensors(loaded)
    for tensor in gguf.GGUFReader(file).tensors:
        np.testing.assert_array_equal(ours[tensor.name], gguf.dequantize(tensor.data, tensor.tensor_type))


def test_the_model_is_the_one_that_was_written(made: tuple[Path, Path, Any]) -> None:
    _, folder, written = made
    loaded, _ = load_policy(folder)
    tokens = torch.arange(20)[None]
    with torch.no_grad():
        difference = (loaded(tokens).logits - written.eval()(tokens).logits).abs().max()
    assert difference < 0.05  # eight bits a weight


@pytest.mark.parametrize("text", TEXTS)
def test_texts_are_cut_as_by_the_tokenizer_that_was_written(text: str, made: tuple[Path, Path, Any]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(made[1])
    ids = tokenizer(text)["input_ids"]
    assert ids == small_tokenizer().encode(text).ids
    assert tokenizer.decode(ids) == text


def test_ends_and_chat_template_are_those_of_the_file(made: tuple[Path, Path, Any]) -> None:
    model, tokenizer = load_policy(made[1])
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token) == (SPECIAL[1], SPECIAL[2], SPECIAL[0])
    assert (end_tokens(model, tokenizer), model.config.eos_token_id, model.config.pad_token_id) == ([2], 2, 0)
    assert tokenizer.chat_template == CHAT
    turns = [{"role": "user", "content": "hi"}]
    ids = tokenizer.apply_chat_template(turns, return_dict=False)
    assert ids[0] == 1
    assert 2 in ids
    assert "quantization_config" not in json.loads((made[1] / "config.json").read_text())
    with safe_open(made[1] / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}


def test_transformers_alone_has_another_end_token(made: tuple[Path, Path, Any]) -> None:
    """What this module is for; where it fails, transformers has mended its own."""
    alone = AutoTokenizer.from_pretrained(made[0].parent, gguf_file=made[0].name)
    assert alone.eos_token == SPECIAL[1]
    assert alone("x   12")["input_ids"] != small_tokenizer().encode("x   12").ids


def test_rules_of_cutting_are_those_of_transformers() -> None:
    def pattern(name: str) -> str:
        text: str = json.loads(PRE_TOKENIZERS[name][0].__getstate__())["pattern"]["Regex"]
        return text

    assert pattern("qwen2") == PRETOKENIZE_REGEX
    assert pattern("llama-bpe") == inspect.signature(TikTokenConverter).parameters["pattern"].default


def test_an_end_of_turn_ends_a_response_too_and_a_beginning_is_put_in_front(tmp_path: Path) -> None:
    write_gguf(tmp_path / "a.gguf", eos_token_id=0, eot_token_id=2, add_bos_token=True)
    convert(tmp_path / "a.gguf", tmp_path / "model")
    model, tokenizer = load_policy(tmp_path / "model")
    assert end_tokens(model, tokenizer) == [0, 2]
    assert tokenizer("12")["input_ids"][0] == 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"merges": None}, r"it has no merges, which byte-level BPE needs\); take a folder"),
        ({"model": "llama"}, "tokenizer.ggml.model is 'llama', expected 'gpt2'"),
        ({"pre": "superbpe"}, "tokenizer.ggml.pre is 'superbpe', and the rules known here are gpt-2, llama-bpe"),
        ({"pre": None}, "tokenizer.ggml.pre is None"),
        ({"eos_token_id": None}, "it has no tokenizer.ggml.eos_token_id, so nothing would end a response"),
        ({"padding_token_id": 5000}, "tokenizer.ggml.padding_token_id is not among its 281 tokens"),
        ({"architecture": "wavtokenizer-dec"}, "reads no GGUF file of the architecture 'wavtokenizer-dec'; take a"),
    ],
)
def test_what_cannot_be_restored_is_refused(changed: dict[str, Any], said: str, tmp_path: Path) -> None:
    write_gguf(tmp_path / "a.gguf", **changed)
    with pytest.raises(DataError, match=said):
        convert(tmp_path / "a.gguf", tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_file_that_lacks_the_end_of_its_weights_is_told_so(made: tuple[Path, Path, Any], tmp_path: Path) -> None:
    reader, content = gguf.GGUFReader(made[0]), made[0].read_bytes()
    last = max(reader.tensors, key=lambda tensor: tensor.data_offset)
    end = last.data_offset + last.n_bytes
    (tmp_path / "whole.gguf").write_bytes(content[:end])
    convert(tmp_path / "whole.gguf", tmp_path / "whole")
    (tmp_path / "cut.gguf").write_bytes(content[: end - 1])
    with pytest.raises(DataError, match=rf"cut\.gguf: is cut off, {last.name} ends behind the file; fetch or copy it"):
        convert(tmp_path / "cut.gguf", tmp_path / "model")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.1, 0.5, 0.99])
def test_a_file_that_is_cut_off_is_refused(share: float, made: tuple[Path, Path, Any], tmp_path: Path) -> None:
    content = made[0].read_bytes()
    (tmp_path / "cut.gguf").write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=r"cut\.gguf: "):
        convert(tmp_path / "cut.gguf", tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_dsd_of_a_gguf_file_is_that_of_the_folder_made_from_it(made: tuple[Path, Path, Any], tmp_path: Path) -> None:
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps({"prompt": f"{n} and"}) + "\n" for n in range(4)))
    shutil.copy(made[0], tmp_path)
    found = []
    for number, model in enumerate((tmp_path / "tiny.gguf", made[1])):
        out = tmp_path / str(number)
        options = ("--prompts", tmp_path / "prompts.jsonl", "--koopman-dim", "4", "--max-response-length", "12")
        ended, terminal = relax("dsd", "--model", model, *options, "--samples", "3", "--out", out)
        assert ended == 0, terminal
        found.append((out / "trajectories.csv").read_text())
    assert found[0] == found[1]
    assert list(tmp_path.glob("*.gguf")) == [tmp_path / "tiny.gguf"]
    inputs = json.loads((tmp_path / "0" / "run.json").read_text())["inputs"]
    assert str(tmp_path / "tiny.gguf") in inputs
