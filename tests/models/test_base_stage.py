"""The ``base`` stage, from a configuration to weights."""

import json
from pathlib import Path

import pytest

from relax import config
from relax.models.base_stage import make_policy
from relax.records.record import Run
from tests.conftest import REPOSITORY


@pytest.mark.parametrize("second_stage", ["", ", second_stage: null"], ids=["left out", "null"])
def test_a_warm_up_without_a_second_stage_has_one_stage(second_stage: str, tmp_path: Path) -> None:
    overlay = tmp_path / "small.yaml"
    warmup = f"{{demonstrations: 64, steps: 3, batch_size: 8{second_stage}}}"
    overlay.write_text(f"policies: {{tiny: {{scratch: {{warmup: {warmup}}}}}}}\n")
    settings = config.base_settings(config.load([REPOSITORY / "config" / "config.yaml", overlay]), "tiny")
    make_policy(settings, tmp_path / "base", Run("base", {}, settings.recorded()), "test")
    assert (tmp_path / "base" / "model" / "model.safetensors").is_file()
    logged = (tmp_path / "base" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in logged] == [1, 2, 3]
