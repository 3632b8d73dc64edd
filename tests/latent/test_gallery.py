"""The gallery's script draws its pictures from any model with a chat template."""

import importlib
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import REPOSITORY
from tests.latent.test_dsd_chat import chat_policy

__all__ = ["chat_policy"]
PICTURES = {f"gallery-{name}.png" for name in (
    "spectra", "pseudospectrum", "length", "temperature", "repetition", "answers",
)}  # fmt: skip


def test_one_command_draws_every_picture(
    chat_policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(REPOSITORY / "docs" / "images")
    script, figures = importlib.import_module("gallery"), importlib.import_module("gallery_figures")
    small = {"M": 4, "STORY": 40, "ANSWER": 12, "PROBLEMS": 4, "SAMPLES": 2}
    for name, value in small.items():
        monkeypatch.setattr(script, name, value)
    for name, value in {"LENGTHS": (4, 6, 8), "COMMON": 6}.items():
        monkeypatch.setattr(figures, name, value)
    monkeypatch.setattr(script, "grade", lambda response, gold: type("Grade", (), {"correct": len(response) % 2 == 0}))
    monkeypatch.setattr(sys, "argv", ["gallery.py", "--model", str(chat_policy), "--out", str(tmp_path)])
    script.main()
    assert {path.name for path in tmp_path.iterdir()} == PICTURES
    for name in PICTURES:
        with Image.open(tmp_path / name) as picture:
            assert len(set(picture.convert("L").resize((64, 64)).get_flattened_data())) > 10, name
    said = capsys.readouterr().err
    assert "gallery: pictures: 6 of 6 pictures" in said


def test_the_page_shows_the_pictures_that_the_script_draws() -> None:
    page = (REPOSITORY / "docs" / "gallery.md").read_text()
    for name in PICTURES:
        assert f"](images/{name})" in page
        assert (REPOSITORY / "docs" / "images" / name).exists()


def test_altered_responses_keep_their_length_and_repeat_what_they_say() -> None:
    from relax.latent.rollouts import Rollout

    sys.path.insert(0, str(REPOSITORY / "docs" / "images"))
    try:
        script, figures = importlib.import_module("gallery"), importlib.import_module("gallery_figures")
    finally:
        sys.path.pop(0)
    told = [Rollout("a/0", "", [1], list(range(100, 140)), "")]
    (shuffled,), (loop,), (one,) = (
        script.altered(told, kind) for kind in ("shuffled tokens", "loop of 4", "one token")
    )
    assert sorted(shuffled.response_ids) == told[0].response_ids != shuffled.response_ids
    assert loop.response_ids == [110, 111, 112, 113] * 10
    assert one.response_ids == [110] * 40
    assert figures.repeated(told[0].response_ids) == 0
    assert figures.repeated(loop.response_ids) == pytest.approx(1 - 4 / 37)
