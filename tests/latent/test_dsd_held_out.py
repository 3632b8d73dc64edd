"""What ``relax dsd`` shows is what it may claim: held-out responses, a dimension that fits, states of the text."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from relax.koopman import Dictionary, TrajectoryStatistics, trajectory_statistics
from relax.koopman.operator import RIDGE
from tests.latent.dsd_fixture import M, oracle, relax_dsd, rows, value_of


def test_the_rows_marked_as_held_out_are_those_that_the_dictionary_was_judged_on(
    done: tuple[Path, str], tiny_policy: Path
) -> None:
    out, _ = done
    marks = pd.read_parquet(out / "trajectories.parquet").set_index("id").dictionary
    assert set(marks) == {"fitted", "held out"}
    weight = Dictionary.load(out / "dictionary.safetensors").weight
    mask, parts = torch.ones(1, 1, dtype=torch.bool), []
    for row in rows(out / "responses.jsonl"):
        if marks[row["id"]] == "held out":
            states = oracle(tiny_policy, row["prompt_ids"], row["response_ids"])
            parts.append(trajectory_statistics(states, weight, mask.expand(1, states.shape[1])))
    pooled = TrajectoryStatistics.cat(parts).pooled()
    quality = json.loads((out / "summary.json").read_text())["dictionary"]
    assert quality["condition"] == pytest.approx(pooled.condition().item(), rel=1e-3)
    assert quality["effective_rank"] == pytest.approx(pooled.effective_rank().item(), rel=1e-5)


def test_figures_show_the_held_out_rows_alone(
    done: tuple[Path, str], options: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from relax.latent import dsd_output

    drawn = []

    def note(model: str, shown: pd.DataFrame, *rest: object) -> dict[str, bytes]:
        drawn.append(shown)
        return draw_figures(model, shown, *rest)

    draw_figures = dsd_output.draw_figures
    monkeypatch.setattr(dsd_output, "draw_figures", note)
    assert relax_dsd(*options, "--out", tmp_path / "fitted")[0] == 0
    assert set(drawn.pop().dictionary) == {"held out"}
    given = ["--responses", done[0] / "responses.jsonl", "--dictionary", done[0] / "dictionary.safetensors"]
    code, terminal = relax_dsd(*options, *given, "--out", tmp_path / "given")
    assert code == 0, terminal
    assert set(drawn[0].dictionary) == {"given"}
    assert len(drawn[0]) == len(pd.read_parquet(tmp_path / "given" / "trajectories.parquet"))
    assert "that W was not fitted on" not in terminal


def test_a_dimension_beyond_every_response_is_warned_of_before_it_takes_minutes(
    options: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from relax.latent import dsd

    monkeypatch.setattr(dsd, "FIT_STEPS", 1)
    monkeypatch.setattr(dsd, "SECONDS_OF_CUBE", 60.0)  # a minute for each response and step, times m^3
    code, terminal = relax_dsd(*options, "--koopman-dim", 40, "--out", tmp_path / "large")
    assert code == 0, terminal
    longest = pd.read_parquet(tmp_path / "large" / "trajectories.parquet").length.max()
    count = len(pd.read_parquet(tmp_path / "large" / "trajectories.parquet"))
    said = f"warning: m = 40 functions, but the longest response has {longest} states"
    assert said in terminal
    assert terminal.index(said) < terminal.index("fitting W")
    assert f"takes about {(count + 1) * 40**3} minutes" in terminal
    monkeypatch.setattr(dsd, "SECONDS_OF_CUBE", 1e-8)
    assert "warning: m = 40" not in relax_dsd(*options, "--koopman-dim", 40, "--out", tmp_path / "again")[1]


def test_the_state_of_the_end_token_is_left_out_where_asked(
    done: tuple[Path, str], options: list[object], tiny_policy: Path, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    dictionary = Dictionary.random(32, M, seed=1, position="text")
    dictionary.save(tmp_path / "w.safetensors")
    code, terminal = relax_dsd(*options, "--dictionary", tmp_path / "w.safetensors", "--out", tmp_path / "out")
    assert code == 0, terminal
    table = pd.read_parquet(tmp_path / "out" / "trajectories.parquet").set_index("id")
    end = AutoTokenizer.from_pretrained(tiny_policy).eos_token_id
    sampled = rows(tmp_path / "out" / "responses.jsonl")
    ended = [row["response_ids"][-1] == end for row in sampled]
    assert any(ended)
    assert not all(ended)
    for row, end_is_there in zip(sampled, ended, strict=True):
        states = oracle(tiny_policy, row["prompt_ids"], row["response_ids"])
        states = states[:, :-1] if end_is_there else states
        assert table.loc[row["id"]].length == states.shape[1] > 1
        expected = value_of(states, dictionary, "eigenvalues", RIDGE)
        assert table.loc[row["id"]].dsd_eigenvalues == pytest.approx(expected, rel=1e-4, abs=1e-9)
    fitted = relax_dsd(*options, "--position", "text", "--out", tmp_path / "fitted")
    assert fitted[0] == 0, fitted[1]
    assert Dictionary.load(tmp_path / "fitted" / "dictionary.safetensors").settings.position == "text"
    states = pd.read_parquet(tmp_path / "fitted" / "trajectories.parquet").length.sum()
    assert json.loads((tmp_path / "fitted" / "summary.json").read_text())["dictionary"]["states"] == states
