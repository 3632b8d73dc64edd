"""The page of the study and its controls: what it says of runs whose truth is known, made from them alone."""

import json
import re

import pytest

from relax import cli
from relax.results.tables.render import MINUS
from relax.study.configurations import addition_plan, tuning_plan
from relax.study.evidence_page import to_page
from relax.study.tracked_runs import read_records
from tests.conftest import REPOSITORY
from tests.study.evidence_fixture import CONTROLS, MAIN, records_of


def test_what_the_plan_names_to_explain_the_measures_is_shown_of_every_arm() -> None:
    """docs/study.md: shares of strategies, length, DSD at both ridges; the mean over the runs."""
    records = records_of({}, seeds=[1])
    for (_, policy, method, _), record in records.items():
        worse = (method == "dapo") * (0.2 if policy == "trap-a" else 0.4)
        record["end"] |= {
            "strategy/chain": 0.01,
            "strategy/rote": 0.97 - worse,
            "strategy/neither": 0.02 + worse,
            "length": 28.94,
            "dsd/eigenvalues/ridge_0.1": 0.1234,
            "dsd/singular_values/ridge_0.1": 0.5678,
        }
    page = to_page(MAIN, CONTROLS, records)
    assert "| arm | chains | rote | neither | length | DSD, eig, ridge 0.1 | DSD, sv, ridge 0.1 |" in page
    assert "| `grpo` | 0.01 | 0.97 | 0.02 | 28.9 | 0.123 | 0.568 |" in page
    assert "| `dapo` | 0.01 | 0.67 | 0.32 | 28.9 | 0.123 | 0.568 |" in page
    assert "DSD of `relax-window` has a dimension or windows of its own and cannot be compared with the others." in page


def test_the_page_that_is_tracked_is_what_the_tracked_runs_give() -> None:
    page = to_page(
        MAIN,
        CONTROLS,
        read_records(REPOSITORY / "results" / "reference" / "study"),
        tuning=tuning_plan(),
        added=addition_plan(),
    )
    assert (REPOSITORY / "docs" / "evidence.md").read_text() == page, "run `relax evidence --out docs/evidence.md`"


def with_controls(records):
    """The runs of trap-a once more as those of the controls; ``entropy`` has less reward there."""
    for name, policy in (("study_noisy_sum", "tiny"), ("study_countdown", "count")):
        for (_, old, method, seed), record in list(records.items()):
            if old == "trap-a":
                own = json.loads(json.dumps(record)) | {"experiment": name, "policy": policy}
                own["scores"]["answer-prior"] |= {"mean@16": 0.38 - 0.01 * (method == "entropy"), "mean@1": 0.9}
                records[name, policy, method, seed] = own
        records[name, policy, "initial", 0] = {
            **dict(zip(("experiment", "policy", "method", "seed"), (name, policy, "initial", 0), strict=True)),
            "made": own["made"],
            "scores": {"answer-prior": {"mean@16": 0.05, "mean@1": 0.12, "pass@16": 0.34}},
        }
    return records


def conclusion(records: dict) -> str:
    page = to_page(MAIN, CONTROLS, records)
    return page[page.index("## Conclusion") : page.index("## Arms")]


@pytest.mark.parametrize(
    ("seeds", "kept", "said"),
    [
        (1, 1, "is compared once each has two runs of `grpo`."),
        (2, 1, "So far entropy is not clearly higher on Countdown"),
        (2, 9, "So far entropy stays higher on Countdown, as"),
        (
            6,
            1,
            " So entropy is not clearly higher on Countdown, which is then not the control that was meant and counts "
            "as none.",
        ),
        (6, 9, " So entropy stays higher on Countdown, as was expected of this control."),
    ],
)
def test_countdown_is_a_control_where_its_entropy_stays(seeds: int, kept: float, said: str) -> None:
    records = with_controls(records_of({}, seeds=range(1, seeds + 1)))
    for (name, _, method, _), record in records.items():
        if name == "study_countdown" and method != "initial":
            record["end"]["entropy"] *= kept
    page = to_page(MAIN, CONTROLS, records)
    (line,) = re.findall(r"\n\n((?:Under `grpo`, entropy ends|The entropy of `grpo` on the two controls) .*)\n", page)
    assert said in line


