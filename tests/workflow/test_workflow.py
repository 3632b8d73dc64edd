"""The workflow as a user meets it: plans, real runs, reruns of what changed, faults before any work."""

import base64
import json
import re
import shutil
import sqlite3

import pytest
import yaml

from relax import config
from tests.conftest import REPOSITORY, overlays
from tests.workflow.workflow_fixture import overlay, planned, run, snakemake

#: Jobs that follow a trained policy.
OF_A_POLICY = ("extract", "koopman", "generate", "grade", "evaluate")
CONFIGS = sorted(path.name for path in (REPOSITORY / "config").glob("*.yaml"))


@pytest.mark.parametrize("name", CONFIGS)
def test_a_dry_run_lists_exactly_the_expected_jobs(clone, name) -> None:
    over = [path.name for path in overlays(REPOSITORY / "config" / name)]
    options = [] if name == "config.yaml" else ["--configfile", *(f"config/{n}" for n in over)]
    files = [clone / "config" / n for n in dict.fromkeys(["config.yaml", *over])]
    loaded = config.load(files)
    matrix, policies = loaded.matrix, len(loaded.matrix.policies)
    dictionaries = {config.own_dimension(loaded, method) for method in matrix.methods}
    trained = policies * len(matrix.methods) * len(matrix.seeds)
    fitted, measured = policies * len(dictionaries), policies
    if not matrix.methods:  # hidden states are read of policies that share a dictionary alone
        frames = [own for name in matrix.policies if (own := loaded.policies[name].dictionary_of)]
        fitted, measured = len(set(frames)), len({*frames}) + len(frames)
    expected = {
        "data": 1, "overlap": 1, "base": policies, "dictionary": fitted, "train": trained,
        "extract": trained + measured, "koopman": trained + measured,
        "generate": trained + policies, "grade": trained + policies,
        "evaluate": trained + policies, "tables": 1, "figures": 1, "report": 1, "track": 1,
    }  # fmt: skip
    assert planned(clone, *options) == {rule: count for rule, count in expected.items() if count}


def test_the_slurm_profile_is_found_by_its_name(clone) -> None:
    assert planned(clone, "--profile", "slurm", "--configfile", "config/smoke.yaml")["train"] == 2


def test_one_seed_of_a_matrix_can_be_asked_for(clone) -> None:
    matrix = config.load([clone / "config" / "config.yaml", clone / "config" / "study.yaml"]).matrix
    runs = len(matrix.policies) * len(matrix.methods)
    jobs = planned(clone, "--configfile", "config/study.yaml", "--", "seed_3")
    assert {name: jobs[name] for name in ("train", *OF_A_POLICY)} == dict.fromkeys(("train", *OF_A_POLICY), runs)
    assert jobs["seed_3"] == 1
    assert "tables" not in jobs


def test_the_workflow_is_clean(clone) -> None:
    lint = snakemake(clone, "--lint")
    assert lint.returncode == 0, lint.stderr
    style = run(clone, "snakefmt", "--check", "Snakefile", "workflow")
    assert style.returncode == 0, style.stderr


def test_no_rule_retries_by_itself(clone) -> None:
    for path in (clone / "workflow").rglob("*"):
        if path.is_file():
            assert "retries" not in path.read_text(), path


