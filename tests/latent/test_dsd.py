"""``relax dsd`` through the real command line, against plain forward passes of transformers."""

import json
import random
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import ttest_1samp

from relax.koopman import ROBUST_RIDGE, SPECTRA, Dictionary
from relax.koopman.operator import RIDGE
from relax.tasks import noisy_sum
from tests.latent.dsd_fixture import M, oracle, relax_dsd, rows, value_of, write_rows

FILES = {
    "trajectories.parquet", "trajectories.csv", "eigenvalues.parquet", "dictionary.safetensors", "responses.jsonl",
    "summary.json", "run.json",
    *(f"{name}.{kind}" for name in ("eigenvalues", "dsd_length", "pseudospectrum") for kind in ("png", "svg")),
}  # fmt: skip


# What comes out ---------------------------------------------------------------------------------


def test_all_outputs_are_there_and_recorded(done: tuple[Path, str], options: list[object]) -> None:
    out, _ = done
    assert {path.name for path in out.iterdir()} == FILES
    record = json.loads((out / "run.json").read_text())
    assert {Path(path).name for path in record["outputs"]} == FILES - {"run.json"}
    assert str(options[3]) in record["inputs"]
    assert (record["verb"], record["settings"]["koopman_dim"], record["seeds"]) == ("dsd", M, {"dsd": 3})
    table = pd.read_parquet(out / "trajectories.parquet")
    held_out = table[table.dictionary == "held out"]
    assert record["metrics"]["dsd_eigenvalues/mean"] == pytest.approx(held_out.dsd_eigenvalues.mean())
    assert (record["metrics"]["responses"], record["metrics"]["shown"]) == (len(table), len(held_out))
    assert record["dictionary_hash"] == Dictionary.load(out / "dictionary.safetensors").hash
    for name in FILES:
        if name.endswith(".png"):
            assert (out / name).read_bytes().startswith(b"\x89PNG"), name
        elif name.endswith(".svg"):
            assert "</svg>" in (out / name).read_text()[-20:], name


def test_the_table_is_what_a_plain_forward_pass_gives(done: tuple[Path, str], tiny_policy: Path) -> None:
    out, _ = done
    table = pd.read_parquet(out / "trajectories.parquet").set_index("id")
    dictionary = Dictionary.load(out / "dictionary.safetensors")
    sampled = rows(out / "responses.jsonl")
    assert [row["id"] for row in sampled] == list(table.index)
    assert len(sampled) > 20
    for row in sampled[::3]:
        states = oracle(tiny_policy, row["prompt_ids"], row["response_ids"])
        mine = table.loc[row["id"]]
        assert mine.length == len(row["response_ids"])
        assert mine.response == row["response"]
        for spectrum in SPECTRA:
            assert mine[f"dsd_{spectrum}"] == pytest.approx(value_of(states, dictionary, spectrum, RIDGE), rel=1e-4)
            robust = value_of(states, dictionary, spectrum, ROBUST_RIDGE)
            assert mine[f"dsd_{spectrum}_ridge_{ROBUST_RIDGE}"] == pytest.approx(robust, rel=1e-4)
            assert mine[f"shuffled_{spectrum}"] != mine[f"dsd_{spectrum}"]


def test_tables_agree_with_each_other(done: tuple[Path, str]) -> None:
    out, _ = done
    table = pd.read_parquet(out / "trajectories.parquet")
    text = pd.read_csv(out / "trajectories.csv", keep_default_na=False, na_values=["inf"])
    assert list(text.columns) == list(table.columns)
    assert text.dsd_singular_values.to_numpy() == pytest.approx(table.dsd_singular_values.to_numpy(), rel=1e-12)
    values = pd.read_parquet(out / "eigenvalues.parquet")
    assert len(values) == M * len(table)
    size = (values["real"] ** 2 + values["imag"] ** 2) ** 0.5
    spread = size.groupby(values["id"], sort=False).var()
    assert spread.to_numpy() == pytest.approx(table.dsd_eigenvalues.to_numpy(), rel=1e-9)
    middle = values.groupby("id", sort=False).residual.median()
    assert middle.to_numpy() == pytest.approx(table.residual.to_numpy(), rel=1e-9)


