"""`relax fetch --collection`: a list of models and data sets with commits, formats and sizes, and blocks to paste.

The names, files and numbers are invented; a server on this machine answers as the hub does.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from relax import config
from relax.cluster.launch import free_port
from tests.conftest import REPOSITORY
from tests.latent.dsd_fixture import relax
from tests.models.hub_fixture import PROXIES, LocalHub, collection, go_online, local_hub, repository

NUMBER = "0123456789abcdef01234567"
SLUG = f"Lab/models-{NUMBER}"
TOKEN = "hf_" + "secret" * 5
WEIGHTS = {"config.json": 700, "model.safetensors.index.json": 9000, "tokenizer.json": 7_000_000}
SHARDS = {f"model-0000{n}-of-00002.safetensors": 7_620_000_000 for n in (1, 2)}
MODELS = [
    repository(
        "Lab/Good-7B",
        {**WEIGHTS, **SHARDS, "training_args.bin": 5000},
        safetensors={"parameters": {"BF16": 7_615_616_512}, "total": 7_615_616_512},
        cardData={"base_model": ["Qwen/Qwen2.5-7B"], "license": "apache-2.0"},
    ),
    # Parameters not counted, a name that YAML reads as a number, a commit of digits alone, a base that would break out.
    repository(
        "Lab/1.5",
        {"config.json": 1, "model.safetensors": 3_000_000_000},
        sha="1" * 40,
        gated="manual",
        cardData={"base_model": "x/y\npolicies: {evil: 1}\x1b[31m"},
    ),
    repository("Other/good-7b", {"config.json": 1, "model.safetensors": 30_000}, createdAt=None),
    repository("Lab/Pickled", {"config.json": 700, "pytorch_model.bin": 15_200_000_000}),
    repository("Lab/Ranks", {"global_step_100/actor/model_world_size_8_rank_0.pt": 3_000_000_000}),
    repository("Lab/Deep", {"step_100/config.json": 7, "step_100/model.safetensors": 3_000_000}),
    repository("Lab/Quants", {"Q4/model-Q4_0.gguf": 4_100_000_000}),
    repository("Lab/Adapter", {"adapter_config.json": 7, "adapter_model.safetensors": 300_000}),
    repository("Lab/Empty", {"README.md": 7}),
    repository("Lab/Headless", {"model.safetensors": 512}),
]
SETS = [
    repository(
        "Lab/Sums",
        {"README.md": 10, ".gitattributes": 5, "data/train-0.parquet": 12_300_000, "data/test-0.parquet": 999},
        cardData={
            "dataset_info": {
                "features": [{"name": "problem", "dtype": "string"}, {"name": "solution", "dtype": "string"}],
                "splits": [{"name": "train", "num_examples": 9}, {"name": "test", "num_examples": 1}],
            }
        },
    ),
    repository(
        "Lab/Verl",
        {"part.parquet": 1},
        cardData={
            "dataset_info": [
                {
                    "config_name": "hard",
                    "features": [{"name": name} for name in ("data_source", "prompt", "reward_model", "images")],
                    "splits": [{"name": "math"}],
                }
            ]
        },
    ),
    repository("Lab/Bare", {f"part-{n}.jsonl": 100 for n in range(20)}, cardData={"dataset_info": "nonsense"}),
]
OTHERS = [("paper", "2512.07558"), ("space", "Lab/demo"), ("model", "Lab/Private"), ("model", "Lab/Gated")]


def answers() -> dict[str, object]:
    items = [*(("model", each["id"]) for each in MODELS), *(("dataset", each["id"]) for each in SETS), *OTHERS]
    return {
        f"/api/collections/{SLUG}": collection(SLUG, "Our models", *items),
        **{f"/api/models/{each['id']}": each for each in MODELS},
        **{f"/api/datasets/{each['id']}": each for each in SETS},
        "/api/models/Lab/Private": (401, ""),
        "/api/models/Lab/Gated": (403, "GatedRepo"),
    }


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """The collection above, on a server that the library of the hub asks with a token."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with local_hub(answers()) as served:
        go_online(served.address, tmp_path / "cache", monkeypatch)
        yield served