def test_the_page_of_a_study_and_its_controls() -> None:
    records = with_controls(
        records_of({"grpo-kl": 101, "relax-sv-kl": lambda p, s: 61 if s > 1 else None}, seeds=[1, 2])
    )
    page = to_page(MAIN, CONTROLS, records)
    titles = [line.removeprefix("## ") for line in page.splitlines() if line.startswith("## ")]
    assert titles == [
        "Conclusion",
        "Arms",
        "Hypotheses",
        "All comparisons",
        "Controls",
        "Curves",
        "Does DSD fall before entropy?",
        "Does DSD tell who will escape?",
        "What is left under controls of KL, length and ridge",
        "How to get the same",
    ]
    assert "| `grpo-kl` | 4 | 2 of 2 (0.16 to 1.00) | 2 of 2 (0.16 to 1.00) | 4 of 4 (0.40 to 1.00) | 101 |" in page
    lost = f"{MINUS}0.010 | 0.50"  # two seeds prove nothing
    assert f"| `entropy` | {lost} | 0.90 | 0.38 | {lost} | 0.90 | 0.38 |" in page
    assert "| initial policy |  |  | 0.12 | 0.34 |  |  | 0.12 | 0.34 |" in page
    assert "| `grpo` |  |  | 0.90 | 0.38 |  |  | 0.90 | 0.38 |" in page
    of = "is 0.38, and that of the initial policy is 0.05. With n = 2 of 6 seeds, no p can be below 0.5."
    assert f"On the noisy sum the reward of `grpo` {of} On Countdown the reward of `grpo` {of} Intervals" in page
    assert "entropy is not clearly higher on Countdown" in page
    assert not re.search(r"\bnan\b", page)


def test_the_least_p_is_that_of_each_control() -> None:
    """Whole, the noisy sum has p-values that the first seed of Countdown cannot have."""
    records = with_controls(records_of({}, seeds=range(1, 7)))
    some = {key: record for key, record in records.items() if key[0] != "study_countdown" or key[3] <= 1}
    page = to_page(MAIN, CONTROLS, some)
    assert "With n = 6 of 6 seeds, no p can be below 0.031. On Countdown the" in page
    assert "With n = 1 of 6 seeds, no p can be below 1. Intervals" in page
    assert "is compared once each has two runs of `grpo`." in page


def test_what_the_initial_policies_do_is_said_below_the_arms() -> None:
    records = records_of({}, seeds=[1])
    for policy, scores in (("trap-a", {"mean@16": 0.24, "subset/hard/pass@16": 0.46}), ("trap-b", {})):
        made = records["study", policy, "grpo", 1] | {"method": "initial", "seed": 0, "scores": {}}
        records["study", policy, "initial", 0] = made | ({"scores": {"answer-prior": scores}} if scores else {})
    page = to_page(MAIN, CONTROLS, records)
    assert (
        page.count(" Before training, the initial policy trap-a has reward 0.24 and pass@16 on hard problems 0.46.\n")
        == 1
    )
    assert "policy trap-b has reward" not in page  # not graded yet


def test_an_arm_that_loses_where_nothing_is_to_gain_pays() -> None:
    records = {}
    for (_, policy, method, seed), record in records_of({}, seeds=range(1, 7)).items():
        if policy == "trap-a":
            record["scores"]["answer-prior"]["mean@16"] = 0.98 - (0.01 * seed if method == "relax" else 0)
            records["study_noisy_sum", "tiny", method, seed] = record | {"policy": "tiny"}
    page = to_page(MAIN, CONTROLS, records)
    assert "| `relax` | " + f"{MINUS}0.035 ({MINUS}0.055 to {MINUS}0.015) | 0.031, pays |" in page
    assert page.count(", pays") == 1
    assert "Countdown has not been run by all arms yet: 0 of 84 runs are there." in page
    assert "There is none yet: 0 of 336 runs" in page


@pytest.mark.parametrize(
    ("losers", "said"),
    [
        ((), "exploration. There no arm is shown to end with less reward than `grpo`. The reward is that of sampled"),
        (("relax",), f"There `relax` ({MINUS}0.035) ends with less reward than `grpo` and so pays for exploration."),
        (
            ("dapo", "relax"),
            f"There `dapo` ({MINUS}0.035) and `relax` ({MINUS}0.035) end with less reward than `grpo` and so pay for "
            "exploration.",
        ),
    ],
)
def test_the_conclusion_names_the_arms_that_pay_once_the_control_is_whole(losers, said: str) -> None:
    records = records_of({}, seeds=range(1, 7))
    for (_, policy, method, seed), record in list(records.items()):
        if policy == "trap-a":
            own = json.loads(json.dumps(record)) | {"experiment": "study_noisy_sum", "policy": "tiny"}
            own["scores"]["answer-prior"]["mean@16"] = 0.98 - 0.01 * seed * (method in losers)
            records["study_noisy_sum", "tiny", method, seed] = own
    verdict = conclusion(records)
    assert said in verdict
    assert "Countdown" not in verdict
    scores = records["study_noisy_sum", "tiny", "dapo", 6].pop("scores")
    assert "nothing to gain" not in conclusion(records)  # trained and not graded yet
    records["study_noisy_sum", "tiny", "dapo", 6]["scores"] = scores
    assert said in conclusion(records)
    del records["study_noisy_sum", "tiny", "dapo", 6]
    assert "nothing to gain" not in conclusion(records)


