"""Claims of the paper: each status from numbers that are known, whichever way they go; the page that is tracked."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest

from relax import cli
from relax.errors import DataError
from relax.paper import claims
from relax.paper.claims import FILE, MEANING, combined, hours, read_claims, read_references, to_markdown
from relax.results.claims.runs import TESTS, judge_claims
from relax.results.collect import collect
from relax.results.intervals import fit_entropy_reward
from relax.results.model import Matrix, Results
from tests.conftest import REPOSITORY

METHODS = {
    "grpo": {"alpha": 0.0},
    "entropy": {"entropy_coef": 0.001},
    "kl-cov": {"token_method": "kl_cov"},
    "relax": {"alpha": 0.1, "spectrum": "eigenvalues", "xi": "q90", "kl_mode": "adaptive"},
    "relax-alpha-1": {"alpha": 1.0, "spectrum": "eigenvalues", "xi": "q90", "kl_mode": "adaptive"},
    "relax-uniform-kl": {"alpha": 0.1, "spectrum": "eigenvalues", "xi": None, "kl_mode": "uniform"},
    "relax-no-shaping": {"alpha": 0.1, "spectrum": "eigenvalues", "xi": "q90", "advantage_shaping": False},
    "relax-xi-q50": {"alpha": 0.1, "spectrum": "eigenvalues", "xi": "q50", "kl_mode": "adaptive"},
    "relax-m4": {"alpha": 0.1, "spectrum": "eigenvalues", "xi": "q90", "kl_mode": "adaptive", "koopman_dim": 4},
    "relax-m20": {"alpha": 0.1, "spectrum": "eigenvalues", "xi": "q90", "kl_mode": "adaptive", "koopman_dim": 20},
    "relax-no-xi": {"alpha": 0.1, "spectrum": "eigenvalues", "xi": None, "kl_mode": "none"},
}
ABLATIONS = {
    "figure-4": {"title": "alpha", "arms": {"1": "relax-alpha-1", "0": "grpo", "0.1": "relax"}},
    "figure-5": {"title": "parts", "arms": {"ReLaX": "relax", "KL": "relax-uniform-kl", "A": "relax-no-shaping"}},
    "figure-6": {"title": "exploration", "arms": {"R": "relax", "C": "kl-cov", "E": "entropy", "G": "grpo"}},
    "figure-11-m": {"title": "m", "arms": {"20": "relax-m20", "4": "relax-m4", "16": "relax"}},
    "figure-5-sv": {"title": "parts", "arms": {"ReLaX": "relax-no-xi", "KL": "relax-uniform-kl"}},
    "figure-11-xi": {"title": "xi", "arms": {"q50": "relax-xi-q50", "q90": "relax", "none": "relax-no-xi"}},
}
#: Columns of the final numbers by short names.
KEYS = {
    "H": "train/entropy",
    "R": "train/reward",
    "eig": "koopman/policy/dsd_eigenvalues",
    "sv": "koopman/policy/dsd_singular_values",
    "acc": "evaluate/sums/mean@4",
    "wall": "cost/seconds_per_step",
}


def results_of(finals=None, curves=None, trajectories=None, repo=None, initial=None, seeds=(1, 2, 3)):
    """Results with known numbers.

    ``finals``: method -> short name -> value; seed s adds 0.001 s times the method's number. ``curves``: method ->
    column -> function of the step from 1 to 30. ``trajectories``: frame. ``initial``: short name -> value of the
    initial policy.
    """

    def row(method, seed, values, jitter):
        numbers = {KEYS[short]: value + jitter for short, value in values.items()}
        return {"policy": "p", "method": method, "seed": seed, "finished": True, **numbers}

    numbered = {method: number for number, method in enumerate(METHODS, 1)}
    rows = [row(m, s, own, 0.001 * s * numbered[m]) for m, own in (finals or {}).items() for s in seeds]
    rows += [row("initial", 0, initial, 0)] if initial else []
    steps = np.arange(1, 31)
    series = [
        pd.DataFrame(
            {"policy": "p", "method": m, "seed": s, "step": steps}
            | {name: curve(steps) + 0.001 * s * np.cos(steps) for name, curve in own.items()}
        )
        for m, own in (curves or {}).items()
        for s in seeds
    ]
    config = {"name": "made", "methods": METHODS, "ablations": ABLATIONS,
              "dictionary": {"ridge": 0.001, "koopman_dim": 16},
              "benchmarks": {"sums": {"samples": 4}}, "policies": {"p": {"hub": {"repo": repo}} if repo else {}},
              "matrix": {"policies": ["p"], "methods": list(METHODS), "seeds": list(seeds),
                         "benchmarks": ["sums"]}}  # fmt: skip
    empty = pd.DataFrame(columns=["policy", "method", "seed", "step", "finished", "benchmark", "metric", "kind"])
    empty = empty.assign(correct=None)
    runs = pd.DataFrame(rows) if rows else empty
    trajectories = empty if trajectories is None else trajectories
    curves = pd.concat(series) if series else empty
    costs = costs_of(METHODS, seeds)
    return Results(Matrix.of(config), config, [], [], runs, curves, empty, trajectories, *(empty,) * 3, costs, empty)


def costs_of(methods, seeds):
    rows = [("train", "p", m, s, 36.0, 72.0) for m in methods for s in seeds] + [("data", None, None, None, 0.0, 36.0)]
    names = ["verb", "policy", "method", "seed", "accelerator_seconds", "cpu_seconds"]
    return pd.DataFrame(rows, columns=names)


def parts(claim, results, outcome=0):
    """Statuses of the parts of one outcome, and of the whole."""
    found = list(TESTS[claim](results, "p"))[outcome]
    return [part.status for part in found.parts], found.status


def test_every_claim_with_a_command_has_a_function_and_no_other():
    found = read_claims()
    assert [claim.id for claim in found if claim.command] == list(TESTS)
    for claim in found:
        assert bool(claim.command) == bool(claim.configuration), claim.id
        if claim.configuration:
            assert (REPOSITORY / claim.configuration).is_file(), claim.id
            named = claim.configuration in claim.command or claim.command == "make demo"
            assert named, claim.id


def test_the_statuses_of_parts_make_one():
    """By hand for all triples: seen needs all, one seen is partly, else the strongest word."""
    strength = ["opposite", "not seen", "no clear change", "no interval", "not run"]
    for triple in itertools.product(MEANING, repeat=3):
        if all(status == "seen" for status in triple):
            expected = "seen"
        elif "seen" in triple or "partly" in triple:
            expected = "partly"
        else:
            expected = min(triple, key=strength.index)
        assert combined(triple) == expected, triple
    assert combined([]) == "not run"


def test_grpo_collapses_or_does_not():
    start = {"H": 1.0, "R": 0.2, "eig": 0.2, "sv": 8.0}
    rising, bend = {"R": 0.6, "H": 0.3}, {"grpo": {"reward": lambda t: 1 - np.exp(-t / 5)}}
    as_printed = results_of({"grpo": rising | {"eig": 0.1, "sv": 4.0}}, bend, initial=start)
    assert parts("grpo-collapse", as_printed) == (["seen"] * 4, "seen")
    straight = {"grpo": {"reward": lambda t: np.exp(t / 10)}}
    other = results_of({"grpo": rising | {"eig": 0.3, "sv": 4.0}}, straight, initial=start)
    assert parts("grpo-collapse", other) == (["seen", "opposite", "seen", "opposite"], "partly")
    nothing = results_of({"grpo": {"H": 1.2, "eig": 0.3, "sv": 9.0}}, straight, initial=start)
    assert parts("grpo-collapse", nothing) == (["opposite"] * 4, "opposite")


def test_relax_explores_or_does_not():
    base = {"H": 0.3, "R": 0.6, "eig": 0.1}
    assert parts("relax-explores", results_of({"grpo": base, "relax": {"H": 0.5, "R": 0.7, "eig": 0.3}}))[1] == "seen"
    below = results_of({"grpo": base, "relax": {"H": 0.2, "R": 0.5, "eig": 0.05}})
    assert parts("relax-explores", below)[1] == "opposite"
    # One run tells nothing from chance, and runs that are not there tell nothing.
    single = results_of({"grpo": base, "relax": {"H": 0.5, "R": 0.7, "eig": 0.3}}, seeds=(1,))
    assert parts("relax-explores", single) == (["no interval"] * 3, "no interval")
    assert parts("relax-explores", results_of({"grpo": base}))[1] == "not run"


def test_alpha_is_read_in_order_of_its_value_and_its_best_is_a_tenth():
    found = results_of(
        {"grpo": {"H": 0.1, "R": 0.5}, "relax": {"H": 0.2, "R": 0.7}, "relax-alpha-1": {"H": 0.4, "R": 0.4}}
    )
    assert parts("alpha", found) == (["seen"] * 4, "seen")
    texts = [part.text for part in next(TESTS["alpha"](found, "p")).parts]
    starts = [
        "Under relax, token entropy (nats) is higher than under grpo (",
        "Under relax-alpha-1, token entropy (nats) is higher than under relax (",
        "Under relax, training reward is higher than under grpo (",
        "Under relax, training reward is higher than under relax-alpha-1 (",
    ]
    assert all(text.startswith(start) for text, start in zip(texts, starts, strict=True))
    higher = results_of(
        {"grpo": {"H": 0.1, "R": 0.5}, "relax": {"H": 0.2, "R": 0.7}, "relax-alpha-1": {"H": 0.15, "R": 0.9}}
    )
    assert parts("alpha", higher)[0] == ["seen", "opposite", "seen", "opposite"]


def test_both_parts_are_needed_or_one_is():
    found = results_of({"relax": {"acc": 0.6}, "relax-uniform-kl": {"acc": 0.5}, "relax-no-shaping": {"acc": 0.7}})
    assert parts("both-parts", found) == (["seen", "opposite"], "partly")


def test_entropy_bonus_and_kl_cov_are_known_by_their_settings():
    base = {"H": 0.3, "eig": 0.1, "sv": 4.0}
    finals = {
        "grpo": base,
        "entropy": {"H": 0.9, "eig": 0.3, "sv": 9.0},
        "kl-cov": {"H": 0.5, "eig": 0.1},
        "relax": {"eig": 0.4},
    }
    drifting = results_of(finals, {"entropy": {"entropy": lambda t: t / 30}})
    assert parts("entropy-bonus", drifting) == (["seen"] * 4, "seen")
    steady = results_of(finals, {"entropy": {"entropy": lambda t: np.minimum(t, 5) / 5 - t / 300}})
    assert parts("entropy-bonus", steady) == (["seen", "seen", "seen", "opposite"], "partly")
    assert parts("kl-cov", drifting) == (["seen", "seen"], "seen")
    raised = results_of(finals | {"kl-cov": {"H": 0.5, "eig": 0.6}})
    assert parts("kl-cov", raised) == (["seen", "opposite"], "partly")


def test_the_limit_holds_dsd_and_limits_agree_within_a_bound():
    finals = {"relax": {"eig": 0.2, "R": 0.7}, "relax-xi-q50": {"eig": 0.2, "R": 0.72}}
    finals["relax-no-xi"] = {"eig": 0.9, "R": 0.1}
    growing = {"relax-no-xi": {"dsd/eigenvalues": lambda t: 0.03 * t}}
    spread = results_of(finals, growing)
    assert parts("limit-xi", spread) == (["seen"] * 4, "seen")
    spread.runs.loc[spread.runs.method == "relax-xi-q50", "train/reward"] += 0.2
    assert parts("limit-xi", spread)[0][3] == "opposite"


def test_a_small_dictionary_is_told_by_its_dimension_and_the_others_agree():
    finals = {"relax-m4": {"R": 0.3}, "relax": {"R": 0.7}, "relax-m20": {"R": 0.71}}
    assert parts("dimension-m", results_of(finals)) == (["seen", "seen"], "seen")
    texts = [part.text for part in next(TESTS["dimension-m"](results_of(finals), "p")).parts]
    assert texts[0].startswith("Under relax-m4, training reward is lower than under relax-m20 (")
    assert texts[1].startswith("The difference between relax and relax-m20 in training reward is ")
    apart = results_of(finals | {"relax-m4": {"R": 0.9}, "relax": {"R": 0.4}})
    assert parts("dimension-m", apart) == (["opposite", "opposite"], "opposite")


def test_a_figure_may_have_an_ablation_for_each_spectrum():
    finals = {
        "relax": {"acc": 0.6},
        "relax-uniform-kl": {"acc": 0.5},
        "relax-no-shaping": {"acc": 0.5},
        "relax-no-xi": {"acc": 0.4},
    }
    assert parts("both-parts", results_of(finals), 0)[1] == "seen"
    assert parts("both-parts", results_of(finals), 1) == (["opposite"], "opposite")


def test_no_strong_tie_is_a_bound_on_the_correlation():
    def frame(tie):
        generator, rows = np.random.default_rng(0), []
        for method, seed in itertools.product(("grpo", "relax"), (1, 2, 3)):
            noise = generator.normal(size=(2, 400))
            correct = noise[0] > 0
            dsd = tie * noise[0] + noise[1]
            run = {"policy": "p", "method": method, "seed": seed, "kind": "policy", "correct": correct}
            rows.append(pd.DataFrame(run | {"dsd_eigenvalues": dsd, "dsd_singular_values": -dsd}))
        return pd.concat(rows)

    assert parts("dsd-correctness", results_of(trajectories=frame(0.0))) == (["seen"] * 3, "seen")
    assert parts("dsd-correctness", results_of(trajectories=frame(3.0))) == (["opposite"] * 3, "opposite")


def test_entropy_and_reward_are_fitted_run_by_run():
    def curves(sign, noise):
        generator = np.random.default_rng(1)
        entropy = np.linspace(0.5, 0.1, 30)
        reward = 2.6 - sign * 1.5 * np.exp(entropy) + noise * generator.normal(size=30)
        return {"grpo": {"entropy": lambda t: entropy, "reward": lambda t: reward}}

    assert parts("entropy-reward", results_of(curves=curves(1, 0.01))) == (["seen", "seen"], "seen")
    assert parts("entropy-reward", results_of(curves=curves(-1, 0.01)))[0] == ["opposite", "seen"]
    loose = results_of(curves=curves(1, 0.5))
    run = loose.series[loose.series.seed == 1]
    assert fit_entropy_reward(run.entropy, run.reward).r_squared < 0.5
    assert parts("entropy-reward", loose)[0][1] == "not seen"


def test_the_tables_are_about_the_papers_policies_alone():
    finals = {"grpo": {"acc": 0.3}, "relax": {"acc": 0.4}}
    assert list(TESTS["table-2"](results_of(finals), "p")) == []
    math = results_of(finals, repo="Qwen/Qwen2.5-Math-7B")
    assert parts("table-2", math) == (["seen"], "seen")
    assert list(TESTS["table-5"](math, "p")) == []
    assert parts("table-5", results_of(finals, repo="Qwen/Qwen3-4B-Base")) == (["seen"], "seen")
    assert list(TESTS["table-1"](math, "p")) == []
    assert parts("table-1", results_of(finals, repo="Qwen/Qwen2.5-VL-7B-Instruct")) == (["seen"], "seen")


@pytest.mark.parametrize(("factor", "status"), [(1.05, "seen"), (1.5, "opposite"), (1.12, "no clear change")])
def test_cost_is_held_against_the_larger_printed_increase(factor, status):
    found = results_of({"grpo": {"wall": 1.0}, "relax": {"wall": factor}})
    assert parts("table-6", found)[1] == status


def test_the_cost_of_a_claim_is_that_of_its_methods_and_of_what_all_share():
    finals = {"grpo": {"H": 0.3, "R": 0.6, "eig": 0.1}, "relax": {"H": 0.5, "R": 0.7, "eig": 0.3}}
    content = judge_claims(results_of(finals))
    found = content["claims"]["relax-explores"]
    # Two methods of three runs at 72 s, and 36 s of data.
    assert found["cpu_hours"] == pytest.approx((2 * 3 * 72 + 36) / 3600, abs=1e-4)
    assert found["gpu_hours"] == pytest.approx(2 * 3 * 36 / 3600, abs=1e-4)
    assert hours(found) == "0.06 GPU h, 0.13 CPU h"
    assert (content["claims"]["table-1"]["status"], content["claims"]["table-1"]["cpu_hours"]) == ("not run", 0)


def test_a_whole_folder_and_its_page(all_runs, one_seed, no_runs):
    content = judge_claims(collect(*all_runs))
    json.dumps(content, allow_nan=False)
    assert list(content["claims"]) == [claim.id for claim in read_claims()]
    assert content["commits"] == ["5e4d" * 10]
    explores = content["claims"]["relax-explores"]
    subjects = [outcome["subject"] for outcome in explores["outcomes"]]
    assert subjects == ["relax, eigenvalues", "relax-sv, singular values"]
    page = to_markdown(read_claims(), {"synthetic": content})
    for outcome in explores["outcomes"]:
        for part in outcome["parts"]:
            assert f"- *{part['status']}*: {part['text']}" in page
            if "DSD" in part["text"]:
                assert "eigenvalues" in part["text"] or "singular values" in part["text"]
    statuses = {found["status"] for found in judge_claims(collect(*one_seed))["claims"].values()}
    assert statuses <= {"no interval", "not run"}
    empty = judge_claims(collect(*no_runs))
    assert {found["status"] for found in empty["claims"].values()} == {"not run"}
    assert (empty["started"], empty["commits"]) == (None, [])
    assert "not run" in to_markdown(read_claims(), {"synthetic": empty})


def test_the_tracked_page_is_what_the_command_writes_now(tmp_path, capsys):
    assert cli.main(["claims", "--out", str(tmp_path / "claims.md")]) == 0
    page = (tmp_path / "claims.md").read_text()
    assert page.endswith(capsys.readouterr().out)
    assert (REPOSITORY / "docs" / "claims.md").read_text() == page, "run `relax claims --out docs/claims.md`"


def test_every_reference_has_claims_of_this_repository():
    references = read_references()
    folders = {path.name for path in (REPOSITORY / "results" / "reference").iterdir() if path.is_dir()}
    assert set(references) == folders - {"study"}, "the study's folder holds its runs, which `relax evidence` reads"
    for name, content in references.items():
        assert set(content["claims"]) == {claim.id for claim in read_claims()}, f"make {name} again"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("id,claim", "id,text", r"claims\.csv, line 1: expected the columns id,claim"),
        ("alpha,Entropy rises", "alpha,,Entropy rises", r"claims\.csv, line 5: 7 fields, expected 6 as in the header"),
        ("kl-cov,", "alpha,", "a claim's id stands twice"),
    ],
)
def test_a_damaged_list_of_claims_is_named_with_its_line(tmp_path, old, new, words):
    text = "\n" + FILE.read_text()
    assert text.count(f"\n{old}") == 1
    (tmp_path / "claims.csv").write_text(text.replace(f"\n{old}", f"\n{new}")[1:])
    with pytest.raises(DataError, match=words):
        read_claims(tmp_path / "claims.csv")


def test_a_reference_that_does_not_parse_is_named(tmp_path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / claims.CONTENT).write_text("{")
    with pytest.raises(DataError, match=r"claims\.json: not JSON .*`relax reference`"):
        read_references(tmp_path)
