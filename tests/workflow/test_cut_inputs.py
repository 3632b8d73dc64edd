"""Every verb with each file that it reads cut in half: one sentence that names it, an exit code, no output."""

import contextlib
import re
import shutil
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from transformers import AutoTokenizer

from relax.config import check_results_folder, load
from relax.data.prompt import render
from relax.errors import ConfigError, DataError
from relax.evaluation.generate_stage import _tokens
from relax.evaluation.questions import Question
from relax.paper import audit, claims
from relax.reading import read_json_object, reading
from tests.conftest import REPOSITORY
from tests.latent.dsd_fixture import relax
from tests.workflow.faults_fixture import SMOKE

pytestmark = pytest.mark.slow

RUN = "tiny/relax-sv/seed-1"
MODEL = [
    f"model/{name}"
    for name in (
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    )
]
TRAINED, INITIAL = [f"train/{RUN}/{name}" for name in MODEL], [f"base/tiny/{name}" for name in MODEL]
DICTIONARY = [f"dictionary/tiny/{name}" for name in ("dictionary.safetensors", "probes.jsonl", "initial_dsd.json")]
RESPONSES = [
    f"responses/{RUN}/{name}"
    for name in ("run.json", "noisy-sum/questions.parquet", "noisy-sum/greedy-*.parquet", "noisy-sum/sampled-*.parquet")
]
#: What tables, figures and the report are made from.
RECORDS = [
    "data/run.json",
    f"koopman/{RUN}/trajectories.parquet",
    f"koopman/{RUN}/eigenvalues.parquet",
    f"koopman/{RUN}/matrices.parquet",
    f"train/{RUN}/run.json",
    f"train/{RUN}/metrics.jsonl",
    f"evaluate/{RUN}/noisy-sum/scores.json",
    f"grades/{RUN}/noisy-sum/grades.parquet",
]

POLICY, OF_RUN = "--policy tiny", "--policy tiny --method relax-sv --seed 1"
#: Verb; its options, with R for a finished results folder and OUT for an empty one; what it reads below R.
VERBS = [
    ("dictionary", f"{POLICY} --base R/base/tiny/model --data R/data/train.jsonl --out OUT",
     ["data/train.jsonl", *INITIAL]),
    ("train", f"{OF_RUN} --data R/data/train.jsonl --base R/base/tiny/model --dictionary R/dictionary/tiny"
     " --checkpoints R/checkpoints --out OUT", ["data/train.jsonl", *INITIAL, *DICTIONARY]),
    ("extract", f"{OF_RUN} --model R/train/{RUN}/model --data R/data/test.jsonl --dictionary R/dictionary/tiny"
     " --out OUT", ["data/test.jsonl", *TRAINED, *DICTIONARY[:2]]),
    ("koopman", f"{OF_RUN} --latent R/latent/{RUN} --out OUT",
     [f"latent/{RUN}/{name}" for name in ("run.json", "statistics.safetensors", "responses.parquet")]),
    ("overlap", "--train R/data/train.jsonl --test R/data/test.jsonl --out OUT",
     ["data/train.jsonl", "data/test.jsonl"]),
    ("generate", f"{OF_RUN} --model R/train/{RUN}/model --data R/data/test.jsonl --out OUT",
     ["data/test.jsonl", *TRAINED]),
    ("grade", f"{OF_RUN} --responses R/responses/{RUN} --out OUT", RESPONSES),
    ("evaluate", f"{OF_RUN} --grades R/grades/{RUN} --out OUT",
     [f"grades/{RUN}/run.json", f"grades/{RUN}/noisy-sum/grades.parquet"]),
    ("evaluate", f"{OF_RUN} --regrade R/responses/{RUN} --grades OUT/grades --out OUT/scores", RESPONSES),
    ("tables", "--root R --out OUT", RECORDS),
    ("figures", "--root R --out OUT", RECORDS),
    ("report", "--root R --figures R/figures --pages OUT/pages --out OUT/report.html",
     [*RECORDS, "figures/figures.json"]),
    ("track", "--root R --out OUT/track.json", ["mlflow.db"]),
]  # fmt: skip
#: Verbs that read no configuration.
OTHERS = [
    ("why", "R/tables/final.md", ["data/run.json", f"grades/{RUN}/run.json", "tables/run.json"]),
    ("reference", "--root R --out OUT", ["data/run.json", "tables/run.json", "tables/final.md", "tables/claims.json"]),
    ("tables", "--from-mlflow sqlite:///R/mlflow.db --out OUT",
     ["mlflow.db", "mlartifacts/*/artifacts/config.yaml", "mlartifacts/*/artifacts/scores.json"]),
    ("dsd", "--model R/base/tiny/model --prompts R/data/test.jsonl --out OUT", ["data/test.jsonl", *INITIAL]),
    ("dsd", "--model R/base/tiny/model --prompts R/data/test.jsonl --responses R/given.jsonl --out OUT",
     ["given.jsonl"]),
    ("dsd", "--model R/base/tiny/model --prompts R/data/test.jsonl --out OUT"
     " --dictionary R/dictionary/tiny/dictionary.safetensors", ["dictionary/tiny/dictionary.safetensors"]),
    ("evidence", "--records R/records --out OUT/page.md", ["records/*/*/grpo.jsonl"]),
]  # fmt: skip
CASES = [
    (verb, f"--configfile {' '.join(SMOKE[1:])} {options}", name) for verb, options, names in VERBS for name in names
]
CASES += [(verb, options, name) for verb, options, names in OTHERS for name in names]