@pytest.mark.parametrize(("kept", "none"), [(1, True), (9, False)])
def test_the_conclusion_says_that_countdown_is_no_control(kept: float, none: bool) -> None:
    records = with_controls(records_of({}, seeds=range(1, 7)))
    for (name, _, method, _), record in records.items():
        if name == "study_countdown" and method != "initial":
            record["end"]["entropy"] *= kept
    verdict = conclusion(records)
    assert ("Countdown, which is then not the control that was meant and counts as none." in verdict) is none


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ({}, "no arm is shown to differ from `grpo` in reward."),
        (
            {"entropy": -1},
            f"`entropy` ({MINUS}0.035) ends with less reward than `grpo`, and no arm ends with more reward than "
            "`grpo`.",
        ),
        (
            {"dapo": -1, "relax": 1, "entropy": -1},
            f"`entropy` ({MINUS}0.035) and `dapo` ({MINUS}0.035) end with less reward than `grpo`, and `relax` "
            "(+0.035) ends with more reward than `grpo`.",
        ),
    ],
)
def test_the_conclusion_says_who_differs_where_entropy_stays(ends: dict[str, int], said: str) -> None:
    records = with_controls(records_of({}, seeds=range(1, 7)))
    for (name, _, method, seed), record in records.items():
        if name == "study_countdown" and method != "initial":
            record["end"]["entropy"] *= 9
            record["scores"]["answer-prior"]["mean@16"] = 0.2 + 0.01 * seed * ends.get(method, 0)
    verdict = conclusion(records)
    assert f"On Countdown entropy stays up by itself. There {said} The reward is that of sampled responses" in verdict
    assert "from 6 seeds, and the tests are not corrected for their number." in verdict
    del records["study_countdown", "count", "dapo", 6]["scores"]["answer-prior"]
    assert "entropy stays" not in conclusion(records)  # trained and not graded yet


def test_page_and_figures_are_made_from_the_records_alone_and_again_the_same(tmp_path, monkeypatch) -> None:
    arms = ["grpo", "grpo-kl", "relax"]
    (tmp_path / "few.yaml").write_text(f"matrix: {{methods: [{', '.join(arms)}]}}\nablations: {{}}\n")
    monkeypatch.chdir(tmp_path)
    for key, record in sorted(records_of({"grpo-kl": 101}, seeds=[1, 2], methods=arms).items()):
        path = tmp_path / "records" / key[0] / key[1] / f"{key[2]}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as stream:
            stream.write(json.dumps(record) + "\n")
    made, plan = [], [str(REPOSITORY / "config/study.yaml"), "few.yaml"]
    for place in ("a", "b"):
        out = tmp_path / place / "page.md"
        assert cli.main(["evidence", "--records", "records", "--configfile", *plan, "--out", str(out)]) == 0
        made.append({p.name: p.read_bytes() for p in sorted(out.parent.rglob("*")) if p.is_file()})
    assert list(made[0]) == ["page-curves.png", "page-escapes.png", "page.md"]
    assert made[0] == made[1]
    page = made[0]["page.md"].decode()
    assert "](images/page-curves.png)" in page
    assert "H1'" not in page  # an arm that is not planned is not tested
    assert "## Controls" not in page


def test_without_runs_the_page_says_so() -> None:
    page = to_page(MAIN, CONTROLS, {})
    assert page.endswith("The study has not been run: no run of it is tracked, and nothing is known yet.\n")
    assert page.count("## ") == 1


def test_a_bootstrap_says_over_how_many_pairs_it_is() -> None:
    """A pair in which every run has escaped by the step asked for is none of them."""
    early = dict.fromkeys(MAIN["matrix"]["methods"], lambda p, s: 21 if (p, s) == ("trap-a", 1) else 41 + 20 * s)
    page = to_page(MAIN, CONTROLS, records_of(early, seeds=range(1, 5)))
    (line,) = (line for line in page.splitlines() if line.startswith("| DSD eig, on policy |"))
    assert line.endswith(f"| {7 * 14} | 7 |")