@pytest.mark.slow
def test_the_smoke_run_leaves_everything(smoke) -> None:
    root = smoke / "results" / "smoke"
    assert (root / "report.html").stat().st_size > 100_000
    text = (root / "report.html").read_text()
    assert "Does token entropy fall under GRPO?" in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "The paper's claims" in text
    finished = root / "tables" / "runs.csv"
    assert len(finished.read_text().splitlines()) == 1 + 3  # initial policy, grpo, relax-sv
    records = sorted(p.relative_to(root).parts[0] for p in root.rglob("run.json") if "mlartifacts" not in p.parts)
    assert records.count("train") == 2
    for stage in ("latent", "koopman", "responses", "grades", "evaluate"):
        assert records.count(stage) == 3
    with sqlite3.connect(root / "mlflow.db") as store:
        (runs,) = store.execute("select count(*) from runs where lifecycle_stage = 'active'").fetchone()
    assert runs == len(records) + 1
    rows = [json.loads(line) for line in (root / "train/tiny/relax-sv/seed-1/metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [0, 1, 2, 3, 4]
    probed = [row["step"] for row in rows if "probe/eigenvalues" in row]
    assert probed == [0, 2, 4]
    assert {"reward", "entropy", "dsd/eigenvalues", "dsd/singular_values", "share_above_xi"} <= rows[1].keys()
    for log in (root / "logs").rglob("*.log"):
        assert "\x1b" not in log.read_text(), f"escape codes in {log}"


@pytest.mark.slow
def test_every_job_names_its_pipeline_run(smoke) -> None:
    records = [json.loads(p.read_text()) for p in (smoke / "results/smoke").rglob("run.json")]
    (pipeline,) = {(record["pipeline"]["run"], record["pipeline"]["command"]) for record in records}
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{6}", pipeline[0])
    assert pipeline[1] == "snakemake --configfile config/smoke.yaml --cores 2"


@pytest.mark.slow
def test_both_arms_start_from_the_same_numbers(smoke) -> None:
    """Same policy, same seed: the first rollouts, hence reward and DSD, do not know the method yet."""
    first = []
    for method in ("grpo", "relax-sv"):
        path = smoke / f"results/smoke/train/tiny/{method}/seed-1/metrics.jsonl"
        row = json.loads(path.read_text().splitlines()[1])
        first.append([row["reward"], row["length"], row["dsd/eigenvalues"], row["dsd/singular_values"]])
    assert first[0] == pytest.approx(first[1], rel=1e-6)


@pytest.mark.slow
def test_a_second_run_has_nothing_to_do(smoke) -> None:
    result = snakemake(smoke, "--configfile", "config/smoke.yaml", "--cores", "2")
    assert result.returncode == 0
    assert "Nothing to be done" in result.stderr + result.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("methods: {relax-sv: {alpha: 0.02}}", {"train": 1, **dict.fromkeys(OF_A_POLICY, 1)}),
        ("matrix: {seeds: [1, 2]}", {"train": 2, **dict.fromkeys(OF_A_POLICY, 2)}),
        ("matrix: {methods: [grpo, relax-sv, relax]}", {"train": 1, **dict.fromkeys(OF_A_POLICY, 1)}),
        (
            "methods: {relax-sv: {koopman_dim: 4}}",
            {"dictionary": 1, "train": 1, **dict.fromkeys(OF_A_POLICY, 1)},
        ),
        ("evaluation: {seed: 5}", {"generate": 3, "grade": 3, "evaluate": 3}),
        ("analysis: {seed: 5}", {"extract": 3, "koopman": 3}),
        ("tracking: {uri: 'sqlite:///other.db'}", {}),
    ],
)
def test_a_change_reruns_what_it_concerns(smoke, change, expected) -> None:
    options = overlay(smoke, "change.yaml", change + "\n")
    plan = planned(smoke, *options)
    ends = {"tables", "figures", "report", "track"} if expected else {"track"}
    assert plan == {**expected, **dict.fromkeys(ends, 1)}


@pytest.mark.slow
def test_the_same_settings_from_other_files_are_the_same_settings(smoke) -> None:
    merged = config.load([smoke / "config/config.yaml", smoke / "config/smoke.yaml"]).recorded()
    assert planned(smoke, *overlay(smoke, "all.yaml", yaml.safe_dump(merged))) == {}


@pytest.mark.slow
def test_another_foundation_is_refused(smoke) -> None:
    result = snakemake(smoke, *overlay(smoke, "change.yaml", "data: {digits: 5}\n"), "--cores", "2")
    assert result.returncode == 2
    assert "results/smoke: its data was made with another configuration" in result.stderr


