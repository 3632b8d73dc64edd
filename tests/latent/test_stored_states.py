"""Hidden states in a temporary file: what is read is what was written, and nothing is left of the file."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from relax.errors import MachineError
from relax.koopman import SPECTRA, Dictionary, TrajectoryStatistics, shuffle_time, trajectory_statistics
from relax.latent import dictionary_stage, states
from relax.latent.rollouts import Rollout
from relax.latent.states import BATCH, response_states, statistics_with_baseline
from relax.latent.stored_states import Chosen, StoredStates, store_states
from relax.models.policy import load_policy
from tests.conftest import REPOSITORY

RIDGE = 1e-3


def rollouts(count: int) -> list[Rollout]:
    """Responses of one to 24 tokens, a few of them long, to prompts of one to four."""
    generator = torch.Generator().manual_seed(0)

    def tokens(length: int) -> list[int]:
        return torch.randint(4, 15, (length,), generator=generator).tolist()

    lengths = [24 if i % 9 == 4 else 1 + i % 7 for i in range(count)]
    return [Rollout(f"p{i}/0", "", tokens(1 + i % 4), tokens(length), "") for i, length in enumerate(lengths)]


@pytest.mark.parametrize("kind", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_what_is_read_is_what_was_written(kind: torch.dtype, tmp_path: Path) -> None:
    made = {f"r{i}": torch.randn(40, 6).to(kind)[4 * i :, ::2] for i in range(11)}
    assert any(not rows.is_contiguous() for rows in made.values())
    with StoredStates(tmp_path / "new" / "folder") as stored:
        for name, rows in made.items():
            stored.add(name, rows)
        assert list((tmp_path / "new" / "folder").iterdir()) == []  # the file has no name
        assert list(stored) == list(made)
        assert "r3" in stored
        assert "r11" not in stored
        for name in reversed(list(made)):
            assert torch.equal(stored[name], made[name])
            assert stored[name].dtype == kind
            assert stored.length(name) == len(made[name])
        some = Chosen(stored, ["r7", "r2", "r10"])
        assert [len(rows) for rows in some] == [12, 32, 0]
        assert torch.equal(some[1:][0], made["r2"])
    with pytest.raises(ValueError, match="closed file"):
        stored["r0"]


def test_a_disk_that_is_full_or_forgets_is_one_sentence(tmp_path: Path) -> None:
    with StoredStates(tmp_path) as stored:
        stored.add("r", torch.ones(4, 4))
        stored._file.truncate(20)
        with pytest.raises(MachineError, match=r"cannot write there \(Input/output error\)"):
            stored["r"]
        stored._file.close()
        stored._file = open("/dev/full", "r+b", buffering=0)  # noqa: SIM115
        with pytest.raises(MachineError, match=r"cannot write there \(No space left on device.*make room and run"):
            stored.add("s", torch.ones(4, 4))


def test_nothing_is_left_of_the_states_of_a_process_that_was_killed(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys, torch\n"
        "from relax.latent.stored_states import StoredStates\n"
        "stored = StoredStates(sys.argv[1])\n"
        "stored.add('r', torch.ones(100, 100))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=REPOSITORY, check=False)
    assert ended.returncode == -9
    assert os.listdir(tmp_path) == []


def test_the_dictionary_stage_fits_what_states_in_memory_give(
    tiny_policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W, its report and the percentiles of DSD are, to the bit, those of batches of 64 that are all held."""
    model, processing = load_policy(tiny_policy)
    rows = rollouts(150)
    batches = list(response_states(model, rows, processing, 64))
    assert [len(mask) for _, mask in batches] == [64, 64, 22]
    held = [h[i, :n] for h, mask in batches for i, n in enumerate(mask.sum(1).tolist()) if n > 1]
    expected = Dictionary.fit(
        [one for i, one in enumerate(held) if i % 4], koopman_dim=6, ridge=RIDGE, epochs=3, batch=16, seed=2
    )
    statistics = TrajectoryStatistics.cat([trajectory_statistics(h, expected.weight, mask) for h, mask in batches])

    settings = SimpleNamespace(
        rollouts=150, max_response_length=24, temperature=1.0, seed=2, koopman_dim=6, objective="residual", ridge=RIDGE,
        learning_rate=1e-3, epochs=3, batch_size=16, position="response", probes=4,
        prompt=SimpleNamespace(recorded=dict),
    )  # fmt: skip
    run = SimpleNamespace(metrics={}, seeds={}, finish=lambda *args, **more: None)
    monkeypatch.setattr(dictionary_stage, "sample", lambda *args, **more: rows)
    monkeypatch.setattr(dictionary_stage, "read_problems", lambda path: [SimpleNamespace(subset="")] * 150)
    dictionary_stage.dictionary_stage(settings, tiny_policy, "data", tmp_path / "out", run, "it")
    written = Dictionary.load(tmp_path / "out" / "dictionary.safetensors")
    assert written.hash == expected.hash
    for name, value in expected.report(held[::4]).items():
        assert run.metrics[name] == value
    percentiles = json.loads((tmp_path / "out" / "initial_dsd.json").read_text())
    for spectrum in SPECTRA:
        values = statistics.dsd(spectrum, RIDGE)
        assert percentiles[spectrum]["q90"] == torch.quantile(values, 0.9).item()
        assert run.metrics[f"dsd_{spectrum}"] == values.mean().item()


