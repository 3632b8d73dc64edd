"""Two processes (gloo): the same objective, also where a group is split between them."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from relax.training import length_order
from relax.training.dynamic_sampling import join, take_rows
from tests.conftest import REPOSITORY
from tests.training.trainer_fixture import GROUP, Recorder, direct_gradient, relative_error, save_dictionary, trainer

pytestmark = pytest.mark.slow


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def ranks_environment(rank: int, port: str) -> dict[str, str]:
    """What torchrun gives to one of two processes."""
    return os.environ | {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "PYTHONPATH": str(REPOSITORY),
    }  # fmt: skip


def two_processes(policy: Path, folder: Path, **options) -> list[dict[float, dict]]:
    """What each rank kept, by alpha."""
    port = free_port()
    started = []
    for rank in range(2):
        script = str(REPOSITORY / "tests" / "training" / "ranks.py")
        command = [sys.executable, script, str(policy), str(folder), json.dumps(options)]
        started.append(subprocess.Popen(command, env=ranks_environment(rank, port), stderr=subprocess.PIPE, text=True))
    for process in started:
        _, text = process.communicate(timeout=300)
        assert process.returncode == 0, text[-3000:]
    return [
        {alpha: torch.load(folder / f"rank-{rank}-{alpha}.pt", weights_only=True) for alpha in (0.0, 2.0)}
        for rank in range(2)
    ]


def passes_of(ranks: list[dict[float, dict]], tokens: int) -> list[int]:
    """Passes that each process would make by itself."""
    whole = join([rank[2.0]["batch"] for rank in ranks], 0)
    order = length_order.longest_first(*length_order.lengths(whole))
    shares = [take_rows(whole, length_order.dealt(order, rank, len(ranks))) for rank in range(len(ranks))]
    return [len(length_order.by_tokens(*length_order.lengths(share), tokens)) for share in shares]


@pytest.mark.parametrize(
    ("micro", "accumulation", "split", "tokens"),
    [(8, 1, False, None), (2, 3, True, None), (8, 1, False, 47)],
    ids=["whole groups", "a group on both", "by tokens, of which one has more passes"],
)
def test_the_gradient_is_that_of_the_whole_batch(
    tiny_policy: Path, tmp_path: Path, micro: int, accumulation: int, split: bool, tokens: int | None
) -> None:
    options = {"per_device_train_batch_size": micro, "gradient_accumulation_steps": accumulation}
    assert bool(micro * accumulation % GROUP) == split
    ranks = two_processes(tiny_policy, tmp_path, tokens_per_micro_batch=tokens, **options)
    if tokens is not None:
        assert len(set(passes_of(ranks, tokens))) == 2
    for name, value in ranks[0][2.0]["gradient"].items():
        assert torch.equal(value, ranks[1][2.0]["gradient"][name])
    one = trainer(
        tiny_policy, tmp_path, Recorder, dtype=torch.float64, alpha=2.0, beta=0.0, kl_mode="none", ridge=1e-2,
        dictionary=save_dictionary(tmp_path),
    )  # fmt: skip
    one.batches = [join([rank[2.0]["batch"] for rank in ranks], one.processing_class.pad_token_id)]
    assert len(one.batches[0]["advantages"]) == 2 * micro * accumulation
    expected = direct_gradient(one, None)
    with_term, without = (ranks[0][alpha]["gradient"] for alpha in (2.0, 0.0))
    term = {name: with_term[name] - without[name] for name in with_term if name in expected}
    assert relative_error(term, expected) < 1e-5


def test_dynamic_sampling_fills_both_in_as_many_rounds(tiny_policy: Path, tmp_path: Path) -> None:
    ranks = two_processes(tiny_policy, tmp_path, per_device_train_batch_size=8, dynamic_sampling=True)
    batches = [rank[2.0]["batch"] for rank in ranks]
    for batch in batches:
        assert batch["relax_informative"].all()
        assert batch["advantages"].view(-1, GROUP).abs().amax(1).min() > 0
        assert batch["num_items_in_batch"] == sum(other["completion_mask"].sum() for other in batches)
    (logged,) = ranks[0][2.0]["metrics"]
    assert logged["sampling/rounds"] >= 2
    assert logged["sampling/filled"] == 1
    prompts = [{tuple(row) for row in batch["prompt_ids"].tolist()} for batch in batches]
    assert not prompts[0] & prompts[1]


def test_they_agree_although_one_has_no_response_to_fit_a_dictionary_on(tiny_policy: Path, tmp_path: Path) -> None:
    port, script = free_port(), REPOSITORY / "tests" / "training" / "ranks_truncated.py"
    started = []
    for rank in range(2):
        command = [sys.executable, str(script), str(tiny_policy), str(tmp_path)]
        env = ranks_environment(rank, port) | {"PYTHONPATH": str(REPOSITORY)}
        started.append(subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True))
    for process in started:
        _, text = process.communicate(timeout=300)
        assert process.returncode == 0, text[-3000:]
    first, second = (json.loads((tmp_path / f"rank-{rank}.json").read_text()) for rank in range(2))
    assert first == second
    assert first["waited"] == [True, False]
    assert first["matched_length"] == 8
    assert first["left_out"] == [1.0, pytest.approx(0.75)]
