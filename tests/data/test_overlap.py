"""The contamination report against brute force with lm-eval's n-grams, and against benchmarks known to overlap."""

import json
import random
from dataclasses import asdict
from pathlib import Path

import pytest
from lm_eval.decontamination.janitor import word_ngrams

from relax.data import overlap
from relax.data.overlap import overlaps, words_of
from relax.errors import DataError
from tests.repository.benchmarks_fixture import FOLDER

SENTENCE = "Every morning Aya goes for a walk of nine kilometers and stops at a coffee shop afterwards in town"


def random_texts(rng: random.Random, prefix: str, count: int, pool: list[str]) -> list[tuple[str, str]]:
    """Texts of 3 to 40 words, half of them with a piece of one of the pool."""
    rows = []
    for i in range(count):
        words = [rng.choice("abcdefghij") for _ in range(rng.randint(3, 40))]
        if rng.random() < 0.5:
            source = rng.choice(pool).split()
            start = rng.randrange(len(source))
            words[rng.randrange(len(words)) :] = source[start : start + rng.randint(5, 25)]
        rows.append((f"{prefix}{i}", " ".join(words)))
    return rows


def brute_force(problem: str, training: list[tuple[str, str]]) -> tuple[int, str]:
    """Most words of the problem that one training text covers, and the first text that does."""
    words = problem.split()
    n, best = min(13, len(words)), (0, "")
    for identity, text in training if n >= 8 else []:
        known = set(word_ngrams(text, n))
        hits = [i for i, gram in enumerate(word_ngrams(problem, n)) if gram in known]
        covered = len({i + j for i in hits for j in range(n)})
        best = (covered, identity) if covered > best[0] else best
    return best


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_matches_are_those_of_brute_force(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap, "CHUNK", chunk)
    rng = random.Random(0)
    pool = [" ".join(rng.choice("klmnopqrst") for _ in range(60)) for _ in range(5)]
    training = random_texts(rng, "t", 120, pool)
    benchmarks = {"one": random_texts(rng, "b", 80, pool), "two": random_texts(rng, "c", 40, pool)}
    found = overlaps(iter(training), {name: iter(rows) for name, rows in benchmarks.items()})
    assert [(r.benchmark, r.problems, r.training_problems) for r in found] == [("one", 80, 120), ("two", 40, 120)]
    for result in found:
        rows = benchmarks[result.benchmark]
        best = {identity: brute_force(text, training) for identity, text in rows}
        size = {identity: len(text.split()) for identity, text in rows}
        expected = {i: (training_id, words / size[i]) for i, (words, training_id) in best.items() if words}
        assert {m.benchmark_id: (m.training_id, m.covered) for m in result.matches} == expected
        assert len(expected) > 5
        assert result.shared == len(expected)
        assert result.share == pytest.approx(len(expected) / len(rows))
        assert result.mostly == sum(share > 0.5 for _, share in expected.values())
        assert result.too_short == sum(words < 8 for words in size.values())
        shares = [m.covered for m in result.matches]
        assert shares == sorted(shares, reverse=True)


def search(training: list[str], problem: str) -> overlap.Overlap:
    return overlaps([(str(i), text) for i, text in enumerate(training)], {"b": [("x", problem)]})[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Find $\\frac{m}{n}$, where\n m<n.", "find \\frac {m} {n} where $m < n$"),
        ("What is  X_1 + x_2?", "what is x_1+x_2"),
        ("<image1> Which bike is it?\n<image2>", "Which bike is it? <image>"),
        ("\ufb01nd x\u00b2 \u00c9l\u00e9ments", "find x2 \u00e9l\u00e9ments"),
    ],
)
def test_markup_case_and_punctuation_do_not_count(one: str, other: str) -> None:
    assert words_of(one) == words_of(other)
    assert search([one], other).duplicates == (("x", "0"),)


def test_words_and_numbers_do_count() -> None:
    assert words_of("Walk 9 kilometers in $t$ minutes") == ["walk", "9", "kilometers", "in", "t", "minutes"]
    assert search([SENTENCE.replace("nine", "ten").replace("Aya", "Ann")], SENTENCE).shared == 0


def test_a_problem_inside_a_longer_text_is_covered_but_no_duplicate() -> None:
    result = search(["unrelated", f"Problem 7. {SENTENCE}. How long does it take?"], SENTENCE)
    assert [(m.benchmark_id, m.training_id, m.covered) for m in result.matches] == [("x", "1", 1.0)]
    assert (result.shared, result.mostly, result.duplicated) == (1, 1, 0)


def test_thirteen_words_are_found_and_twelve_are_not() -> None:
    words = SENTENCE.split()
    assert search([" ".join(["so", *words[:13], "end"])], SENTENCE).matches[0].covered == pytest.approx(13 / 19)
    assert search([" ".join(["so", *words[:12], "end"])], SENTENCE).shared == 0


def test_short_problems_are_searched_whole_down_to_eight_words() -> None:
    eight, seven = "what is the sum of two and three", "what is the sum of two primes"
    assert search([f"Tell me {eight} please"], eight).matches[0].covered == 1.0
    assert search([f"Tell me {seven} please"], seven).shared == 0
    assert search([seven], seven).duplicated == 1
    assert search([eight], eight[:-1]).shared == 0


def test_an_n_gram_does_not_reach_into_the_next_problem() -> None:
    words = SENTENCE.split()
    assert search([" ".join(words[:9]), " ".join(words[9:])], SENTENCE).shared == 0


def test_every_pair_of_duplicates_is_named() -> None:
    rows = [("a", "Compute 2+2."), ("b", "compute $2 + 2$"), ("c", "Compute 2+3."), ("d", "???")]
    result = overlaps([("s", "Compute 2 + 2"), ("t", "COMPUTE 2+2"), ("u", "?!")], {"sums": rows})[0]
    assert result.duplicates == (("a", "s"), ("a", "t"), ("b", "s"), ("b", "t"))
    assert (result.duplicated, result.too_short, result.shared) == (2, 4, 0)


def test_results_are_written_as_json() -> None:
    written = json.loads(json.dumps(asdict(search([SENTENCE], SENTENCE))))
    assert written["matches"] == [{"benchmark_id": "x", "training_id": "0", "covered": 1.0}]


def test_nothing_to_search_is_refused() -> None:
    with pytest.raises(DataError, match="training set"):
        search([], SENTENCE)
    with pytest.raises(DataError, match="benchmark b has no problems"):
        overlaps([("t", SENTENCE)], {"b": []})


@pytest.fixture
def rows():
    if not FOLDER:
        pytest.skip("RELAX_BENCHMARKS names no folder with the official data sets")

    def read(file: str, text: str, identity: str) -> list[tuple[str, str]]:
        lines = Path(FOLDER, file).read_text(encoding="utf-8").split("\n")
        return [(str(row[identity]), row[text]) for row in map(json.loads, filter(None, lines))]

    return read


def test_two_copies_of_aime24_are_one_benchmark(rows) -> None:
    copies = rows("aime24_lmeval_columns.jsonl", "Problem", "ID"), rows("aime24.jsonl", "problem", "id")
    result = overlaps(copies[0], {"aime24": copies[1]})[0]
    assert (result.problems, result.duplicated, result.mostly) == (30, 30, 30)


def test_the_closing_sentence_of_aime_is_shared_but_covers_little(rows) -> None:
    result = overlaps(rows("aime24.jsonl", "problem", "id"), {"aime25": rows("aime25.jsonl", "problem", "id")})[0]
    assert result.shared > 3
    assert (result.mostly, result.duplicated) == (0, 0)
