"""What ``relax dsd`` says to bad input: one sentence, an exit code, nothing half-written."""

from pathlib import Path

import pytest

from relax.errors import NumericsError
from relax.koopman import Dictionary
from tests.latent.dsd_fixture import M, refused, relax_dsd, write_rows


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no prompts"),
        ('{"prompt": "12:"}\n{"prompt": 7}\n', "line 2: 'prompt' must be non-empty text, found 7"),
        ('{"text": "12:"}\n', "line 1: 'prompt' must be non-empty text, it is missing"),
        ('{"prompt": ""}\n', "line 1: 'prompt' must be non-empty text, found ''"),
        ('\n{"prompt": \n', "line 2: not JSON"),
        ("[1]\n", "line 1: expected a JSON object, found a list"),
        ('{"prompt": "1:", "id": "a"}\n{"prompt": "2:", "id": "a"}\n', "line 2: id 'a' is that of"),
        ('{"prompt": "1:", "id": [1]}\n', "line 1: 'id' must be text or a whole number, found [1]"),
        ('{"prompt": "abc"}\n', "prompt '1': none of its characters is in the vocabulary"),
        ('{"prompt": "' + 63 * "1" + '"}\n', "prompt '1': its 63 tokens leave no room in the context of 64"),
        (None, "cannot be read (No such file or directory)"),
        (b'{"prompt": "\xff"}\n', "not UTF-8 text"),
    ],
)
def test_bad_prompts(content: str | bytes | None, said: str, tiny_policy: Path, tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(relax_dsd("--model", tiny_policy, "--prompts", file, "--out", tmp_path / "out"), 3, said, tmp_path / "out")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no responses"),
        ('{"response": "1+2"}\n', "line 1: neither 'id' nor 'prompt'"),
        ('{"response": "1+2", "id": "z"}\n', "line 1: id 'z' is not among the prompts"),
        ('{"response": "1+2", "prompt": "99:"}\n', "line 1: prompt '99:' is not among the prompts"),
        ('{"id": "a"}\n', "line 1: 'response' must be text, it is missing"),
        ('{"id": "a", "response": "1"}\n{"id": "a", "response": ""}\n', "none of 2 responses has two tokens"),
        ('{"id": "a", "response": "1+2"}\n', "only 1 responses with two tokens or more"),
        ('{"id": "a", "response": "' + 80 * "1" + '"}\n', "response 'a/0': with its prompt it has 83 tokens"),
    ],
)
def test_bad_responses(content: str, said: str, tiny_policy: Path, tmp_path: Path) -> None:
    prompts = write_rows(tmp_path / "prompts.jsonl", [{"prompt": "12:", "id": "a"}])
    file = tmp_path / "responses.jsonl"
    file.write_text(content)
    ended = relax_dsd("--model", tiny_policy, "--prompts", prompts, "--responses", file, "--out", tmp_path / "out")
    refused(ended, 3, said, tmp_path / "out")


def test_bad_dictionary_model_and_folder(options: list[object], tmp_path: Path) -> None:
    out, file = tmp_path / "out", tmp_path / "dictionary.safetensors"
    rest = ["--prompts", options[3], "--out"]
    refused(relax_dsd(*options, "--dictionary", file, "--out", out), 3, "there is no such dictionary", out)
    Dictionary.random(48, M).save(file)
    said = "this dictionary is for states of 48 numbers, but those of"
    refused(relax_dsd(*options, "--dictionary", file, "--out", out), 2, said, out)
    said = "this dictionary has m = 6, but --koopman-dim is 7"
    refused(relax_dsd(*options, "--koopman-dim", 7, "--dictionary", file, "--out", out), 2, said, out)
    said = "this dictionary has position = response, but --position is text"
    Dictionary.random(32, M).save(file)
    refused(relax_dsd(*options, "--position", "text", "--dictionary", file, "--out", out), 2, said, out)
    said = "someone/none: neither a folder nor a model in the local hub cache; fetch it with `huggingface-cli download"
    refused(relax_dsd("--model", "someone/none", *rest, out), 4, said, out)
    refused(relax_dsd("--model", "/no/such/folder", *rest, out), 4, "give the path of a folder", out)
    (tmp_path / "broken").mkdir()
    refused(relax_dsd("--model", tmp_path / "broken", *rest, out), 3, "config.json is missing", out)
    (tmp_path / "broken" / "config.json").write_text('{"model_type": "qwen2"}')
    refused(relax_dsd("--model", tmp_path / "broken", *rest, out), 3, "transformers cannot load it", out)
    (tmp_path / "a file").write_text("")
    refused(relax_dsd(*options, "--out", tmp_path / "a file" / "out"), 4, "cannot write there", out)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--koopman-dim", 1, "expected a whole number of at least 2"),
        ("--samples", 0, "expected a whole number of at least 1"),
        ("--max-response-length", "x", "expected a whole number of at least 2"),
        ("--ridge", -1, "expected a number of at least 0"),
        ("--temperature", 0, "expected a number above 0"),
        ("--temperature", "nan", "expected a number above 0"),
        ("--dtype", "int8", "invalid choice"),
    ],
)
def test_bad_options(option: str, value: object, said: str, options: list[object], tmp_path: Path) -> None:
    refused(relax_dsd(*options, option, value, "--out", tmp_path / "out"), 2, said, tmp_path / "out")


def test_a_failure_at_the_very_end_leaves_what_was_there(
    options: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from relax.latent import dsd_output

    def fail(*_: object) -> dict[str, bytes]:
        raise NumericsError("the figure cannot be drawn.")

    monkeypatch.setattr(dsd_output, "draw_figures", fail)
    (tmp_path / "notes.txt").write_text("mine")
    code, terminal = relax_dsd(*options, "--out", tmp_path)
    assert (code, terminal.splitlines()[-1]) == (5, "relax dsd: the figure cannot be drawn.")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_too_few_responses_for_a_dictionary_are_refused_before_any_is_sampled(
    options: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relax.latent.dsd.sample", None)
    (tmp_path / "one.jsonl").write_text('{"id": "a", "prompt": "1+2:"}\n')
    said = "1 prompts with 3 samples each give 3 responses, but a dictionary is fitted on 8 at least"
    command = [*options, "--prompts", tmp_path / "one.jsonl", "--samples", 3, "--out", tmp_path / "out"]
    refused(relax_dsd(*command), 3, said, tmp_path / "out")