@pytest.mark.slow
def test_snakemakes_own_report_is_one_page_with_report_tables_and_figures(smoke) -> None:
    result = snakemake(smoke, "--configfile", "config/smoke.yaml", "--report", "snakemake-report.html")
    assert result.returncode == 0, result.stderr
    page = (smoke / "snakemake-report.html").read_text()
    shown = json.loads(re.search(r"var results = (\{.*\});", page)[1])
    root = smoke / "results" / "smoke"
    for kind in ("tables", "figures"):
        pages = sorted((root / "report" / kind).glob("*.html"))
        assert len(pages) > 5
        for path in pages:
            entry = shown[path.relative_to(smoke).as_posix()]
            (label,) = entry["labels"].values()
            assert label.startswith(path.name[:2] + " ")
            assert base64.b64decode(entry["data_uri"].partition("base64,")[2]) == path.read_bytes()
            assert "smoke" in entry["caption"]
    report = shown["results/smoke/report.html"]
    assert base64.b64decode(report["data_uri"].partition("base64,")[2]) == (root / "report.html").read_bytes()
    description = json.loads(re.search(r"var workflow_desc = (\".*\");", page)[1])
    assert "results['results/smoke/report.html'].data_uri" in description
    # Nothing is fetched when it is opened: no script, style or picture has an address outside.
    body = re.sub(r"<script\b[^>]*>.*?</script>", "", page, flags=re.DOTALL)
    assert re.findall(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=", body) == []
    assert re.findall(r"<script\b[^>]*\bsrc=", page) == []


@pytest.mark.slow
def test_kept_responses_are_graded_again_without_a_model(smoke, tmp_path) -> None:
    root, place = "results/smoke", "tiny/grpo/seed-1"
    ended = run(
        smoke, "relax", "evaluate", "--configfile", "config/config.yaml", "config/smoke.yaml", "--policy", "tiny",
        "--method", "grpo", "--seed", "1", "--grades", str(tmp_path / "grades"), "--out", str(tmp_path / "scores"),
        "--regrade", f"{root}/responses/{place}",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    for kept, made in (("evaluate", "scores"), ("grades", "grades")):
        for file in (smoke / root / kept / place).rglob("*.json" if kept == "evaluate" else "*.parquet"):
            if file.name != "run.json":
                again = tmp_path / made / file.relative_to(smoke / root / kept / place)
                assert again.read_bytes() == file.read_bytes()


@pytest.mark.slow
def test_the_tables_are_a_function_of_the_records(smoke, tmp_path) -> None:
    command = ["relax", "tables", "--configfile", "config/config.yaml", "config/smoke.yaml", "--root", "results/smoke"]
    result = run(smoke, *command, "--out", str(tmp_path))
    assert result.returncode == 0, result.stderr
    for path in (smoke / "results/smoke/tables").glob("*.*"):
        if path.name != "run.json":
            assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("matrix: {methods: [relaks]}", 2, "unknown name 'relaks'; did you mean 'relax"),
        ("matrix: {policies: [tinny]}", 2, "unknown name 'tinny'; did you mean 'tiny'"),
        ("matrix: {benchmarks: [gsm8k]}", 2, "unknown name 'gsm8k'"),
        ("training: {steps: many}", 2, "training.steps is 'many', expected a whole number"),
        ("methods: {relax: {alpha: -1}}", 2, "methods.relax.alpha is -1, expected at least 0"),
        ("methods: {relax: {alpha: .nan}}", 2, "methods.relax.alpha is nan, expected a finite number"),
        ("methods: {relax: {alpha: 0.1, alpha: 0.2}}", 2, "the key 'alpha' stands in line 1 already"),
    ],
)
def test_a_bad_configuration_is_one_sentence_and_an_exit_code(clone, text, code, words) -> None:
    result = snakemake(clone, *overlay(clone, "bad.yaml", text + "\n"), "--cores", "1")
    assert result.returncode == code
    (sentence,) = [line for line in result.stderr.splitlines() if "bad.yaml" in line]
    assert sentence.startswith("bad.yaml, line 1: ")
    assert words in sentence
    assert "Traceback" not in result.stderr


def test_an_empty_data_set_stops_the_run_at_its_first_second(clone) -> None:
    text = "name: empty\ndata: {train_problems: 0}\n"
    result = snakemake(clone, *overlay(clone, "bad.yaml", text), "--cores", "1")
    assert result.returncode == 1  # Snakemake's own code for a job that failed
    assert "the train split is empty" in result.stderr
    assert "non-zero exit status 3" in result.stderr
    assert not list((clone / "results" / "empty" / "data").glob("*"))


def test_a_benchmark_without_a_task_stops_the_run_at_its_first_second(clone) -> None:
    (clone / "gsm.yaml").write_text("benchmarks: {noisy-sum: {task: noisy_summ}}\n")
    result = run(clone, "relax", "data", "--configfile", "config/config.yaml", "gsm.yaml", "--out", "x")
    assert result.returncode == 2
    assert "benchmark noisy-sum: no task 'noisy_summ'; did you mean noisy_sum?" in result.stderr


