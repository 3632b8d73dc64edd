"""The study's tracked runs: small, the same again, added to, never changed; what does not belong is refused."""

import json
import math
import shutil

import pytest

from relax import cli
from relax.config import digest
from relax.records.record import digest_path
from relax.study.plan import TrackedRun
from relax.study.tracked_runs import collect_records, read_records
from tests.results.results_fixture import write_record

STEPS = 200
NAME = "study"
SETTINGS = {"training": {"steps": STEPS, "updates_per_generation": 2}}
OTHERS = {"training": {"steps": STEPS, "updates_per_generation": 3}}


def make_run(root, method="grpo", seed=1, policy="trap-a", end=0.02, graded=True):
    """What the stages of one run leave, as far as it is looked at."""
    identity = {"name": NAME, "policy": policy, "method": method, "seed": seed}
    folder = root / "train" / policy / method / f"seed-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [{"step": 0, **probes(1 / 3)}]
    for step in range(1, STEPS + 1):
        row = {"step": step, "entropy": end if step == STEPS - 1 else 1 / (step + 7 * seed), "loss": math.nan}
        if step % 2:
            row |= {"reward": 100 / 256, "strategy/chain": 0.9 if step >= 61 else 0.1, "strategy/rote": 0.1}
            row |= {
                f"dsd/{s}{kind}": 1 / (3 + step)
                for s in ("eigenvalues", "singular_values")
                for kind in ("", "/q10", "/ridge_0.1", "/matched")
            }
            row |= {"length": 27.123456789, "grad_norm": 0.123456789}
        lines.append(row | (probes(step / 7) if step % 10 == 0 else {}))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    responses = [
        {"step": step, "prompt": "3745811:", "response": f"3+7=0 {step} {i}", "reward": 1.0}
        for step in (1, 11, 199)
        for i in range(8)
    ]
    (folder / "rollouts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in responses))
    metrics = {"reward": 0.4, "dsd/eigenvalues": 0.123456789, "loss": 1.0, "seconds/step": 0.5}
    write_record(folder, "train", identity, SETTINGS, metrics)
    made = digest_path(folder / "metrics.jsonl")
    edit(folder, outputs={f"results/study/{folder.relative_to(root)}/metrics.jsonl": made})
    if graded:
        write_record(
            root / "koopman" / policy / method / f"seed-{seed}", "koopman", identity, metrics={"probe/length": 9}
        )
        scores = {"mean@16": 0.38, "mean@16_stderr": 0.1, "subset/hard/pass@16": 0.02, "maj@16": 0.4}
        place = root / "evaluate" / policy / method / f"seed-{seed}" / "answer-prior"
        write_record(place, "evaluate", identity | {"benchmark": "answer-prior"}, metrics=scores)


def probes(value):
    return {f"probe/{s}{ridge}": value for s in ("eigenvalues", "singular_values") for ridge in ("", "/ridge_0.1")}


def edit(folder, **changes):
    path = folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def root(tmp_path):
    """Two arms with two seeds, and the initial policy."""
    root = tmp_path / "results" / "study"
    write_record(root / "data", "data", {"name": NAME})
    write_record(root / "base" / "trap-a", "base", {"name": NAME, "policy": "trap-a"})
    initial = {"name": NAME, "policy": "trap-a", "method": "initial", "seed": 0}
    write_record(root / "koopman" / "trap-a" / "initial" / "seed-0", "koopman", initial, metrics={"probe/length": 27.0})
    for method in ("grpo", "relax"):
        for seed in (2, 1):
            make_run(root, method, seed)
    return root


def test_a_run_is_one_small_line_with_its_curves_and_where_it_comes_from(root, tmp_path) -> None:
    out = tmp_path / "records"
    assert collect_records([root], out) == {"added": 5, "known": 0, "kept": 0}
    assert list(files(out)) == [f"study/trap-a/{name}.jsonl" for name in ("grpo", "initial", "relax")]
    lines = (out / "study/trap-a/grpo.jsonl").read_text().splitlines()
    assert [json.loads(line)["seed"] for line in lines] == [1, 2]
    assert max(map(len, lines)) < 20_000
    record = read_records(out)["study", "trap-a", "grpo", 2]
    curves, thinned = record["curves"], record["thinned"]
    assert curves["step"] == list(range(1, STEPS, 2))
    assert curves["entropy"][0] == pytest.approx(1 / 15, rel=1e-4)
    assert curves["reward"][0] == 0.39062  # five digits
    assert thinned["step"] == [*range(1, 200, 10), 199]
    assert set(thinned) == {
        "step",
        "length",
        "grad_norm",
        "strategy/rote",
        "dsd/eigenvalues/ridge_0.1",
        "dsd/eigenvalues/matched",
        "dsd/singular_values/ridge_0.1",
        "dsd/singular_values/matched",
    }
    assert record["probes"]["step"] == list(range(0, STEPS + 1, 10))
    assert record["scores"] == {"answer-prior": {"mean@16": 0.38, "subset/hard/pass@16": 0.02}}
    assert [(r["step"], r["response"][-1]) for r in record["responses"]] == [(1, "0"), (1, "1"), (199, "0"), (199, "1")]
    assert record["escape"] == 61
    assert record["made"]["commit"] == "5e4d" * 10
    assert record["made"]["settings"] == {"evaluate": digest({}), "koopman": digest({}), "train": digest(SETTINGS)}
    run = TrackedRun(record, STEPS)
    assert (run.escape, run.broken, run.at("dsd/eigenvalues", 22), run.at("probe/eigenvalues", 41)) == (
        61,
        False,
        pytest.approx(1 / 24, rel=1e-4),
        pytest.approx(40 / 7, rel=1e-4),
    )
    assert str(tmp_path) not in "".join(content.decode() for content in files(out).values())


def test_collecting_again_gives_the_same_bytes_and_more_runs_are_added(root, tmp_path) -> None:
    out = tmp_path / "records"
    collect_records([root], out)
    before = files(out)
    assert collect_records([root], out) == {"added": 0, "known": 5, "kept": 0}
    assert files(out) == before
    make_run(root, "grpo", 10)
    assert collect_records([root], out) == {"added": 1, "known": 5, "kept": 0}
    after = files(out)
    assert after["study/trap-a/relax.jsonl"] == before["study/trap-a/relax.jsonl"]
    assert after["study/trap-a/grpo.jsonl"].startswith(before["study/trap-a/grpo.jsonl"])
    assert [key[3] for key in read_records(out) if key[2] == "grpo"] == [1, 2, 10]


def test_another_machine_adds_its_runs_and_those_of_this_one_stay(root, tmp_path) -> None:
    out, other = tmp_path / "records", tmp_path / "other" / "study"
    collect_records([root], out)
    make_run(other, "relax", 3)
    assert collect_records([other], out) == {"added": 1, "known": 0, "kept": 5}
    at_once = tmp_path / "at-once"
    collect_records([other, root], at_once)
    assert files(at_once) == files(out)


def test_scores_that_come_later_are_taken_and_never_lost(root, tmp_path) -> None:
    out = tmp_path / "records"
    make_run(root, "relax", 3, graded=False)
    collect_records([root], out)
    key = ("study", "trap-a", "relax", 3)
    assert "scores" not in read_records(out)[key]
    make_run(root, "relax", 3)
    collect_records([root], out)
    assert read_records(out)[key]["scores"]["answer-prior"]["mean@16"] == 0.38
    shutil.rmtree(root / "evaluate")
    collect_records([root], out)
    assert read_records(out)[key]["scores"]["answer-prior"]["mean@16"] == 0.38


def test_a_training_that_broke_down_leaves_its_last_words(root, tmp_path) -> None:
    logs = root / "logs" / "train" / "trap-a" / "dapo"
    logs.mkdir(parents=True)
    nan = "RuntimeError: probability tensor contains either `inf`, `nan` or element < 0"
    (logs / "seed-1.log").write_text(f"Traceback (most recent call last):\n  File x\n{nan}\n")
    (logs / "seed-2.log").write_text("2026 INFO relax: train trap-a dapo seed 2: 8 of 200 steps, entropy nan\n")
    (logs / "seed-3.log").write_text("OSError: [Errno 28] No space left on device\n")
    out = tmp_path / "records"
    assert collect_records([root], out)["added"] == 6
    record = read_records(out)["study", "trap-a", "dapo", 1]
    assert record["made"]["ended"] == nan
    run = TrackedRun(record, STEPS)
    assert (run.broken, run.escape, run.step, run.at("entropy", 21)) == (
        True,
        None,
        201,
        pytest.approx(math.nan, nan_ok=True),
    )
    assert collect_records([root], out)["added"] == 0


def test_a_run_whose_last_numbers_are_not_finite_is_broken(root, tmp_path) -> None:
    make_run(root, "dapo", 1, end=math.nan)
    collect_records([root], tmp_path / "records")
    run = TrackedRun(read_records(tmp_path / "records")["study", "trap-a", "dapo", 1], STEPS)
    assert (run.broken, run.escape) == (True, None)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda root: edit(root / "train/trap-a/grpo/seed-1", git={"commit": "f" * 40, "dirty": True}),
         "train/trap-a/grpo/seed-1: was made with uncommitted changes or outside a commit"),
        (lambda root: edit(root / "base/trap-a", git={"commit": None, "dirty": None}), "base/trap-a: was made with"),
        (lambda root: edit(root / "train/trap-a/grpo/seed-1", settings=OTHERS, settings_hash=digest(OTHERS)),
         f"grpo.jsonl: seed 1 was made with other settings (train {digest(SETTINGS)}) than the run in the results "
         f"({digest(OTHERS)[:6]}"),
        (lambda root: make_run(root, "relax", 2, end=0.03),
         "relax.jsonl: seed 2 is another run with the same settings than the one in the results"),
        (lambda root: shutil.rmtree(root), "results/study: holds no run records"),
        (lambda root: (root / "train/trap-a/grpo/seed-1/metrics.jsonl").write_text("{"),
         "metrics.jsonl: is not what its run record says"),
    ],
)  # fmt: skip
def test_what_does_not_belong_is_refused_in_a_sentence_and_nothing_is_written(
    root, tmp_path, capsys, monkeypatch, damage, words
) -> None:
    out = tmp_path / "records"
    collect_records([root], out)
    before = files(out)
    make_run(root, "relax", 4)
    damage(root)
    page = tmp_path / "docs" / "evidence.md"
    command = ["evidence", "--collect", str(root), "--records", str(out), "--out", str(page)]
    assert cli.main(command) == 3
    assert words in capsys.readouterr().err
    assert files(out) == before
    assert not page.exists()


