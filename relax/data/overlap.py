"""Word n-grams that training problems and benchmark problems share: the contamination report.

Conventions of others: GPT-3 calls a benchmark example dirty when it shares an n-gram with the training text, n
the 5th percentile of the benchmark's lengths in words, at least 8 and at most 13, punctuation and case ignored
(arXiv 2005.14165, Appendix C); lm-eval's decontamination does so at 13. Tülu 3 counts an example as found when
more than half of its tokens lie in 8-grams shared with one training prompt (arXiv 2411.15124, Section 3.2); s1
and open-r1 drop a training problem that shares any 8-gram. Here: 13 words, for shorter problems all their words
down to 8, below that nothing but duplicates; both readings (any n-gram, more than half of the words) are given.
"""

import hashlib
import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relax.errors import DataError

#: Words of an n-gram, and the fewest words that a shorter problem is searched for with.
N, SHORTEST = 13, 8
#: Training problems that are searched at once.
CHUNK = 200
#: Odd, so that no word of an n-gram drops out of its hash.
FACTOR = np.uint64(0x9E3779B97F4A7C15)

_PLACEHOLDER = re.compile(r"<image\s*_?\d*>")
_WORD = re.compile(r"[^\W_]+")

#: (id, text).
Row = tuple[str, str]


@dataclass(frozen=True)
class Match:
    """A benchmark problem and the training problem that covers most of its words.

    Attributes:
        benchmark_id: of the benchmark problem.
        training_id: the first such training problem in the order in which they came.
        covered: share of the benchmark problem's words that lie in n-grams shared with it.
    """

    benchmark_id: str
    training_id: str
    covered: float


@dataclass(frozen=True)
class Overlap:
    """What a benchmark shares with a training set.

    Attributes:
        benchmark: its name.
        problems: how many it has.
        training_problems: how many were searched.
        too_short: problems of fewer than 8 words, of which only duplicates are found.
        shared: problems with any shared n-gram.
        mostly: problems of which one training problem covers more than half of the words.
        duplicated: problems of which the training set holds the same words.
        share: ``shared / problems``.
        duplicates: (benchmark id, training id) of every pair of the same words.
        matches: one for each of the ``shared`` problems, the most covered first.
    """

    benchmark: str
    problems: int
    training_problems: int
    too_short: int
    shared: int
    mostly: int
    duplicated: int
    share: float
    duplicates: tuple[tuple[str, str], ...]
    matches: tuple[Match, ...]


def overlaps(training: Iterable[Row], benchmarks: Mapping[str, Iterable[Row]]) -> list[Overlap]:
    """Search a training set for the problems of benchmarks.

    The index is built of the benchmarks, the training set streams past it once. The texts must be the bare
    problems: a prompt template on both sides is an n-gram that all of them share. n-grams are compared by
    64-bit hashes, so that a false match has odds of about one in a million in a whole report.

    Args:
        training: (id, text) of each problem.
        benchmarks: name -> (id, text) of each problem.

    Returns:
        One result a benchmark, in their order; the same input gives the same result.

    Raises:
        DataError: a benchmark or the training set is empty.
    """
    index = _Index(benchmarks)
    seen = 0
    rows = iter(training)
    while chunk := list(itertools.islice(rows, CHUNK)):
        index.search(chunk)
        seen += len(chunk)
    if not seen:
        raise DataError("the training set to search for benchmark problems is empty.")
    return index.results(seen)


def words_of(text: str) -> list[str]:
    """Words as they are compared: runs of letters and digits in lower case, without placeholders of images.

    LaTeX falls apart into its words, ``\\frac{m}{n}`` into frac, m, n; signs and braces do not count.
    """
    return _WORD.findall(_PLACEHOLDER.sub(" ", unicodedata.normalize("NFKC", text).lower()))