def test_the_papers_text_half_asks_for_its_data_first(clone) -> None:
    result = run(clone, "relax", "data", "--configfile", "config/config.yaml", "config/paper_text.yaml", "--out", "x")
    assert result.returncode == 4
    assert "SteveZ25/Div-MATH-22k: its revision is not pinned; write the commit `relax fetch` prints" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_read_only_results_folder_is_refused_at_once(clone) -> None:
    (clone / "results").mkdir(exist_ok=True)
    command = "snakemake --configfile config/smoke.yaml --cores 1"
    bind = 'mount --bind "$PWD/results" "$PWD/results" && mount -o remount,ro,bind "$PWD/results"'
    if shutil.which("unshare") is None or run(clone, "unshare", "-m", "sh", "-c", bind).returncode:
        pytest.skip("a read-only mount needs root and mount namespaces")
    result = run(clone, "unshare", "-m", "sh", "-c", f"{bind} && {command}")
    assert result.returncode == 4
    assert "results cannot be written there (read-only)" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"--method": "relaks"}, 2, "unknown name 'relaks' in methods; did you mean 'relax"),
        ({"--data": "rows.jsonl"}, 3, "rows.jsonl, line 2: 'answer' must be a non-empty string, found 7."),
        ({"--data": "none.jsonl"}, 3, "none.jsonl: no such file or folder"),
        (
            {"--data": "contrary.jsonl"},
            3,
            "problem '2': the answer is '4', but problem '1' asks the same and answers '3'",
        ),
        ({"--data": "named.jsonl"}, 3, "named.jsonl, line 1: source 'countdown' is a task with a verifier of its own"),
        ({"--base": "config"}, 3, "config: no policy there"),
        ({"--dictionary": "config"}, 3, "there is no such dictionary"),
        ({"--out": "/proc/relax"}, 4, "/proc/relax: cannot write there"),
        ({"--seed": "one"}, 2, "expected a whole number of at least 0, found 'one'"),
    ],
)
def test_bad_input_to_a_verb_is_one_sentence_before_the_work(smoke, tmp_path, change, code, words) -> None:
    row = {"id": "1", "prompt": "1234:", "answer": "0", "source": "noisy-sum"}
    other = row | {"prompt": "1 + 2?", "answer": "3", "source": "lab/math"}
    for name, rows in {
        "rows": [row, row | {"id": "2", "answer": 7}],
        "contrary": [other, other | {"id": "2", "answer": "4"}],
        "named": [other | {"source": "countdown"}],
    }.items():
        (smoke / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    root = "results/smoke"
    options = {
        "--policy": "tiny", "--method": "grpo", "--seed": "1", "--data": f"{root}/data/train.jsonl",
        "--base": f"{root}/base/tiny/model", "--dictionary": f"{root}/dictionary/tiny",
        "--checkpoints": f"{tmp_path}/checkpoints", "--out": f"{tmp_path}/out", **change,
    }  # fmt: skip
    words_typed = [part for option in options.items() for part in option]
    result = run(smoke, "relax", "train", "--configfile", "config/config.yaml", "config/smoke.yaml", *words_typed)
    assert result.returncode == code, result.stderr
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.slow
def test_a_dictionary_of_another_dimension_is_refused(smoke, tmp_path) -> None:
    (smoke / "own.yaml").write_text("methods: {grpo: {koopman_dim: 4}}\n")
    root = "results/smoke"
    result = run(
        smoke, "relax", "train", "--configfile", "config/config.yaml", "config/smoke.yaml", "own.yaml",
        "--policy", "tiny", "--method", "grpo", "--seed", "1", "--data", f"{root}/data/train.jsonl",
        "--base", f"{root}/base/tiny/model", "--dictionary", f"{root}/dictionary/tiny",
        "--checkpoints", f"{tmp_path}/checkpoints", "--out", f"{tmp_path}/out",
    )  # fmt: skip
    assert result.returncode == 3
    assert "its dictionary has m = 8, the method asks for 4; make one with `relax dictionary" in result.stderr
