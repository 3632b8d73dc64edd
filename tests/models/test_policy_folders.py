"""A folder that is no whole policy is refused by every verb, `base` first: one sentence, nothing written."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2Model,
)

from relax.errors import DataError
from relax.models.hub import copy_snapshot, snapshot
from relax.models.policy import check_policy, load_policy
from tests.conftest import REPOSITORY
from tests.latent.dsd_fixture import relax, usual_options
from tests.models.policy_fixture import changed, copy_of, save_llama

REVISION = "a" * 40
WEIGHTS = "model.safetensors"


def cut(name: str) -> Callable[[Path], None]:
    def fault(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return fault


def without(*names: str) -> Callable[[Path], None]:
    return lambda folder: [(folder / name).unlink() for name in names]


def keys(name: str, **values: object) -> Callable[[Path], None]:
    return lambda folder: changed(folder, name, **values)


def text(name: str, content: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(content)


def pickled(folder: Path) -> None:
    torch.save(load_file(folder / WEIGHTS), folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()


def headless(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    del tensors["lm_head.weight"]
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def sharded(folder: Path) -> None:
    AutoModelForCausalLM.from_pretrained(folder).save_pretrained(folder, max_shard_size="10KB")
    (folder / WEIGHTS).unlink()


def shard_missing(folder: Path) -> None:
    sharded(folder)
    next(folder.glob("model-00002-*")).unlink()


def shard_cut(folder: Path) -> None:
    sharded(folder)
    cut(next(folder.glob("model-00002-*")).name)(folder)


def encoder(folder: Path) -> None:
    config = BertConfig(vocab_size=16, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    BertForMaskedLM(config).save_pretrained(folder)


def backbone(folder: Path) -> None:
    GPT2Model(GPT2Config(vocab_size=16, n_embd=32, n_layer=1, n_head=2, n_positions=64)).save_pretrained(folder)


def padded_anew(folder: Path) -> None:
    """A padding token added to the tokenizer alone: its embedding does not exist."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    tokenizer.save_pretrained(folder)


CODE = {"AutoConfig": "configuration_x.XConfig", "AutoModelForCausalLM": "modeling_x.XForCausalLM"}
FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut weights": (cut(WEIGHTS), "model.safetensors is cut off or no safetensors file"),
    "empty weights": (text(WEIGHTS, ""), "model.safetensors is cut off or no safetensors file"),
    "a pointer of git": (text(WEIGHTS, "version https://git-lfs.github.com/spec/v1\n"), "no safetensors file"),
    "no weights": (without(WEIGHTS), "it has no weights; expected model.safetensors, or model.safetensors.index.json"),
    "a part missing": (shard_missing, "model-00002-of-"),
    "a part cut": (shard_cut, "is cut off or no safetensors file"),
    "an index of nothing": (text("model.safetensors.index.json", "{}"), "index.json has no weight_map"),
    "pickles alone": (pickled, "its weights are pickled (pytorch_model.bin), which can run code when they are read"),
    "no head": (headless, "1 of its weights are in no file, lm_head.weight among them"),
    "other sizes": (keys("config.json", hidden_size=48), "config.json does not fit its weights: lm_head.weight is"),
    "no config": (without("config.json"), "no policy there (config.json is missing)"),
    "cut config": (cut("config.json"), "config.json is not JSON, line"),
    "a list as config": (text("config.json", "[]"), "config.json holds no JSON object but list"),
    "no kind": (keys("config.json", model_type=...), "config.json names no model_type"),
    "an unknown kind": (keys("config.json", model_type="x"), "has model type `x` but Transformers does not recognize"),
    "layers that differ": (keys("config.json", num_hidden_layers=3), "validate_layer_type"),
    "its own code": (keys("config.json", auto_map=CODE), "auto_map: configuration_x.XConfig, modeling_x.XForCausalLM"),
    "its own tokenizer": (
        keys("tokenizer_config.json", auto_map={"AutoTokenizer": ["tokenization_x.XTokenizer", None]}),
        "it brings code of its own (auto_map: tokenization_x.XTokenizer), and such code is never run",
    ),
    "no tokenizer": (without("tokenizer.json", "tokenizer_config.json"), "it has no tokenizer"),
    "no vocabulary": (without("tokenizer.json"), "it has no tokenizer, or one without a vocabulary"),
    "no end token": (without("tokenizer_config.json"), "its tokenizer has token 15, '<|endoftext|>', but its weights"),
    "cut tokenizer": (cut("tokenizer.json"), "tokenizer.json is not JSON, line"),
    "cut tokenizer's config": (cut("tokenizer_config.json"), "tokenizer_config.json is not JSON, line"),
    "cut generation settings": (cut("generation_config.json"), "generation_config.json is not JSON, line"),
    "a token too many": (padded_anew, "its tokenizer has token 16, '[PAD]', but its weights know 15 tokens"),
    "an encoder": (encoder, "bert is an encoder here, which reads to both sides"),
    "a backbone": (backbone, "config.json says that it is GPT2Model, which has no language-model head"),
    "an adapter": (text("adapter_config.json", "{}"), "it holds an adapter (adapter_config.json)"),
}