def listed(slug: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, standard output, and messages."""
    code, messages = relax("fetch", "--collection", slug)
    output = capsys.readouterr().out
    assert TOKEN not in output + messages
    return code, output, messages


def test_the_list_names_commits_formats_sizes_and_what_is_refused(
    hub: LocalHub, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, output, messages = listed(SLUG, capsys)
    assert (code, messages) == (0, "")
    head, _, rest = output.partition("\n")
    assert head == f"# Our models ({SLUG}): 12 models, 3 data sets, 1 paper, 1 space"
    blocks = {block.splitlines()[0]: block for block in rest.removeprefix("#\n").split("\n#\n")}
    a = "a" * 40
    good = blocks[f"# model Lab/Good-7B at {a}, made 2025-12-10"]
    assert "#   pickles 5 kB in 1 file; safetensors 15.2 GB in 2 files\n#   base model: Qwen/Qwen2.5-7B" in good
    assert "refused" not in good
    for name, said in {
        "Pickled": "pickles 15.2 GB in 1 file\n#   refused: its weights are pickled (pytorch_model.bin), which",
        "Ranks": "refused: its weights are pickled (global_step_100/actor/model_world_size_8_rank_0.pt)",
        "Deep": "safetensors 3 MB in 1 file\n#   refused: its weights lie in the folder step_100",
        "Quants": "GGUF 4.1 GB in 1 file\n#   refused: it holds GGUF files alone; download one such as Q4/mod",
        "Adapter": "refused: it is an adapter; merge it into its model",
        "Empty": "refused: it has no weights; expected model.safetensors",
        "Headless": "safetensors 512 bytes in 1 file\n#   refused: config.json is missing",
    }.items():
        assert f"#   {said}" in blocks[f"# model Lab/{name} at {a}, made 2025-12-10"]
    assert "# paper 2512.07558: not read" in blocks
    assert "# space Lab/demo: not read" in blocks
    assert any(
        line.startswith("# model Lab/Private: not read; it is private, or it is not there any more; set HF_TOKEN")
        for line in blocks
    )
    assert (
        "# model Lab/Gated: not read; access to it must be granted; ask for it on its page of the hub, and set HF_TOKEN"
        in rest
    )
    assert (
        "gated: its files need the token of an account with access"
        in blocks[f"# model Lab/1.5 at {'1' * 40}, made 2025-12-10"]
    )
    assert "parquet 12.3 MB in 2 files" in rest
    assert "#   - data/test-0.parquet, 999 bytes\n#   - data/train-0.parquet, 12.3 MB" in rest
    assert "#   and 8 more" in rest
    # No file was asked for. The library asks for a list of its own without a token.
    assert all(path.startswith("/api/") for path in hub.asked)
    assert hub.tokens - {""} == {f"Bearer {TOKEN}"}
    assert not (tmp_path / "cache").exists()


def test_the_output_is_an_overlay_whose_policies_are_the_usable_models(
    hub: LocalHub, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    _, output, _ = listed(SLUG, capsys)
    overlay, matrix = tmp_path / "released.yaml", tmp_path / "matrix.yaml"
    overlay.write_text(output)
    matrix.write_text('name: released\nmatrix: {policies: [good-7b, "1.5"]}\n')
    loaded = config.load([REPOSITORY / "config" / "config.yaml", overlay, matrix])
    assert set(yaml.safe_load(output)) == {"policies"}
    assert list(yaml.safe_load(output)["policies"]) == ["good-7b", "1.5", "other-good-7b"]
    policies = {name: loaded.policies[name].hub for name in ("good-7b", "1.5", "other-good-7b")}
    assert {name: hub.recorded() for name, hub in policies.items() if hub} == {
        "good-7b": {"repo": "Lab/Good-7B", "revision": "a" * 40, "parameters": 7.62, "released": "2025-12-10"},
        "1.5": {"repo": "Lab/1.5", "revision": "1" * 40, "parameters": 1.5, "released": "2025-12-10"},
        "other-good-7b": {"repo": "Other/good-7b", "revision": "a" * 40, "parameters": 0.000015, "released": None},
    }
    assert "parameters: 1.5  # billions; a guess" in output
    assert "\x1b" not in output


def test_the_block_of_the_data_sets_holds_what_their_cards_say(
    hub: LocalHub, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    _, output, _ = listed(SLUG, capsys)
    block = output[output.index("# data:\n") :]
    overlay = tmp_path / "data.yaml"
    overlay.write_text("".join(line.removeprefix("# ") for line in block.splitlines(keepends=True)))
    loaded = config.load([REPOSITORY / "config" / "config.yaml", overlay])
    commit = {"revision": "a" * 40}
    wanted = [
        {"repo": "Lab/Sums", "split": "train", "prompt": "COLUMN", "answer": "COLUMN"},
        {
            **{"repo": "Lab/Verl", "config": "hard", "split": "math"},
            **{"prompt": "prompt", "answer": "reward_model.ground_truth", "images": "images"},
        },
        {"repo": "Lab/Bare", "split": "train", "prompt": "COLUMN", "answer": "COLUMN"},
    ]
    found = [entry.model_dump(exclude_unset=True) for entry in loaded.data.datasets]
    assert found == [{**entry, **commit} for entry in wanted]
    assert "its columns: problem, solution" in block
    assert "its page names no columns; look at its files" in block


def test_an_address_without_the_number_is_looked_up_among_the_collections_of_the_owner(
    hub: LocalHub, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [collection(slug, "Some") for slug in (f"lab/other-{NUMBER}", SLUG, f"lab/models-old-{NUMBER}")]
    for entry in entries:
        del entry["position"]
    hub.answers["/api/collections"] = entries
    code, output, _ = listed("lab/Models", capsys)
    assert code == 0
    assert output.startswith(f"# Our models ({SLUG}): ")
    assert "/api/collections?owner=lab" in hub.asked

    hub.answers["/api/collections"] = [*entries, {**entries[1], "slug": f"Lab/models-{NUMBER[::-1]}"}]
    code, output, messages = listed("Lab/models", capsys)
    assert (code, output) == (2, "")
    assert f"--collection is Lab/models, and Lab has 2 of that name: give {SLUG} or Lab/models-" in messages

    code, output, messages = listed("Lab/mdoels", capsys)
    assert (code, output) == (4, "")
    assert f"Lab/mdoels: Lab has no such collection on {hub.address}, or it is private; look at its" in messages
    assert f"there are lab/other-{NUMBER}, {SLUG}" in messages


@pytest.mark.parametrize("slug", ["models", "https://hub/collections/a/b", "a/b/c", "a/", "../b", "a/b?c", "a/b\n", ""])
def test_what_is_no_slug_is_refused_before_anyone_is_asked(
    slug: str, hub: LocalHub, capsys: pytest.CaptureFixture[str]
) -> None:
    code, output, messages = listed(slug, capsys)
    assert (code, output) == (2, "")
    assert messages.startswith(f"relax fetch: --collection is {slug!r}, expected OWNER/NAME; write what stands behind")
    assert hub.asked == []


@pytest.mark.parametrize(
    ("path", "answer", "said"),
    [
        (
            f"/api/collections/{SLUG}",
            (404, ""),
            f"{SLUG}: HUB does not give it (status 404): there is no such collection",
        ),
        (f"/api/collections/{SLUG}", (401, ""), "or it is private; look at its address, or set HF_TOKEN"),
        (f"/api/collections/{SLUG}", (403, ""), "or it is private; look at its address, or set HF_TOKEN"),
        (
            f"/api/collections/{SLUG}",
            (418, ""),
            f"{SLUG} cannot be fetched (HUB answers with status 418; try again later",
        ),
        (f"/api/collections/{SLUG}", ["no hub"], "HUB cannot be reached, or is no hub: "),
        ("/api/models/Lab/Deep", (500, ""), "Lab/Deep cannot be fetched (HUB answers with status 500"),
        (
            "/api/models/Lab/Deep",
            {"sha": "no hub"},
            "Lab/Deep cannot be fetched (HUB cannot be reached, or is no hub: ",
        ),
    ],
)
def test_a_hub_that_refuses(
    path: str, answer: object, said: str, hub: LocalHub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.answers[path] = answer
    code, output, messages = listed(SLUG, capsys)
    assert (code, output) == (4, "")
    assert len(messages.splitlines()) == 1
    assert said.replace("HUB", hub.address) in messages


def test_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    go_online(nobody, tmp_path / "cache", monkeypatch)
    code, output, messages = listed(SLUG, capsys)
    assert (code, output) == (4, "")
    assert f"{nobody} cannot be reached, or is no hub: ConnectError" in messages


@pytest.mark.parametrize(
    ("items", "code", "said"),
    [
        ([("model", "Lab/Pickled"), ("model", "Lab/Quants")], 3, "none of its models (2) can be a policy"),
        ([("dataset", "Lab/Bare")], 0, ""),
        ([], 0, ""),
    ],
    ids=["nothing usable", "data alone", "empty"],
)
def test_a_collection_without_a_policy(
    items: list[tuple[str, str]], code: int, said: str, hub: LocalHub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.answers[f"/api/collections/{SLUG}"] = collection(SLUG, "Ours", *items)
    found, output, messages = listed(SLUG, capsys)
    assert found == code
    assert said in messages
    assert bool(messages) == bool(said)
    assert output.startswith(f"# Ours ({SLUG}): ")
    assert yaml.safe_load(output) is None


def test_the_hub_is_the_one_that_hf_endpoint_names_and_is_asked_for_nothing_else(tmp_path: Path) -> None:
    """As a user types it, in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_OFFLINE")}
    for name in PROXIES:
        environment.pop(name, None)
    with local_hub(answers()) as hub:
        ended = subprocess.run(
            [sys.executable, "-m", "relax", "fetch", "--collection", SLUG],
            env={**environment, "HF_ENDPOINT": hub.address, "HF_TOKEN": TOKEN, "HF_HOME": str(tmp_path)},
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "  good-7b:  # base model: Qwen/Qwen2.5-7B\n    hub:\n      repo: Lab/Good-7B\n" in ended.stdout
    assert TOKEN not in ended.stdout
    assert {path.split("/")[2] for path in hub.asked} == {"collections", "models", "datasets"}