class _Index:
    """n-grams of all benchmarks, sorted by hash, and the words that training problems were found to cover."""

    def __init__(self, benchmarks: Mapping[str, Iterable[Row]]) -> None:
        self.codes = _Codes()
        self.ids: list[str] = []
        self.rows: dict[str, range] = {}
        self.duplicates: dict[int, list[str]] = {}
        self.best: dict[int, tuple[int, str]] = {}
        self.same: dict[str, list[int]] = {}
        texts = []
        for name, rows in benchmarks.items():
            start = len(self.ids)
            for identity, text in rows:
                words = words_of(text)
                if words:
                    self.same.setdefault(" ".join(words), []).append(len(self.ids))
                self.ids.append(identity)
                texts.append(words)
            self.rows[name] = range(start, len(self.ids))
            if not self.rows[name]:
                raise DataError(f"benchmark {name} has no problems to search for.")
        self.lengths = np.array([len(words) for words in texts])
        self.tables = self._tables(texts)

    def _tables(self, texts: list[list[str]]) -> dict[int, tuple[NDArray, NDArray, NDArray]]:
        """n -> (hashes in order, problem, first word) of the n-grams of the problems that are searched with n."""
        sizes, tables = np.minimum(self.lengths, N), {}
        for n, hashes, owner, start in self.codes.ngrams(texts):
            chosen = np.flatnonzero(sizes[owner] == n)
            if len(chosen):
                chosen = chosen[np.argsort(hashes[chosen], kind="stable")]
                tables[n] = hashes[chosen], owner[chosen], start[chosen]
        return tables

    def search(self, chunk: list[Row]) -> None:
        texts = [words_of(text) for _, text in chunk]
        for (identity, _), words in zip(chunk, texts, strict=True):
            for problem in self.same.get(" ".join(words), ()):
                self.duplicates.setdefault(problem, []).append(identity)
        for n, hashes, owner, _ in self.codes.ngrams(texts):
            if n in self.tables:
                known, problems, starts = self.tables[n]
                hit, place = _matches(known, hashes)
                for text, problem, covered in _covered(n, owner[hit], problems[place], starts[place]):
                    if covered > self.best.get(problem, (0, ""))[0]:
                        self.best[problem] = covered, chunk[text][0]

    def results(self, training_problems: int) -> list[Overlap]:
        return [self._result(name, rows, training_problems) for name, rows in self.rows.items()]

    def _result(self, name: str, rows: range, training_problems: int) -> Overlap:
        found = [problem for problem in rows if problem in self.best]
        matches = [Match(self.ids[p], self.best[p][1], self.best[p][0] / int(self.lengths[p])) for p in found]
        duplicates = [(self.ids[p], identity) for p in rows for identity in self.duplicates.get(p, ())]
        return Overlap(
            benchmark=name,
            problems=len(rows),
            training_problems=training_problems,
            too_short=int((self.lengths[rows.start : rows.stop] < SHORTEST).sum()),
            shared=len(found),
            mostly=sum(match.covered > 0.5 for match in matches),
            duplicated=sum(p in self.duplicates for p in rows),
            share=len(found) / len(rows),
            duplicates=tuple(duplicates),
            matches=tuple(sorted(matches, key=lambda match: -match.covered)),
        )


class _Codes:
    """64-bit numbers of words, and the hashes of all n-grams of many texts at once."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}

    def ngrams(self, texts: list[list[str]]) -> Iterator[tuple[int, NDArray, NDArray, NDArray]]:
        """(n, hashes, number of the text, first word) for n from 8 to 13."""
        lengths = [len(words) for words in texts]
        owner = np.repeat(np.arange(len(texts)), lengths)
        start = np.arange(len(owner)) - np.repeat(np.cumsum([0, *lengths[:-1]]), lengths)
        codes = np.array([self._code(word) for words in texts for word in words], dtype=np.uint64)
        hashes = codes
        for n in range(2, min(N, len(codes)) + 1):
            hashes = hashes[:-1] * FACTOR + codes[n - 1 :]
            if n >= SHORTEST:
                # A window that ends in another text is none.
                whole = np.flatnonzero(owner[: len(hashes)] == owner[n - 1 :])
                yield n, hashes[whole], owner[whole], start[whole]

    def _code(self, word: str) -> int:
        if word not in self.known:
            self.known[word] = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "big")
        return self.known[word]


def _matches(known: NDArray, hashes: NDArray) -> tuple[NDArray, NDArray]:
    """Places in ``hashes`` and in ``known``, which is in order, of all equal pairs."""
    first = np.searchsorted(known, hashes, "left")
    counts = np.searchsorted(known, hashes, "right") - first
    hit = np.repeat(np.arange(len(hashes)), counts)
    return hit, first[hit] + np.arange(len(hit)) - np.repeat(np.cumsum(counts) - counts, counts)


def _covered(n: int, text: NDArray, problem: NDArray, start: NDArray) -> Iterator[tuple[int, int, int]]:
    """(text, problem, words of the problem that lie in an n-gram it shares with the text), by text."""
    if not len(text):
        return
    order = np.lexsort((start, problem, text))
    text, problem, start = text[order], problem[order], start[order]
    first = np.flatnonzero(np.diff(text, prepend=-1) | np.diff(problem, prepend=-1))
    last = np.append(first[1:], len(text)) - 1
    # An n-gram adds the words up to where the next one of its pair starts.
    added = np.minimum(np.diff(start, append=0), n)
    added[last] = n
    words = np.add.reduceat(added, first)
    yield from zip(text[first].tolist(), problem[first].tolist(), words.tolist(), strict=True)