def test_runs_of_one_policy_that_began_elsewhere_are_refused(root, tmp_path, capsys) -> None:
    out, other = tmp_path / "records", tmp_path / "other" / "study"
    for path in sorted((root / "train").rglob("run.json")):
        edit(path.parent, inputs={"results/study/base/trap-a/model": "aaaa", "results/study/data/train.jsonl": "dddd"})
    collect_records([root], out)
    make_run(other, "relax", 3)
    edit(other / "train/trap-a/relax/seed-3", inputs={"results/study/base/trap-a/model": "bbbb"})
    before = files(out)
    assert cli.main(["evidence", "--collect", str(other), "--records", str(out)]) == 3
    assert "study trap-a relax 3 was trained from another model (bbbb) than study trap-a grpo 1 (aaaa)" in (
        capsys.readouterr().err
    )
    assert files(out) == before


def test_another_seed_of_an_arm_with_other_settings_is_refused(root, tmp_path, capsys) -> None:
    """A configuration that changed between two seeds of a long study."""
    out = tmp_path / "records"
    collect_records([root], out)
    before = files(out)
    make_run(root, "relax", 3)
    edit(root / "train/trap-a/relax/seed-3", settings=OTHERS, settings_hash=digest(OTHERS))
    assert cli.main(["evidence", "--collect", str(root), "--records", str(out)]) == 3
    words = f"(train {digest(OTHERS)}) than study trap-a relax 1 ({digest(SETTINGS)[:6]}"
    assert f"study trap-a relax 3 was made with other settings {words}" in capsys.readouterr().err
    assert files(out) == before


