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
from tests.conftest import REPOSITORY, overlays

DEMO = REPOSITORY / "config" / "config.yaml"
#: What every data set of the hub says, besides its name.
ROWS = "revision: unpinned, split: train, prompt: q, answer: a"


def overlay(folder: Path, text: str) -> list[Path]:
    path = folder / "overlay.yaml"
    path.write_text(text)
    return [DEMO, path]


@pytest.mark.parametrize("path", sorted((REPOSITORY / "config").glob("*.yaml")), ids=lambda p: p.name)
def test_shipped_configurations_load(path: Path) -> None:
    loaded = config.load([DEMO] if path == DEMO else [DEMO, *overlays(path)])
    assert loaded.name == ("demo" if path == DEMO else path.stem)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("methods:\n  relax:\n    alhpa: 0.2\n", 3, ["unknown key 'alhpa'", "did you mean 'alpha'"]),
        ("methods:\n  relax:\n    alpha: -0.1\n", 3, ["methods.relax.alpha is -0.1", "at least 0"]),
        (
            "methods:\n  relax:\n    alpha: strong\n",
            3,
            ["methods.relax.alpha is 'strong'", "expected a number"],
        ),
        (
            "methods:\n  relax:\n    spectrum: eigen\n",
            3,
            ["'eigen'", "eigenvalues, singular_values; did you mean 'eigenvalues'."],
        ),
        ("methods:\n  relax:\n    xi: q100\n", 3, ["methods.relax.xi is 'q100'", "percentile"]),
        ("data:\n  source: noisysum\n", 2, ["data.source is 'noisysum', expected one of", "did you mean 'noisy-sum'."]),
        ("methods:\n  grpo:\n    beta: 0.1\n", 3, ["beta is 0.1 but kl_mode is none"]),
        ("methods:\n  grpo-kl:\n    beta: 0.0\n", 3, ["kl_mode is uniform but beta is 0"]),
        ("methods:\n  relax:\n    xi: null\n", 3, ["kl_mode adaptive needs xi"]),
        ("matrix:\n  methods: [grpo, relaks]\n", 2, ["unknown name 'relaks'", "did you mean 'relax'"]),
        ("matrix:\n  policies: [tiney]\n", 2, ["unknown name 'tiney'", "did you mean 'tiny'"]),
        ("matrix:\n  benchmarks: [noisysum]\n", 2, ["unknown name 'noisysum'", "did you mean 'noisy-sum'"]),
        ("matrix:\n  seeds: [1, 1]\n", 2, ["matrix.seeds is [1, 1], expected nothing twice"]),
        ("matrix:\n  seeds: []\n", 2, ["matrix.seeds is [], expected 1 entry or more"]),
        ("matrix:\n  seeds: [1, a]\n", 2, ["entry 2 of matrix.seeds is 'a', expected a whole number"]),
        ("ablations:\n  a:\n    title: x\n    arms: {b: grpo}\n", 4, ["{b: 'grpo'}, expected 2 entries or more"]),
        (
            f"data:\n  datasets:\n    - {{repo: 1, {ROWS}}}\n",
            3,
            ["repo of entry 1 of data.datasets is 1, expected a text"],
        ),
        (
            f"data:\n  datasets:\n    - {{repo: a, {ROWS}, where: {{l: [b, [true, null]]}}}}\n",
            3,
            ["entry 2 of where.l of entry 1 of data.datasets is [true, nothing (null)], expected a text or a whole"],
        ),
        ("tracking:\n  uri: true\n", 2, ["tracking.uri is true, expected a text or nothing (null)"]),
        ("dictionary:\n  ridge: null\n", 2, ["dictionary.ridge is nothing (null), expected a number"]),
        ("training:\n  gradient_checkpointing: 1\n", 2, ["is 1, expected true or false"]),
        ("matrix: [grpo]\n", 1, ["matrix is ['grpo'], expected keys and values"]),
        ("training:\n  learning_rate: 1e-4\n", 2, ["is '1e-4', expected a number", "such as 1.0e-4"]),
        ("training:\n  learning_rate: '0.1'\n", 2, ["is '0.1', expected a number", "no quotes"]),
        ("training:\n  micro_batch: 7\n", 2, ["training.micro_batch is 7, which does not divide a step's 256"]),
        ("data:\n  source: hub\n", 2, ["data.datasets names no data set"]),
        ("methods:\n  relax:\n    dsd_window: 10\n", 3, ["xi is q90", "with dsd_window give a number"]),
        ("methods:\n  authors:\n    dsd_window: 10\n    xi: 1\n", 3, ["trajectory is window and dsd_window is set"]),
        ("policies:\n  tiny: {dictionary_of: other}\n", 2, ["is 'other', which matrix.policies lacks; add it there"]),
        ("policies:\n  tiny: {dictionary_of: tiny}\n", 2, ["is 'tiny', which has no dictionary of its own"]),
        ("evaluation: {protocol: mine}\n", 1, ["unknown protocol 'mine'", "none is defined"]),
        (
            "evaluation:\n  protocol: mine\n  protocols: {mine: {system: Box it.}}\n",
            3,
            ["evaluation.protocols.mine.system needs prompt.chat_template: true"],
        ),
        ("training:\n  steps: 1.5\n", 2, ["training.steps is 1.5", "expected a whole number"]),
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
        ("policies:\n  new: {}\n", 2, ["policies.new has none of scratch, hub, path, gguf and wheel"]),
        ("methods:\n  relax sv: {}\n", 2, ["'relax sv' is no name for an entry of methods"]),
        ("ablations:\n  a:\n    title: x\n    arms: {0.1: relax, b: grpo}\n", 4, ["0.1 is no name", "put quotes"]),
        ("resources:\n  trian: {minutes: 1}\n", 2, ["unknown name 'trian' in resources", "did you mean 'train'"]),
        ("methods:\n  relax:\n    xi: 0\n", 3, ["methods.relax.xi is 0, expected more than 0"]),
        ("methods:\n  relax:\n    xi: [1]\n", 3, ["xi is [1], expected a number or a text or nothing (null)"]),
        ("training:\n  steps: 5.0\n", 2, ["training.steps is 5.0, expected a whole number"]),
        ("training:\n  steps: true\n", 2, ["training.steps is true, expected a whole number"]),
        ("training:\n  vllm_gpus: 1\n", 2, ["vllm_gpus wants rollouts: vllm-server"]),
        ("prompt: {system: be brief}\n", 1, ["a system turn needs prompt.chat_template"]),
        ("1: 2\n", 1, ["unknown key 1"]),
        (
            "data: {source: noisy-sum, instruction: Box it.}\n",
            1,
            ["data.instruction is not read by the task noisy-sum"],
        ),
        (
            'prompt:\n  chat_template: true\n  shots:\n    - {problem: a, response: "\\boxed{2}"}\n',
            4,
            ["response of entry 1 of prompt.shots holds the control character '\\x08'", "write single quotes"],
        ),
        ('prompt: {chat_template: true, system: "\\frac"}\n', 1, ["prompt.system holds the control character '\\x0c'"]),
        ("policies:\n  new: {path: ~/m}\n", 2, ["policies.new.path is '~/m', expected a path as it is"]),
        ("policies:\n  new: {gguf: ''}\n", 2, ["policies.new.gguf is empty, expected a path"]),
        (
            "policies:\n  n: {hub: {repo: 'https://hf.co/a/b', revision: unpinned, parameters: 1}}\n",
            2,
            ["policies.n.hub.repo is 'https://hf.co/a/b'", "write the name without the address"],
        ),
        (
            "benchmarks:\n  noisy-sum:\n    rows: 3\n",
            3,
            ["benchmarks.noisy-sum.rows is not read, as the task noisy_sum asks the held-out problems of data"],
        ),
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
    with pytest.raises(ConfigError, match="expected keys and values, found a list"):
        config.load(overlay(tmp_path, "- 1\n"))
    with pytest.raises(ConfigError, match=r"lacks the key 'matrix'.* behind config/config\.yaml: name that first"):
        config.load([overlay(tmp_path, "name: x\n")[1]])


