"""Draws ``trap.png``, the picture of the README, from the tracked runs: ``python docs/images/trap.py``."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

from relax import config
from relax.study.plan import Study
from relax.study.tracked_runs import read_records

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent
#: Arm of the study -> label, colour and line.
LINES = {
    "grpo-kl": ("GRPO with a KL penalty", "#95580a", "--"),
    "relax": ("ReLaX", "#0068a8", "-"),
    "grpo": ("GRPO", "black", "-"),
    "relax-sv-no-kl": ("ReLaX without a KL penalty", "#0068a8", ":"),
}


def tracked() -> Study:
    """The study with its tracked runs."""
    plan = config.load([REPOSITORY / "config" / "config.yaml", REPOSITORY / "config" / "study.yaml"]).recorded()
    return Study.of(plan, read_records(REPOSITORY / "results" / "reference" / "study"))


def left(study: Study, arm: str) -> list[int]:
    """How many runs of an arm have left the habit by step 0, 1, ... of the training."""
    steps = [run.escape for run in study.arm(arm) if run.escape is not None]
    return [sum(step <= now for step in steps) for now in range(study.steps + 1)]


def draw(study: Study) -> pyplot.Figure:
    """One line an arm, with the number of its runs at the end."""
    figure, ax = pyplot.subplots(figsize=(7.2, 3), layout="constrained")
    for arm, (label, colour, line) in LINES.items():
        runs, counts = len(study.arm(arm)), left(study, arm)
        ax.plot(counts, line, color=colour, linewidth=2, drawstyle="steps-post")
        ax.annotate(f"{label}: {counts[-1]} of {runs}", (study.steps, counts[-1]), (6, -1), textcoords="offset points",
                    color=colour, va="bottom" if arm == "grpo" else "center")  # fmt: skip
    ax.set(xlim=(0, study.steps), ylim=(0, 24), yticks=range(0, 25, 6))
    ax.set_xlabel("training step")
    ax.set_ylabel("runs that have left the habit")
    ax.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    draw(tracked()).savefig(HERE / "trap.png", dpi=150, metadata={"Software": None})