def test_a_record_in_the_wrong_place_is_refused(root, tmp_path) -> None:
    out = tmp_path / "records"
    collect_records([root], out)
    path = out / "study" / "trap-a" / "grpo.jsonl"
    half = json.loads(path.read_text().splitlines()[0])
    del half["made"]["digest"]
    for text in (path.read_text() * 2, (out / "study/trap-a/relax.jsonl").read_text(), "{}\n", json.dumps(half) + "\n"):
        path.write_text(text)
        assert cli.main(["evidence", "--records", str(out)]) == 3


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--records", "nowhere"], 3, "--records nowhere: no such folder"),
        (["--records", "page.md"], 3, "--records page.md: no such folder"),
        (["--out", "docs"], 2, "--out docs is a folder; expected a file"),
        (["--configfile", "none.yaml"], 2, "none.yaml: no such configuration file"),
    ],
)
def test_what_cannot_be_read_or_written_is_said_in_a_sentence_before_anything_is_written(
    tmp_path, monkeypatch, capsys, options, code, words
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "page.md").write_text("the page before")
    assert cli.main(["evidence", "--out", "page.md", *options]) == code
    said = capsys.readouterr().err.strip()
    assert words in said
    assert len(said.splitlines()) == 1
    assert files(tmp_path) == {"page.md": b"the page before"}