def test_the_longest_pass_first_within_a_bound_and_come_back_in_their_order(
    tiny_policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, processing = load_policy(tiny_policy, torch.float64)
    rows, dictionary = rollouts(70), Dictionary.random(32, 6)
    shapes: list[tuple[int, int]] = []
    forward = model.base_model.forward

    def noted(*args: object, **inputs: torch.Tensor) -> object:
        shapes.append(tuple(inputs["input_ids"].shape))
        return forward(*args, **inputs)

    batches = list(response_states(model, rows, processing, BATCH))
    monkeypatch.setattr(states, "NUMBERS", 60 * states.WIDTH)
    monkeypatch.setattr(model.base_model, "forward", noted)
    real, shuffled = statistics_with_baseline(model, rows, dictionary, processing, seed=5)
    assert sum(count for count, _ in shapes) == len(rows)
    assert all(count * width <= 60 for count, width in shapes)
    exist = sum(len(row.prompt_ids) + len(row.response_ids) for row in rows)
    assert sum(count * width for count, width in shapes) < 1.5 * exist < 70 * 28 / 1.5
    # Neither the order nor the size of batches changes a number, those of the shuffled states included.
    weight = dictionary.weight
    plain = TrajectoryStatistics.cat([trajectory_statistics(h, weight, mask) for h, mask in batches])
    mixed = TrajectoryStatistics.cat(
        [trajectory_statistics(shuffle_time(h, mask, seed=5), weight, mask) for h, mask in batches]
    )
    for mine, other in ((real, plain), (shuffled, mixed)):
        assert mine.length.tolist() == [len(row.response_ids) for row in rows]
        for name in ("gram", "cross", "gram_next", "last"):
            assert torch.allclose(getattr(mine, name), getattr(other, name), rtol=1e-6, atol=1e-9), name


@pytest.mark.parametrize("position", ["response", "predicting", "text"])
def test_stored_states_do_not_pass_again_and_give_the_same_numbers(
    position: str, tiny_policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, processing = load_policy(tiny_policy)
    rows, dictionary = rollouts(40), Dictionary.random(32, 6, position=position)
    rows = [dataclasses.replace(row, response_ids=[*row.response_ids, processing.eos_token_id]) for row in rows]
    expected = statistics_with_baseline(model, rows, dictionary, processing, seed=5)
    with StoredStates(tmp_path) as stored:
        store_states(stored, model, rows[1::2], processing, position)
        found = statistics_with_baseline(model, rows, dictionary, processing, seed=5, stored=stored)
        store_states(stored, model, rows[::2], processing, position)
        assert len(stored) == len(rows)
        monkeypatch.setattr(model.base_model, "forward", lambda input_ids: pytest.fail("a response passed again"))
        without = statistics_with_baseline(model, rows, dictionary, processing, seed=5, stored=stored)
    for mine in (found, without):
        for a, b in zip(mine, expected, strict=True):
            assert torch.equal(a.length, b.length)
            for spectrum in SPECTRA:
                assert torch.allclose(a.dsd(spectrum, 0.1), b.dsd(spectrum, 0.1), rtol=1e-5, atol=1e-9)