@pytest.fixture
def cache(tmp_path: Path, tiny_policy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A snapshot in a cache of the hub."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    folder = tmp_path / "hub" / "models--lab--tiny" / "snapshots" / REVISION
    folder.parent.mkdir(parents=True)
    return copy_of(tiny_policy, folder)


@pytest.mark.parametrize("fault", FAULTS)
def test_base_refuses_a_broken_snapshot(
    fault: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage, said = FAULTS[fault]
    damage(cache)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("pickled weights were read"))
    with pytest.raises(DataError) as refused:
        copy_snapshot({"repo": "lab/tiny", "revision": REVISION}, tmp_path / "out" / "model")
    sentence = str(refused.value)
    assert sentence.startswith(f"lab/tiny at {REVISION[:12]} in the local hub cache: ")
    assert said in sentence
    assert "\n" not in sentence
    assert not (tmp_path / "out").exists()
    # Whatever the verb, a policy is loaded in one place.
    with pytest.raises(DataError) as again:
        load_policy(cache)
    assert said in str(again.value)


def test_the_verbs_say_it_in_one_sentence(tiny_policy: Path, tmp_path: Path) -> None:
    folder = copy_of(tiny_policy, tmp_path / "policy")
    pickled(folder)
    (tmp_path / "dictionary").mkdir()
    options = usual_options(folder, tmp_path / "problems.jsonl")
    common = [
        "--configfile",
        *(REPOSITORY / "config" / name for name in ("config.yaml", "smoke.yaml")),
        "--policy",
        "tiny",
        "--data",
        tmp_path / "problems.jsonl",
    ]
    method = [*common, "--method", "grpo", "--seed", 1]
    for verb, *words in (
        ("dictionary", *common, "--base", folder),
        ("train", *method, "--base", folder, "--dictionary", tmp_path / "dictionary", "--checkpoints", tmp_path / "c"),
        ("generate", *method, "--model", folder),
        ("dsd", *options),
    ):
        code, terminal = relax(verb, *words, "--out", tmp_path / "out")
        assert code == 3, terminal
        (line,) = [line for line in terminal.splitlines() if line.startswith(f"relax {verb}: ")]
        assert "its weights are pickled (pytorch_model.bin)" in line
        assert "Traceback" not in terminal
        assert not (tmp_path / "out" / "run.json").exists()


def test_a_policy_in_parts_and_one_that_names_transformers_own_classes_are_taken(cache: Path, tmp_path: Path) -> None:
    own = {"AutoConfig": "configuration_qwen2.Qwen2Config", "AutoModelForCausalLM": "modeling_qwen2.Qwen2ForCausalLM"}
    sharded(cache)
    changed(cache, "config.json", auto_map=own)
    (cache / "pytorch_model.bin").write_bytes(b"beside them")
    copy_snapshot({"repo": "lab/tiny", "revision": REVISION}, tmp_path / "model")
    assert not list((tmp_path / "model").glob("*.bin"))
    check_policy(tmp_path / "model", "it")
    model, _ = load_policy(tmp_path / "model")
    assert type(model).__module__.startswith("transformers.")


def test_a_policy_without_an_end_token_or_an_architecture_cannot_be_trained(tmp_path: Path) -> None:
    folder = save_llama(tmp_path / "llama")
    changed(folder, "tokenizer_config.json", eos_token=...)
    with pytest.raises(DataError, match="its tokenizer has neither a padding nor an end-of-text token"):
        check_policy(folder, "it")
    changed(folder, "tokenizer_config.json", pad_token="<pad>")
    with pytest.raises(DataError, match="its tokenizer has no end-of-text token; set eos_token"):
        check_policy(folder, "it")
    load_policy(folder)  # its responses can be described
    changed(folder, "config.json", architectures=...)
    with pytest.raises(DataError, match=r"config\.json names no architectures; add the class"):
        check_policy(folder, "it")


def test_a_snapshot_without_what_is_never_fetched_is_whole(cache: Path) -> None:
    """huggingface_hub knows from the list of a repository's files that some are not there."""
    from huggingface_hub import _snapshot_download as library

    entries = {
        name: library.TreeCacheEntry(size=1, blob_id="0", lfs_sha256=None, lfs_size=None, xet_hash=None)
        for name in ("config.json", "pytorch_model.bin", "original/params.json")
    }
    library.write_tree_cache(str(cache.parents[1]), REVISION, entries)
    assert snapshot({"repo": "lab/tiny", "revision": REVISION}) == cache
    (cache.parents[1] / "refs").mkdir()
    (cache.parents[1] / "refs" / "main").write_text(REVISION)
    from relax.latent.pretrained import find_model

    assert find_model("lab/tiny") == cache


def test_a_data_set_without_what_is_never_fetched_is_whole(cache: Path, tmp_path: Path) -> None:
    from huggingface_hub import _snapshot_download as library

    from relax.data.hub import load_problems

    place = cache.parents[2] / "datasets--lab--sums"
    (place / "snapshots" / REVISION).mkdir(parents=True)
    rows = [json.dumps({"question": f"{n}+{n}=", "gold": 2 * n}) for n in range(4)]
    (place / "snapshots" / REVISION / "rows.jsonl").write_text("\n".join(rows))
    entries = {
        name: library.TreeCacheEntry(size=1, blob_id="0", lfs_sha256=None, lfs_size=None, xet_hash=None)
        for name in ("rows.jsonl", "model.bin")
    }
    library.write_tree_cache(str(place), REVISION, entries)
    source = {
        "repo": "lab/sums",
        "revision": REVISION,
        "config": None,
        "split": "train",
        "prompt": "question",
        "answer": "gold",
        "images": None,
        "path": None,
        "archive": None,
        "where": {},
    }
    for file in ("rows.jsonl", None):
        settings = {"source": "hub", "datasets": [{**source, "file": file}], "test_problems": 1, "instruction": None}
        train, test = load_problems(settings, tmp_path)
        assert sorted(problem.answer for problem in train + test) == ["0", "2", "4", "6"]


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ("model.gguf", 3, "model.gguf: its header is cut off or no GGUF file's; fetch or copy it again."),
        ("none.gguf", 3, "none.gguf: no such file; give the path of a GGUF file, or of a folder."),
        ("policy/model.safetensors", 3, "model.safetensors: is a file, expected a policy's folder"),
        ("quantised", 3, "no policy there (config.json is missing; for a GGUF file give the file itself, "),
        ("no/such/folder", 4, "no such folder, and no model in the local hub cache; give the path of a folder"),
    ],
)
def test_what_is_given_in_place_of_a_folder(
    given: str, code: int, said: str, tiny_policy: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_policy, tmp_path / "policy")
    (tmp_path / "quantised").mkdir()
    for name in ("model.gguf", "quantised/model.gguf"):
        (tmp_path / name).write_bytes(b"GGUF")
    options = usual_options(tmp_path / given, tmp_path / "problems.jsonl")
    ended, terminal = relax("dsd", *options, "--out", tmp_path / "out")
    assert ended == code, terminal
    assert said in terminal.splitlines()[-1]
    assert "Traceback" not in terminal
    assert not (tmp_path / "out").exists()


def test_a_path_in_place_of_a_repository(tiny_policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = {"revision": REVISION, "parameters": 0.1, "released": "2024-01-01"}
    base = REPOSITORY / "config" / "config.yaml"
    monkeypatch.chdir(tmp_path)
    copy_of(tiny_policy, tmp_path / "models" / "tiny")
    for repo, code, said in (
        (
            str(tiny_policy),
            2,
            "expected a name on the hub such as owner/model; for a model on this machine write `path: ",
        ),
        ("models/tiny", 4, "a folder of that name is here, but `repo` is a name on the hub"),
    ):
        policies = {"matrix": {"policies": ["p"]}, "policies": {"p": {"hub": {**hub, "repo": repo}}}}
        (tmp_path / "my.yaml").write_text(json.dumps(policies))
        options = ("--configfile", base, tmp_path / "my.yaml", "--policy", "p", "--out", tmp_path / "out")
        ended, terminal = relax("base", *options)
        assert ended == code, terminal
        assert said in terminal.splitlines()[-1]
        assert not (tmp_path / "out").exists()