def test_the_terminal_and_the_summary_say_what_was_found(done: tuple[Path, str]) -> None:
    out, terminal = done
    table = pd.read_parquet(out / "trajectories.parquet")
    total, table = len(table), table[table.dictionary == "held out"]
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["responses"], summary["shown"]) == (total, len(table))
    assert summary["table"]["length"]["mean"] == pytest.approx(table.length.mean())
    assert f"{table.length.mean():.3g}" in next(line for line in terminal.splitlines() if line.startswith("states T"))
    assert f"rows and figures: the {len(table)} responses that W was not fitted on" in terminal
    quality = summary["dictionary"]
    assert (quality["fitted_on"], quality["held_out"]) == (total - -(-total // 4), -(-total // 4))
    assert quality["residual_q50"] != quality["random_residual_q50"]
    assert f"dictionary fitted on {quality['fitted_on']} of these responses" in terminal
    short = int((table.length <= 2 * M).sum())
    assert 0 < short == summary["short"]
    assert f"warning: {short} of {len(table)} responses have T <= 2m = 12 states" in terminal
    assert summary["longest"] in set(table.id)
    singular = np.isinf(table.condition)
    assert 0 < singular.sum() == summary["singular"] < len(table)
    assert summary["table"]["condition"]["mean"] == pytest.approx(table.condition[~singular].mean())
    assert f"the Gram matrix of {singular.sum()} of {len(table)} responses is singular" in terminal
    interval = ttest_1samp(table.dsd_eigenvalues, 0).confidence_interval(0.95)
    within = summary["within"]["dsd_eigenvalues"]
    assert within == pytest.approx((interval.high - interval.low) / 2)
    assert f"warning: the numbers are of {len(table)} of {total} responses, those that W was not fitted on" in terminal
    assert f"{table.dsd_eigenvalues.mean():.3g} +- {within:.2g} (95 % interval over responses)" in terminal
    assert "dsd: sampling: " in terminal
    assert "Traceback" not in terminal


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_responses(
    done: tuple[Path, str], options: list[object], tmp_path: Path
) -> None:
    out, _ = done
    assert relax_dsd(*options, "--out", tmp_path / "again")[0] == 0
    for name in FILES - {"run.json"}:
        assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes(), name
    assert relax_dsd(*options[:-1], 4, "--out", tmp_path / "other")[0] == 0
    assert rows(tmp_path / "other" / "responses.jsonl") != rows(out / "responses.jsonl")


# Responses that are given -----------------------------------------------------------------------


@pytest.mark.parametrize("key", ["id", "prompt"])
def test_given_responses_are_read_as_a_plain_forward_pass_reads_them(
    key: str, done: tuple[Path, str], options: list[object], tiny_policy: Path, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    out, rng = done[0], random.Random(0)
    problems = list(reversed(rows(options[3])))
    texts = [noisy_sum.demonstrate(row["prompt"][:-1], rng, 0.2) for row in problems for _ in range(2)]
    asked = [row for row in problems for _ in range(2)]
    file = tmp_path / "responses.jsonl"
    write_rows(file, [{"response": text, key: row[key]} for text, row in zip(texts, asked, strict=True)])
    code, terminal = relax_dsd(
        *options, "--responses", file, "--dictionary", out / "dictionary.safetensors", "--out", tmp_path / "out"
    )
    assert code == 0, terminal
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES - {"dictionary.safetensors", "responses.jsonl"}
    table = pd.read_parquet(tmp_path / "out" / "trajectories.parquet")
    assert list(table.response) == texts
    assert list(table.id) == [f"{row['id']}/{k}" for row in problems for k in range(2)]
    assert table.length.nunique() > 1
    tokenizer, dictionary = AutoTokenizer.from_pretrained(tiny_policy), Dictionary.load(out / "dictionary.safetensors")
    for text, row, (_, mine) in zip(texts, asked, table.iterrows(), strict=True):
        states = oracle(tiny_policy, tokenizer(row["prompt"])["input_ids"], tokenizer(text)["input_ids"])
        for spectrum in SPECTRA:
            assert mine[f"dsd_{spectrum}"] == pytest.approx(value_of(states, dictionary, spectrum, RIDGE), rel=1e-4)


def test_bfloat16_is_near_float32_and_says_so(
    done: tuple[Path, str], options: list[object], tmp_path: Path, tiny_policy: Path
) -> None:
    out, _ = done
    shared = [*options, "--responses", out / "responses.jsonl", "--dictionary", out / "dictionary.safetensors"]
    code, terminal = relax_dsd(*shared, "--dtype", "bfloat16", "--out", tmp_path / "half")
    assert code == 0, terminal
    assert "(bfloat16)" in terminal
    assert relax_dsd(*shared, "--dtype", "float32", "--out", tmp_path / "full")[0] == 0
    half, full = (pd.read_parquet(tmp_path / kind / "trajectories.parquet") for kind in ("half", "full"))
    column = f"dsd_eigenvalues_ridge_{ROBUST_RIDGE}"
    assert (half[column] != full[column]).all()
    assert half[column].to_numpy() == pytest.approx(full[column].to_numpy(), rel=0.2)
    assert {"dtype": "bfloat16"}.items() <= json.loads((tmp_path / "half" / "run.json").read_text())["settings"].items()


# Any causal language model ----------------------------------------------------------------------


def make_family(name: str, folder: Path, tiny_policy: Path) -> Path:
    """A random model of another family, with the tiny policy's characters but no padding token."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_policy)
    tokenizer.pad_token = None
    sizes = {"vocab_size": len(tokenizer), "bos_token_id": None, "eos_token_id": 1, "pad_token_id": None}
    config = {
        "GPT2": lambda: transformers.GPT2Config(n_embd=16, n_layer=2, n_head=2, n_positions=48, **sizes),
        "Llama": lambda: transformers.LlamaConfig(hidden_size=16, intermediate_size=32, num_hidden_layers=2,
                                                  num_attention_heads=2, max_position_embeddings=48, **sizes),
        "Bloom": lambda: transformers.BloomConfig(hidden_size=16, n_layer=2, n_head=2, **sizes),
        "OPT": lambda: transformers.OPTConfig(hidden_size=16, ffn_dim=32, num_hidden_layers=2, num_attention_heads=2,
                                              word_embed_proj_dim=16, max_position_embeddings=48, **sizes),
    }[name]()  # fmt: skip
    torch.manual_seed(0)
    getattr(transformers, f"{name}{'LMHeadModel' if name == 'GPT2' else 'ForCausalLM'}")(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("family", ["GPT2", "Llama", "Bloom", "OPT"])
def test_other_families_agree_with_a_plain_forward_pass(family: str, tiny_policy: Path, tmp_path: Path) -> None:
    folder = make_family(family, tmp_path / "model", tiny_policy)
    file = write_rows(tmp_path / "prompts.jsonl", [{"prompt": "12:"}, {"prompt": "3456:", "id": 7}])
    dictionary = Dictionary.random(16, M, seed=1)
    dictionary.save(tmp_path / "w.safetensors")
    code, terminal = relax_dsd(
        "--model",
        folder,
        "--prompts",
        file,
        "--dictionary",
        tmp_path / "w.safetensors",
        "--samples",
        2,
        "--max-response-length",
        100,
        "--out",
        tmp_path / "out",
    )
    assert code == 0, terminal
    table = pd.read_parquet(tmp_path / "out" / "trajectories.parquet").set_index("id")
    assert {name.partition("/")[0] for name in table.index} == {"1", "7"}
    column = f"dsd_eigenvalues_ridge_{ROBUST_RIDGE}"
    for row in rows(tmp_path / "out" / "responses.jsonl"):
        states = oracle(folder, row["prompt_ids"], row["response_ids"])
        wanted = value_of(states, dictionary, "eigenvalues", ROBUST_RIDGE)
        assert table.loc[row["id"], column] == pytest.approx(wanted, rel=1e-3, abs=1e-9)
        if family != "Bloom":
            assert len(row["prompt_ids"] + row["response_ids"]) <= 48
    assert ("at most 43 tokens a response, not 100" in terminal) == (family != "Bloom")


def test_a_model_of_the_hub_is_found_in_the_local_cache(
    tiny_policy: Path, options: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    place = tmp_path / "models--someone--tiny"
    (place / "snapshots").mkdir(parents=True)
    (place / "snapshots" / ("0" * 40)).symlink_to(tiny_policy)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("0" * 40)
    code, terminal = relax_dsd("--model", "someone/tiny", *options[2:], "--out", tmp_path / "out")
    assert code == 0, terminal
    assert "responses sampled from someone/tiny (float32)" in terminal


def test_a_response_is_drawn_from_the_full_distribution_whatever_the_checkpoint_s_generation_settings(
    tiny_policy: Path, tmp_path: Path
) -> None:
    from relax.latent.rollouts import sample
    from relax.models.policy import load_policy
    from relax.tasks.problem import Problem

    model, tokenizer = load_policy(tiny_policy)
    problems = [Problem("a", "123:", "", "")]
    plain = sample(model, tokenizer, problems, 16, 20, 1.0, 0, "test")
    stubborn = {
        "do_sample": False,
        "temperature": 0.1,
        "top_k": 1,
        "top_p": 0.1,
        "repetition_penalty": 3.0,
        "max_length": 6,
        "pad_token_id": 5,
    }
    for name, value in stubborn.items():
        setattr(model.generation_config, name, value)
    assert sample(model, tokenizer, problems, 16, 20, 1.0, 0, "test") == plain
    assert max(len(rollout.response_ids) for rollout in plain) > 1


def test_the_fit_holds_a_bounded_number_of_states(
    done: tuple[Path, str], options: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from relax.latent import dsd

    monkeypatch.setattr(dsd, "FIT_NUMBERS", 32 * 200)
    shared = [*options, "--responses", done[0] / "responses.jsonl"]
    assert relax_dsd(*shared, "--out", tmp_path / "out")[0] == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["dictionary"]["states"] <= 200
    assert 8 <= summary["dictionary"]["fitted_on"] + summary["dictionary"]["held_out"] < summary["responses"]