def test_outside_a_clone_the_base_that_comes_with_the_package_is_named(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    mine = overlay(tmp_path, "name: x\n")[1]
    with pytest.raises(ConfigError) as caught:
        config.load([mine])
    named = str(caught.value).partition("An overlay stands behind ")[2].removesuffix(": name that first.")
    assert Path(named).is_absolute()
    assert config.load([named, mine]).name == "x"


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("policies: {tiny: {scratch: {key_value_heads: 4}}}", "policies: {tiny: {scratch: {heads: 5}}}",
         "key_value_heads must divide heads, found 4 and 5."),
        ("policies: {tiny: {scratch: {heads: 5}}}", "policies: {tiny: {scratch: {key_value_heads: 4}}}",
         "key_value_heads must divide heads, found 4 and 5."),
        ("training: {micro_batch: 8}", "training: {prompts_per_step: 5, rollouts_per_prompt: 5}",
         "training.micro_batch is 8, which does not divide a step's 25 responses"),
        ("matrix: {methods: [kl-cov]}\ntraining: {updates_per_generation: 2}", "training: {updates_per_generation: 1}",
         "kl_cov has no gradient at one update per generation"),
        ("paper: {columns: {AIME24: {benchmark: noisy-sum, metric: mean@16}}}",
         "benchmarks: {noisy-sum: {samples: 8}}", "noisy-sum is asked for mean@1 and mean@8, not mean@16."),
    ],
)  # fmt: skip
def test_a_contradiction_is_blamed_on_the_last_file_that_sets_one_of_its_keys(
    tmp_path: Path, first: str, second: str, message: str
) -> None:
    harmless = ["name: other", "limits: []"]
    files = [DEMO, *(tmp_path / f"{number}.yaml" for number in range(4))]
    for path, text in zip(files[1:], [harmless[0], first, f"# about\n{second}", harmless[1]], strict=True):
        path.write_text(text + "\n")
    with pytest.raises(ConfigError) as caught:
        config.load(files)
    assert str(caught.value).startswith(f"{files[3]}, line 2: {message}")


@pytest.mark.parametrize(("name", "meant"), [("nope", None), ("entropie", "entropy"), ("relaks", "relax")])
def test_a_name_is_suggested_where_it_is_near(name: str, meant: str | None) -> None:
    experiment = config.load([DEMO])
    with pytest.raises(ConfigError) as caught:
        config.require(experiment, "methods", name)
    expected = f"known are {', '.join(experiment.methods)}" if meant is None else f"did you mean '{meant}'"
    assert str(caught.value) == f"unknown name {name!r} in methods; {expected}."


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
    files = overlay(tmp_path, f"benchmarks:\n  noisy-sum:\n    path: {tmp_path}/none.parquet\n    task: gsm8k\n")
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
