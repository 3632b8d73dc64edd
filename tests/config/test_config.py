"""The configuration: what is refused, in which words, and what a stage gets to see."""

from pathlib import Path

import pytest
import yaml

from relax import config
from relax.cluster.site import read_site
from relax.config import benchmarks
from relax.config.methods import Method
from relax.errors import ConfigError, DataError, MachineError
from relax.reading import read_yaml
from tests.conftest import REPOSITORY

DEMO = REPOSITORY / "config" / "config.yaml"


def overlay(folder: Path, text: str) -> list[Path]:
    path = folder / "overlay.yaml"
    path.write_text(text)
    return [DEMO, path]


@pytest.mark.parametrize("path", sorted((REPOSITORY / "config").glob("*.yaml")), ids=lambda p: p.name)
def test_shipped_configurations_load(path: Path) -> None:
    loaded = config.load([DEMO] if path == DEMO else [DEMO, path])
    assert loaded.name == ("demo" if path == DEMO else path.stem)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("methods:\n  relax:\n    alhpa: 0.2\n", 3, ["unknown key 'alhpa'", "did you mean 'alpha'"]),
        ("methods:\n  relax:\n    alpha: -0.1\n", 3, ["methods.relax.alpha is -0.1", "at least 0"]),
        (
            "methods:\n  relax:\n    alpha: strong\n",
            3,
            ["methods.relax.alpha is 'strong'", "expected number"],
        ),
        ("methods:\n  relax:\n    spectrum: eigen\n", 3, ["'eigen'", "eigenvalues, singular_values"]),
        ("methods:\n  relax:\n    xi: q100\n", 3, ["methods.relax.xi is 'q100'", "percentile"]),
        ("methods:\n  grpo:\n    beta: 0.1\n", 2, ["beta is 0.1 but kl_mode is none"]),
        ("methods:\n  grpo-kl:\n    beta: 0.0\n", 2, ["kl_mode is uniform but beta is 0"]),
        ("methods:\n  relax:\n    xi: null\n", 2, ["kl_mode adaptive needs xi"]),
        ("matrix:\n  methods: [grpo, relaks]\n", 2, ["unknown name 'relaks'", "did you mean 'relax'"]),
        ("matrix:\n  policies: [tiney]\n", 2, ["unknown name 'tiney'", "did you mean 'tiny'"]),
        ("matrix:\n  benchmarks: [noisysum]\n", 2, ["unknown name 'noisysum'", "did you mean 'noisy-sum'"]),
        ("matrix:\n  seeds: [1, 1]\n", 2, ["matrix.seeds is [1, 1], expected nothing twice"]),
        ("matrix:\n  seeds: []\n", 2, ["matrix.seeds is [], expected 1 or more"]),
        ("matrix: [grpo]\n", 1, ["matrix is ['grpo'], expected keys and values"]),
        ("training:\n  learning_rate: 1e-4\n", 2, ["is '1e-4', expected number", "such as 1.0e-4"]),
        ("training:\n  learning_rate: '0.1'\n", 2, ["is '0.1', expected number", "no quotes"]),
        ("training:\n  micro_batch: 7\n", 2, ["training.micro_batch is 7, which does not divide a step's 256"]),
        ("data:\n  source: hub\n", 2, ["data.datasets names no data set"]),
        ("methods:\n  relax:\n    dsd_window: 10\n", 2, ["xi is q90", "with dsd_window give a number"]),
        ("training:\n  steps: 1.5\n", 2, ["training.steps is 1.5", "expected integer"]),
        ("trainig:\n  steps: 1\n", 1, ["unknown key 'trainig'", "did you mean 'training'"]),
        ("benchmarks:\n  noisy-sum: {greedy: false, samples: 0}\n", 2, ["greedy: true, or samples"]),
        ("policies:\n  tiny: {scratch: {hidden_size: 63}}\n", 2, ["scratch.hidden_size must be a multiple of heads"]),
        ("policies:\n  tiny: {scratch: {key_value_heads: 3}}\n", 2, ["must divide heads, found 3 and 4"]),
        ("policies:\n  tiny: {scratch: {vision: {heads: 5}}}\n", 2, ["vision.hidden_size must be a multiple of heads"]),
        (
            "policies:\n  tiny: {hub: {repo: a/b, revision: unpinned, parameters: 1}}\n",
            2,
            ["policies.tiny has scratch and hub, expected one of them"],
        ),
        ("paper:\n  rows:\n    Table 3: {}\n", 3, ["unknown table 'Table 3'", "did you mean 'Table"]),
        (
            "paper:\n  rows:\n    Table 2:\n      Qwen2.5-base, 3B, Relax: {policy: tiny, methods: [relax]}\n",
            4,
            ["Table 2 has no row 'Qwen2.5-base, 3B, Relax'", "did you mean 'Qwen2.5-base, 3B, ReLaX'"],
        ),
        (
            "paper:\n  rows:\n    Table 5:\n"
            "      Qwen3-Base, 4B, ReLaX - Vanilla GRPO: {policy: tiny, methods: [relax]}\n",
            4,
            ["to stand for", "did you mean 'Qwen3-Base, 4B,"],
        ),
        (
            "paper:\n  rows:\n    Table 2:\n      Qwen2.5-base, 3B, ReLaX: {policy: tinny, methods: [relax]}\n",
            4,
            ["unknown name 'tinny' in policies", "did you mean 'tiny'"],
        ),
        (
            "paper:\n  rows:\n    Table 1:\n      ReLaX-VL-3B: {policy: tiny, methods: [initial, relaks]}\n",
            4,
            ["unknown name 'relaks' in methods", "did you mean 'relax'"],
        ),
        (
            "paper:\n  columns:\n    AIME2024: {benchmark: noisy-sum, metric: mean@1}\n",
            3,
            ["no table has a column 'AIME2024'", "did you mean 'AIME24'"],
        ),
        (
            "paper:\n  columns:\n    AIME24: {benchmark: noisysum, metric: mean@1}\n",
            3,
            ["unknown name 'noisysum' in benchmarks", "did you mean 'noisy-sum'"],
        ),
        (
            "paper:\n  columns:\n    AIME24: {benchmark: noisy-sum, metric: mean@32}\n",
            3,
            ["noisy-sum is asked for mean@1 and mean@16, not mean@32"],
        ),
        ("paper:\n  columns:\n    AIME24: {benchmark: noisy-sum, metric: pass@1}\n", 3, ["does not fit"]),
        ("benchmarks:\n  new:\n    tsk: gsm8k\n", 3, ["unknown key 'tsk'", "did you mean 'task'"]),
        ("benchmarks:\n  new:\n    greedy: true\n", 2, ["benchmarks.new lacks the key 'task'"]),
        ("policies:\n  new: {}\n", 2, ["policies.new has neither scratch nor hub"]),
        ("methods:\n  relax sv: {}\n", 2, ["'relax sv' is no name for an entry of methods"]),
        ("ablations:\n  a:\n    title: x\n    arms: {0.1: relax, b: grpo}\n", 4, ["0.1 is no name", "put quotes"]),
        ("resources:\n  trian: {minutes: 1}\n", 2, ["unknown name 'trian' in resources", "did you mean 'train'"]),
        ("methods:\n  relax:\n    xi: 0\n", 3, ["methods.relax.xi is 0, expected more than 0"]),
        ("methods:\n  relax:\n    xi: [1]\n", 3, ["xi is [1], expected number or string or null"]),
        ("training:\n  steps: 5.0\n", 2, ["training.steps is 5.0, expected integer"]),
        ("training:\n  steps: true\n", 2, ["training.steps is True, expected integer"]),
        ("training:\n  vllm_gpus: 1\n", 2, ["vllm_gpus wants rollouts: vllm-server"]),
        ("prompt: {system: be brief}\n", 1, ["a system turn needs prompt.chat_template"]),
        ("1: 2\n", 1, ["unknown key 1"]),
    ],
)
def test_a_fault_names_file_line_and_key(tmp_path: Path, text: str, line: int, words: list[str]) -> None:
    files = overlay(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        config.load(files)
    message = str(caught.value)
    assert message.startswith(f"{files[1]}, line {line}: ")
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_fault_in_the_base_file_is_blamed_on_the_base_file(tmp_path: Path) -> None:
    broken = tmp_path / "config.yaml"
    broken.write_text(DEMO.read_text().replace("digits: 7", "digits: many"))
    harmless = tmp_path / "overlay.yaml"
    harmless.write_text("name: other\n")
    with pytest.raises(ConfigError, match=r"config\.yaml, line \d+: data\.digits is 'many'"):
        config.load([broken, harmless])


def test_files_that_are_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such configuration file"):
        config.load([tmp_path / "none.yaml"])
    with pytest.raises(ConfigError, match="is a folder"):
        config.load([tmp_path])
    with pytest.raises(ConfigError, match=r"line 2: not valid YAML"):
        config.load(overlay(tmp_path, "a: 1\n b: [\n"))
    with pytest.raises(ConfigError, match="expected keys and values, found list"):
        config.load(overlay(tmp_path, "- 1\n"))
    with pytest.raises(ConfigError, match=r"lacks the key 'matrix'.* behind config/config\.yaml: name that first"):
        config.load([overlay(tmp_path, "name: x\n")[1]])


@pytest.mark.parametrize(
    ("text", "first", "again", "key"),
    [
        ("data:\n  seed: 1\nname: x\ndata:\n  digits: 9\n", 1, 4, "data"),
        ("methods:\n  relax:\n    alpha: 0.1\n    xi: q90\n    alpha: 0.2\n", 3, 5, "alpha"),
        ("limits:\n  - {a: 1, a: 2}\n", 2, 2, "a"),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_both_lines(tmp_path: Path, text, first, again, key) -> None:
    site, tasks = tmp_path / "site.yaml", tmp_path / "tasks"
    tasks.mkdir()
    for path in (site, tasks / "gsm8k.yaml"):
        path.write_text(text)
    files = overlay(tmp_path, text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(benchmarks, "TASKS", tasks)
        for path, reads in (
            (files[1], lambda: config.load(files)),
            (site, lambda: read_site(site, {})),
            (tasks / "gsm8k.yaml", lambda: benchmarks.read_task("gsm8k")),
        ):
            with pytest.raises(ConfigError) as caught:
                reads()
            assert str(caught.value).startswith(f"{path}, line {again}: the key '{key}' stands in line {first} already")


def test_equal_keys_in_different_places_and_merged_ones_are_no_fault(tmp_path: Path) -> None:
    text = "one: &one {a: 1, b: 2}\ntwo: {<<: *one, a: 3}\nthree: {<<: *one, a: 4, b: 5}\n"
    (tmp_path / "merged.yaml").write_text(text)
    found = read_yaml(tmp_path / "merged.yaml", "file")
    assert (found["two"], found["three"]) == ({"a": 3, "b": 2}, {"a": 4, "b": 5})


@pytest.mark.parametrize("value", [".inf", ".nan", "1.0e+400"])
@pytest.mark.parametrize(
    "key", ["methods.relax.alpha", "methods.relax.xi", "training.learning_rate", "policies.tiny.scratch.rope_theta",
            "dictionary.ridge", "resources.train.minutes"]
)  # fmt: skip
def test_a_number_that_is_none_is_refused(tmp_path: Path, key: str, value: str) -> None:
    parts = key.split(".")
    text = "".join(f"{'  ' * depth}{part}:\n" for depth, part in enumerate(parts))
    files = overlay(tmp_path, f"{text[:-1]} {value}\n")
    with pytest.raises(ConfigError, match=rf"line {len(parts)}: {key} is (inf|nan), expected a finite number\."):
        config.load(files)


def test_local_files_are_those_that_are_read(tmp_path: Path) -> None:
    entry = {"repo": "mine", "path": "rows/a.jsonl", "archive": "images.zip"}
    hub = {"source": "hub", "datasets": [entry, {**entry, "archive": None}, {"repo": "theirs", "path": None}]}
    assert config.local_files(hub) == ["rows/a.jsonl", "rows/images.zip"]
    assert config.local_files({**hub, "source": "visual"}) == []
    assert config.local_files({"benchmarks": {"a": {"path": "b.jsonl"}, "c": {"path": None}}}) == ["b.jsonl"]


def test_a_local_file_that_is_not_there_is_named_with_its_line(tmp_path: Path) -> None:
    rows = {"repo": "mine", "revision": "unpinned", "split": "train", "prompt": "q", "answer": "a"}
    (tmp_path / "there.jsonl").touch()
    sets = [{**rows, "path": str(tmp_path / name)} for name in ("there.jsonl", "gone.jsonl")]
    files = overlay(tmp_path, yaml.safe_dump({"data": {"source": "hub", "datasets": sets}}))
    with pytest.raises(DataError, match=rf"overlay.yaml, line 9: {tmp_path}/gone.jsonl: no such file"):
        config.check_local_files(config.load(files), files)
    files = overlay(tmp_path, f"benchmarks:\n  noisy-sum:\n    path: {tmp_path}/none.parquet\n")
    with pytest.raises(DataError, match=r"overlay.yaml, line 3: .*none.parquet: no such file"):
        config.check_local_files(config.load(files), files)


def test_overlays_go_over_the_base_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    mine = Path("config/smoke.yaml")
    assert config.over_base([]) == [config.BASE]
    assert config.over_base([mine, config.BASE, config.BASE.absolute()]) == [config.BASE, mine]


def test_overlays_merge_mappings_and_replace_lists(tmp_path: Path) -> None:
    loaded = config.load(overlay(tmp_path, "matrix: {seeds: [7]}\nmethods: {relax: {alpha: 0.3}}\n"))
    assert loaded.matrix.seeds == [7]
    assert loaded.matrix.methods == yaml.safe_load(DEMO.read_text())["matrix"]["methods"]
    assert loaded.methods["relax"].alpha == 0.3
    assert loaded.methods["relax"].xi == "q90"


def test_defaults_are_those_of_the_models() -> None:
    grpo = config.load([DEMO]).methods["grpo"]
    assert grpo == Method()
    assert (grpo.kl_mode, grpo.recorded()["kl_mode"]) == ("none", "none")


def test_changing_alpha_concerns_its_own_arm_alone(tmp_path: Path) -> None:
    before, after = config.load([DEMO]), config.load(overlay(tmp_path, "methods: {relax: {alpha: 0.2}}\n"))
    changed = [m for m in before.methods if config.train_settings(before, m) != config.train_settings(after, m)]
    assert changed == ["relax"]
    for stage in (config.data_settings, config.dictionary_settings, config.extract_settings):
        assert stage(before) == stage(after)


def test_a_results_folder_of_another_foundation_is_refused(tmp_path: Path) -> None:
    from relax.records.record import Run

    loaded, root = config.load([DEMO]), tmp_path / "demo"
    settings = config.data_settings(loaded)
    Run("data", {}, settings.recorded()).finish(root / "data", [])
    config.check_results_folder(loaded, root)
    other = config.check(config.merge(loaded.recorded(), {"data": {"digits": 6}}))
    with pytest.raises(ConfigError, match="its data was made with another configuration"):
        config.check_results_folder(other, root)
    # What does not touch the foundation is none of its business.
    config.check_results_folder(config.check(config.merge(loaded.recorded(), {"training": {"steps": 1}})), root)


def test_a_results_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    loaded = config.load([DEMO])
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="is a file"):
        config.check_results_folder(loaded, tmp_path / "file" / "demo")
    # /proc is read-only in the only sense that root respects: nothing can be made there.
    from relax.files import writable_folder

    with pytest.raises(MachineError, match="cannot write there"):
        writable_folder("/proc/relax")
