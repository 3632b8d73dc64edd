"""A damaged checkpoint is never trained on: found whatever happened to whichever file, named, set aside, replaced."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from relax.errors import DataError, MachineError
from relax.training import checkpoints
from relax.training.checkpoints import COMPLETE, newest_whole, remove_unfinished, seal
from relax.training.sample import RolloutSample
from tests.training.test_ranks import free_port, ranks_environment
from tests.training.trainer_fixture import GROUP, save_dictionary, trainer, weights

#: All that a training in one process on a CPU reads back.
FILES = (
    "model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "rollouts_0.pt", "trainer_state.json",
    "relax.json", "dictionary.safetensors", "rollouts.jsonl",
)  # fmt: skip


def remove(path: Path) -> None:
    path.unlink()


def halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip(path: Path) -> None:
    """Two bytes in the middle, the size stays."""
    content = bytearray(path.read_bytes())
    for place in (len(content) // 2, len(content) // 2 + 1):
        content[place] ^= 0x10
    path.write_bytes(content)


#: Damage -> what is said of the file.
DAMAGE: dict[Callable[[Path], None], str] = {
    remove: "{} is missing",
    halve: "{} has ",
    flip: "{} has other content than was written",
}


def made(policy: Path, folder: Path, **options):
    """A trainer that is in the middle of its rollouts at every checkpoint, with a sample of them."""
    built = trainer(
        policy, folder / "run", alpha=0.1, beta=0.01, xi=0.05, dictionary=save_dictionary(folder), max_steps=3,
        steps_per_generation=2, save_strategy="steps", save_steps=1, **options,
    )  # fmt: skip
    built.sample = RolloutSample(3, 1, 2, GROUP, built.processing_class, built.reward_func_names)
    return built


def outcome(trained) -> tuple[dict[str, torch.Tensor], str]:
    return weights(trained.model), trained.sample.text()


def equal(first: tuple, second: tuple) -> bool:
    return first[1] == second[1] and all(torch.equal(first[0][name], value) for name, value in second[0].items())


@pytest.fixture(scope="module")
def stopped(tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple]:
    """Two checkpoints of a training of three steps, and how it ends when nothing comes between."""
    folder = tmp_path_factory.mktemp("stopped")
    straight = made(tiny_policy, folder)
    straight.train()
    shutil.rmtree(folder / "run" / "checkpoint-3")
    return folder / "run", outcome(straight)


@pytest.fixture
def run(stopped, tmp_path: Path) -> Path:
    """A copy of the two, to be damaged."""
    return Path(shutil.copytree(stopped[0], tmp_path / "run"))


def test_the_mark_knows_every_file(stopped) -> None:
    folder = stopped[0] / "checkpoint-2"
    files = json.loads((folder / COMPLETE).read_text())["files"]
    assert set(files) == {path.name for path in folder.iterdir()} - {COMPLETE}
    assert set(FILES) < set(files)
    for name, (size, sha256) in files.items():
        assert (folder / name).stat().st_size == size
        assert len(sha256) == 64


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", FILES)
def test_damage_is_named_and_the_checkpoint_before_it_is_used(run: Path, caplog, name: str, damage: Callable) -> None:
    damage(run / "checkpoint-2" / name)
    assert newest_whole(run) == run / "checkpoint-1"
    (said,) = caplog.messages
    assert said.startswith(f"{run / 'checkpoint-2'}: damaged ({DAMAGE[damage].format(name)}")
    assert said.endswith("it is not used, and kept as damaged-checkpoint-2.")
    assert {path.name for path in run.iterdir() if path.is_dir()} == {"checkpoint-1", "damaged-checkpoint-2"}
    assert newest_whole(run) == run / "checkpoint-1"
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(
    ("name", "damage"),
    [("optimizer.pt", remove), ("model.safetensors", flip), *((name, halve) for name in FILES)],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_resume_past_a_damaged_checkpoint_ends_with_the_same_weights(
    stopped, tiny_policy: Path, tmp_path: Path, run: Path, name: str, damage: Callable
) -> None:
    damage(run / "checkpoint-2" / name)
    resumed = made(tiny_policy, tmp_path)
    resumed.train(resume_from_checkpoint=True)
    assert equal(outcome(resumed), stopped[1])
    assert (run / "damaged-checkpoint-2").is_dir()
    assert newest_whole(run) == run / "checkpoint-3"


# What else happens to checkpoints -----------------------------------------------------------------------


@pytest.mark.parametrize("damage", [halve, flip], ids=lambda f: f.__name__)
def test_a_damaged_mark_is_damage(run: Path, caplog, damage: Callable) -> None:
    damage(run / "checkpoint-2" / COMPLETE)
    assert newest_whole(run) == run / "checkpoint-1"
    assert "checkpoint-2: damaged (its completion mark, complete, is not what was written)" in caplog.text


def test_an_unfinished_one_is_passed_over_and_stays(run: Path, caplog) -> None:
    remove(run / "checkpoint-2" / COMPLETE)
    assert newest_whole(run) == run / "checkpoint-1"
    assert "checkpoint-2: has no completion mark, as if interrupted while it was written; it is not used" in caplog.text
    assert (run / "checkpoint-2").is_dir()
    (run / "checkpoint-2-copy").mkdir()  # a user's
    assert remove_unfinished(run)
    assert {path.name for path in run.glob("checkpoint-*")} == {"checkpoint-1", "checkpoint-2-copy"}


def test_an_empty_mark_proves_nothing(run: Path, caplog) -> None:
    """As a full disk or a power cut may leave one."""
    (run / "checkpoint-2" / COMPLETE).write_bytes(b"")
    (run / "checkpoint-7").write_text("a file of the user's")
    assert newest_whole(run) == run / "checkpoint-1"
    assert "checkpoint-2: damaged (its completion mark, complete, is not what was written)" in caplog.text


def test_where_none_is_whole_nothing_starts_from_the_beginning_by_itself(tiny_policy, tmp_path: Path, run) -> None:
    flip(run / "checkpoint-2" / "model.safetensors")
    remove(run / "checkpoint-1" / "scheduler.pt")
    refused = made(tiny_policy, tmp_path)
    words = (
        rf"^{run}: none of its checkpoints is whole \(damaged-checkpoint-1, damaged-checkpoint-2\); "
        r"remove them to start the training over\.$"
    )
    for _ in range(2):
        with pytest.raises(DataError, match=words):
            refused.train(resume_from_checkpoint=True)
        assert remove_unfinished(run)
    for path in run.glob("damaged-*"):
        shutil.rmtree(path)
    assert not remove_unfinished(run)
    assert newest_whole(run) is None


def test_the_same_checkpoint_damaged_again_takes_no_place_of_the_first(run: Path) -> None:
    for number in range(3):
        shutil.copytree(run / "checkpoint-1", run / "checkpoint-5")
        (run / "checkpoint-5" / "relax.json").write_text(str(number))
        newest_whole(run)
    kept = ["damaged-checkpoint-5", "damaged-checkpoint-5-2", "damaged-checkpoint-5-3"]
    assert [(run / name / "relax.json").read_text() for name in kept] == ["0", "1", "2"]


def test_one_asked_for_by_its_path_is_refused_and_left_where_it_is(tiny_policy: Path, tmp_path: Path, run) -> None:
    refused, path = made(tiny_policy, tmp_path), run / "checkpoint-2"

    def asked(words: str) -> None:
        with pytest.raises(DataError, match=words):
            refused.train(resume_from_checkpoint=str(path))

    remove(path / "rollouts_0.pt")
    refused.state.best_model_checkpoint = str(path)
    with pytest.raises(DataError, match=r"checkpoint-2: damaged \(rollouts_0.pt is missing\)"):
        refused._load_best_model()
    asked(r"checkpoint-2: damaged \(rollouts_0.pt is missing\); go on from another one, or with")
    seal(path)
    refused._load_best_model()  # which needs the weights alone
    asked("checkpoint-2: holds nothing of process 0, as it was written by fewer processes or with save_only_model")
    remove(path / COMPLETE)
    asked("checkpoint-2: has no completion mark, complete: it was interrupted while it was written, or is not of")
    shutil.rmtree(path)
    asked("checkpoint-2: no such checkpoint")
    assert {path.name for path in run.iterdir() if path.is_dir()} == {"checkpoint-1"}


def test_a_full_disk_under_the_mark_costs_no_older_checkpoint(stopped, tiny_policy, tmp_path: Path, run: Path) -> None:
    """As is a kill between the last file and the mark: of the limit of one checkpoint the older one is left."""
    (run / "checkpoint-3").mkdir()
    (run / "checkpoint-3" / COMPLETE).write_text("an earlier training's")
    (run / "checkpoint-3" / f".{COMPLETE}.tmp").symlink_to("/dev/full")
    full = made(tiny_policy, tmp_path, save_total_limit=1)
    with pytest.raises(MachineError, match=r"checkpoint-3: cannot write there \(No space left on device; "):
        full.train(resume_from_checkpoint=str(run / "checkpoint-2"))
    assert full.args.save_total_limit == 1
    assert not (run / "checkpoint-3" / COMPLETE).exists()
    assert newest_whole(run) == run / "checkpoint-2"
    remove(run / "checkpoint-3" / f".{COMPLETE}.tmp")
    flip(run / "checkpoint-2" / "optimizer.pt")
    again = made(tiny_policy, tmp_path, save_total_limit=1)
    again.train(resume_from_checkpoint=True)
    assert equal(outcome(again), stopped[1])
    # The rotation takes whole ones alone, after the new mark; what was set aside is the user's.
    assert {path.name for path in run.iterdir() if path.is_dir()} == {"checkpoint-3", "damaged-checkpoint-2"}
    assert newest_whole(run) == run / "checkpoint-3"


def test_files_in_folders_count_also_hidden_ones(tmp_path: Path, caplog) -> None:
    """The layout of FSDP's sharded checkpoints."""
    for number in (1, 2):
        folder = tmp_path / f"checkpoint-{number}"
        (folder / "pytorch_model_fsdp_0").mkdir(parents=True)
        for name in (".metadata", "__0_0.distcp", "__1_0.distcp"):
            (folder / "pytorch_model_fsdp_0" / name).write_text(name * number)
        seal(folder)
    flip(tmp_path / "checkpoint-2" / "pytorch_model_fsdp_0" / ".metadata")
    remove(tmp_path / "checkpoint-2" / "pytorch_model_fsdp_0" / "__1_0.distcp")
    (tmp_path / "checkpoint-1" / "notes.txt").write_text("mine")
    assert newest_whole(tmp_path) == tmp_path / "checkpoint-1"
    assert "(pytorch_model_fsdp_0/.metadata has other content than was written; 1 more of its files" in caplog.text


