"""Which configuration files are the study, its controls and its tuning; each is laid over ``config/config.yaml``."""

from collections.abc import Sequence
from pathlib import Path

from relax import config
from relax.files import of_the_clone

#: Names of the controls on the page.
NOISY, COUNTDOWN = "noisy sum", "Countdown"
STUDY = ("study.yaml",)
TUNING = (*STUDY, "study_tuning.yaml")
ADDED = (*STUDY, "study_added.yaml")
CONTROLS = {NOISY: (*STUDY, "study_noisy_sum.yaml"), COUNTDOWN: (*STUDY, "study_countdown.yaml")}


def configurations(files: Sequence[Path] = ()) -> tuple[config.Config, dict[str, config.Config]]:
    """The loaded configuration of the study and those of its controls; with files, theirs and no control."""
    if files:
        return _loaded([path.absolute() for path in files]), {}
    return _loaded(STUDY), {name: _loaded(names) for name, names in CONTROLS.items()}


def tuning_plan() -> config.Config:
    """The loaded configuration of the tuning."""
    return _loaded(TUNING)


def addition_plan() -> config.Config:
    """The loaded configuration of the arms that were added after the first result."""
    return _loaded(ADDED)


def _loaded(names: Sequence[str | Path]) -> config.Config:
    # Not config.over_base: that is the base of the folder the pipeline runs in, and the page is made from any folder.
    folder = of_the_clone("config/config.yaml").parent
    return config.load([folder / name for name in ("config.yaml", *names)]).recorded()