@pytest.fixture(scope="module")
def finished(smoke: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder in which everything has run, and further files for verbs that read others."""
    folder = tmp_path_factory.mktemp("finished") / "results" / "smoke"
    shutil.copytree(smoke / "results" / "smoke", folder)
    (folder / "given.jsonl").write_text('{"prompt": "1234:", "response": "1"}\n')
    shutil.copytree(REPOSITORY / "results" / "reference" / "study", folder / "records")
    return folder


def half(path: Path) -> bytes:
    """A file's content; from now on it is half as long."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return content


@pytest.fixture
def cut(finished: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file of it, cut in half until the test is over."""
    path = sorted(finished.glob(request.param))[0]
    content = half(path)
    yield path
    path.write_bytes(content)


def typed(options: str, root: Path, out: Path) -> list[str]:
    """Options as a user types them."""
    places = {"R": str(root), "OUT": str(out)}
    return [re.sub(r"\b(R|OUT)\b", lambda place: places[place[0]], word) for word in options.split()]


def refused(said: str, verb: str, *names: str) -> None:
    """One sentence, and nothing else."""
    (sentence,) = said.splitlines()
    assert sentence.startswith(f"relax {verb}: ")
    assert not [name for name in names if name not in sentence], sentence


@pytest.mark.parametrize(("verb", "options", "cut"), CASES, ids=[f"{v}-{n}" for v, _, n in CASES], indirect=["cut"])
def test_half_an_input(verb: str, options: str, cut: Path, finished: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    code, said = relax(verb, *typed(options, finished, tmp_path / "out"))
    assert code in (2, 3, 4), said
    refused(said, verb, cut.name)
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


# What is read beside a results folder -------------------------------------------------------------

#: Verbs that read a configuration, with what else they must be given.
CONFIGURED = {
    "fetch": "", "data": "--out OUT", "base": "--policy tiny --out OUT", "doctor": "", "cost": "",
    "evidence": "--out OUT/page.md", **{verb: options for verb, options, _ in VERBS},
}  # fmt: skip


@pytest.mark.parametrize("verb", CONFIGURED)
def test_half_a_configuration(verb: str, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(REPOSITORY)
    path = tmp_path / "config.yaml"
    shutil.copyfile("config/config.yaml", path)
    half(path)
    code, said = relax(verb, "--configfile", path, *typed(CONFIGURED[verb], tmp_path, tmp_path / "out"))
    assert code == 2
    if verb == "doctor":  # what it is asked for is a list of findings
        said = capsys.readouterr().out.replace("fault    ", "relax doctor: ")
    refused(said, verb, "config.yaml")
    assert not (tmp_path / "out").exists()


def test_no_verb_is_forgotten(capsys) -> None:
    relax("--help")
    known = set(re.findall(r"^  ([a-z]+) ", capsys.readouterr().out, re.MULTILINE))
    assert {verb for verb, *_ in CASES} | set(CONFIGURED) | {"claims", "audit"} == known


#: A data set and a benchmark from files of the user's own.
OWN = """
data:
  source: hub
  datasets:
    - {{repo: lab/sums, revision: {revision}, split: train, path: {folder}/problems.{ending}, prompt: problem,
       answer: answer}}
matrix: {{benchmarks: [math]}}
benchmarks: {{math: {{task: math500, path: {folder}/questions.{ending}, rows: 40, greedy: true}}}}
"""


@pytest.fixture(params=["jsonl", "parquet"])
def own(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """A configuration over the smoke one, and the ending of its files."""
    rows = [
        {
            "problem": f"What is {n} + {n * n}?",
            "answer": str(n + n * n),
            "solution": "",
            "subject": "Sums",
            "level": 1,
            "unique_id": f"q{n}",
        }
        for n in range(40)
    ]
    table = pd.DataFrame(rows)
    for name in ("problems", "questions"):
        table.to_json(tmp_path / f"{name}.jsonl", orient="records", lines=True)
        table.to_parquet(tmp_path / f"{name}.parquet")
    text = OWN.format(folder=tmp_path, ending=request.param, revision="c" * 40)
    (tmp_path / "own.yaml").write_text(text)
    return tmp_path / "own.yaml", request.param


def test_half_a_data_set(own: tuple[Path, str], tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    overlay, ending = own
    half(tmp_path / f"problems.{ending}")
    code, said = relax("data", *SMOKE, overlay, "--out", tmp_path / "out")
    assert code == 3, said
    refused(said.strip().splitlines()[-1], "data", f"problems.{ending}")  # before it `datasets` may speak
    assert list((tmp_path / "out").glob("*")) == []


@pytest.mark.parametrize("verb", ["overlap", "generate"])
def test_half_a_benchmark(verb: str, own: tuple[Path, str], finished: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    overlay, ending = own
    half(tmp_path / f"questions.{ending}")
    options = next(options for name, options, _ in VERBS if name == verb)
    code, said = relax(verb, *SMOKE, overlay, *typed(options, finished, tmp_path / "out"))
    assert code == 3, said
    refused(said, verb, f"questions.{ending}")
    assert list((tmp_path / "out").glob("*")) == []


def test_half_a_site_file(tmp_path: Path, monkeypatch, capsys) -> None:
    shutil.copytree(REPOSITORY / "config", tmp_path / "config")
    (tmp_path / "profiles/slurm").mkdir(parents=True)
    (tmp_path / "profiles/slurm/site.yaml").write_text("scratch: 'a folder of the cluster'")
    half(tmp_path / "profiles/slurm/site.yaml")
    monkeypatch.chdir(tmp_path)
    for verb, options in (("doctor", ()), ("train", ("--dry-run",))):
        words = next(options for name, options, _ in VERBS if name == "train").split() if verb == "train" else ()
        code, said = relax(verb, *SMOKE, *words, *options)
        assert code == 2, said
        assert re.search("profiles/slurm/site.yaml.*: not valid YAML", said + capsys.readouterr().out)


def test_half_of_what_stands_in_the_repository(tmp_path: Path, monkeypatch, capsys) -> None:
    """The paper's numbers and claims, and what is tracked of the runs."""
    shutil.copytree(REPOSITORY / "relax" / "paper" / "transcribed", tmp_path / "paper")
    shutil.copytree(REPOSITORY / "results" / "reference" / "demo", tmp_path / "reference" / "demo")
    reference, paper = tmp_path / "reference", tmp_path / "paper"
    monkeypatch.setattr(claims, "read_references", partial(claims.read_references, reference))
    monkeypatch.setattr(claims, "read_claims", partial(claims.read_claims, paper / "claims.csv"))
    monkeypatch.setattr(audit, "audit", partial(audit.audit, paper))
    files = [("claims", reference / "demo" / "claims.json"), ("claims", paper / "claims.csv")]
    files += [("audit", path) for path in sorted(paper.glob("table*.csv"))]
    for verb, path in files:
        content = half(path)
        code, said = relax(verb, "--out", tmp_path / "page.md")
        path.write_bytes(content)
        assert code == 3, (path, said)
        refused(said, verb, path.name)
        assert not (tmp_path / "page.md").exists()


# What goes on ------------------------------------------------------------------------------------------


def test_half_a_block_of_responses_is_made_again(finished: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    out = tmp_path / "responses"
    shutil.copytree(finished / "responses" / RUN, out)
    (block,) = (out / "noisy-sum").glob("sampled-*.parquet")
    content = half(block)
    options = next(options for name, options, _ in VERBS if name == "generate")
    code, said = relax("generate", *SMOKE, *typed(options, finished, out))
    assert code == 0, said
    assert f"{block}: " in said
    assert block.read_bytes() == content


def test_half_a_record_or_file_is_left_out_of_an_export_and_named(
    finished: Path, empty_store: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(REPOSITORY)
    root = tmp_path / "results" / "smoke"
    for stage in ("data", "overlap", "train", "koopman"):
        shutil.copytree(finished / stage, root / stage, ignore=shutil.ignore_patterns("initial"))
    shutil.copyfile(empty_store, root / "mlflow.db")
    broken = [f"train/{RUN}/metrics.jsonl", f"koopman/{RUN}/trajectories.parquet", "data/run.json"]
    for name in broken:
        half(root / name)
    _, said = relax("track", *SMOKE, "--root", root, "--out", root / "track.json")
    assert "Traceback" not in said
    left = [line for line in said.splitlines() if "is left for the next export" in line]
    assert len(left) == 3
    assert all(any(Path(name).name in line for line in left) for name in broken)
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as store:
        rows = store.execute(
            "SELECT value FROM tags JOIN runs ON tags.run_uuid = runs.run_uuid WHERE key = 'relax.record'"
            " AND lifecycle_stage = 'active' ORDER BY value"
        ).fetchall()
    assert rows == [("koopman/tiny/grpo/seed-1",), ("overlap",), ("train/tiny/grpo/seed-1",)]


# Without a run ---------------------------------------------------------------------------------------


def test_half_a_record_under_a_pipeline(finished: Path, monkeypatch) -> None:
    path = finished / "data" / "run.json"
    content = half(path)
    try:
        with pytest.raises(DataError, match=r"data/run\.json: not a run record .*; remove its folder"):
            check_results_folder(load([REPOSITORY / name for name in SMOKE[1:]]), finished)
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no such file; mend it."), (b'{"a": ', "cannot be read (Expecting value: line 1 column 7"),
     (b"\xff", "cannot be read ('utf-8' codec"), (b"[1]", "expected a JSON object, found a list; mend it.")],
)  # fmt: skip
def test_a_broken_json_file_is_named_with_what_to_do(content: bytes | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError) as refusal:
        read_json_object(path, "mend it")
    assert str(refusal.value).startswith(f"{path}: {words}")


def test_an_error_without_words_is_named_by_its_class_and_one_of_ours_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x: cannot be read \(KeyError\); mend it\."), reading("x", "mend it"):
        raise KeyError
    ours = DataError("a sentence.")
    with pytest.raises(DataError) as refusal, reading("x", "mend it"):
        raise ours
    assert refusal.value is ours


TEMPLATE = (
    "{% for m in messages %}{{ m.content }}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
)


@pytest.mark.parametrize(
    ("template", "kind", "words"),
    [(TEMPLATE, DataError, "its chat template is broken (line 1: "),
     (TEMPLATE + "{% endfor %}", ConfigError, "the policy's chat template refuses these turns (no system)")],
)  # fmt: skip
def test_a_chat_template_that_is_cut_or_refuses(template: str, kind: type, words: str, tiny_policy: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_policy)
    tokenizer.chat_template = template
    with pytest.raises(kind) as refusal:
        render(tokenizer, "1234:", {"chat_template": True, "system": "Add.", "thinking": False})
    assert words in str(refusal.value)
    assert kind is ConfigError or str(tiny_policy) in str(refusal.value)


def test_a_chat_template_that_refuses_names_the_keys_whose_turns_it_was_given(tiny_policy: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_policy)
    tokenizer.chat_template = "{{ raise_exception('no') }}"
    shots = [{"problem": "12:", "response": "=3", "subset": None}]
    for changed, said in (
        ({}, "(no); take a policy whose template knows them."),
        ({"system": "Add."}, "leave prompt.system out, or take"),
        ({"shots": shots}, "leave prompt.shots out, or take"),
        ({"system": "Add.", "shots": shots}, "leave prompt.system and prompt.shots out, or take"),
    ):
        with pytest.raises(ConfigError) as refusal:
            render(tokenizer, "1234:", {"chat_template": True, "system": None, "thinking": False, **changed})
        assert said in str(refusal.value)


def test_an_image_that_is_cut_within_its_header(tmp_path: Path) -> None:
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n")
    question = Question("q1", "What?", ("1",), "q1", images=(tmp_path / "cut.png",))
    with pytest.raises(DataError, match=r"question q1: the image .*cut\.png cannot be read; expected PNG"):
        _tokens(lambda text: {"input_ids": [1]}, question, "What?")