def test_a_disk_that_gives_no_bytes_is_damage_and_a_permission_is_not(run: Path, monkeypatch, caplog) -> None:
    def broken(number: int) -> None:
        def read(path: Path) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(checkpoints, "_facts", read)

    broken(errno.EACCES)
    with pytest.raises(MachineError, match=r"checkpoint-2/.*: cannot be read \(Permission denied\); make it readable"):
        newest_whole(run)
    assert (run / "checkpoint-2").is_dir()
    broken(errno.EIO)
    with pytest.raises(DataError):
        newest_whole(run)
    assert "cannot be read (Input/output error)" in caplog.text
    (folder := run / "checkpoint-9" / COMPLETE).mkdir(parents=True)
    with pytest.raises(MachineError, match=rf"{folder}: cannot be read \(Is a directory\)"):
        newest_whole(run)


RESUMABLE = """
import sys
from pathlib import Path
from accelerate import Accelerator
from relax.errors import DataError
from relax.training.checkpoints import resumable
accelerator, found = Accelerator(cpu=True), []
for folder in sys.argv[1:]:
    try:
        found.append(Path(resumable(True, Path(folder), accelerator)).name)
    except DataError as error:
        found.append(str(error))
print(*found, sep="\\n")
"""


@pytest.mark.slow
def test_of_two_processes_one_looks_and_both_hear_it(run: Path, tmp_path: Path) -> None:
    for number in (1, 2):
        shutil.copyfile(run / f"checkpoint-{number}/rollouts_0.pt", run / f"checkpoint-{number}/rollouts_1.pt")
        seal(run / f"checkpoint-{number}")
    flip(run / "checkpoint-2" / "rollouts_1.pt")
    lost = Path(shutil.copytree(run, tmp_path / "lost"))
    flip(lost / "checkpoint-1" / "relax.json")
    port = free_port()
    started = [
        subprocess.Popen(
            [sys.executable, "-c", RESUMABLE, str(run), str(lost)],
            env=ranks_environment(rank, port),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    for process in started:
        said, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors[-3000:]
        first, second = said.splitlines()
        assert first == "checkpoint-1"
        assert second.startswith(f"{lost}: none of its checkpoints is whole (")
