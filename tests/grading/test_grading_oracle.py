"""The grader against sympy, which makes pairs that are equal, or not, by construction."""

import random
from collections.abc import Callable

import sympy

from relax.evaluation import grade_many

X, Y, A = sympy.symbols("x y a")
FORMS: list[Callable[[sympy.Expr], sympy.Expr]] = [
    sympy.expand,
    sympy.factor,
    sympy.together,
    sympy.expand_trig,
    lambda e: e.rewrite(sympy.exp) if e.has(sympy.sin, sympy.cos) else e,
]


def polynomial(rng: random.Random) -> sympy.Expr:
    return sum(rng.randint(-5, 5) * X**i * Y**j for i in range(3) for j in range(2)) + rng.randint(1, 9)


def expression(rng: random.Random, kind: int) -> sympy.Expr:
    """A product, a square, a rational function, a trigonometric function, a number, or a root."""
    share = sympy.Rational(rng.randint(1, 9), rng.randint(2, 9))
    wave = rng.choice([sympy.sin, sympy.cos, sympy.exp])(rng.randint(1, 4) * X)
    return [
        polynomial(rng) * polynomial(rng),
        (polynomial(rng) + A) ** 2,
        polynomial(rng).subs(Y, 2) / (X**2 + rng.randint(1, 5)) + share / (X + 1),
        wave * rng.randint(1, 5) + X * wave,
        sympy.sqrt(rng.randint(2, 60)) * share + rng.randint(-9, 9) * sympy.pi,
        sympy.sqrt(rng.randint(2, 30) + X**2) * polynomial(rng),
    ][kind]


def test_other_forms_are_right_and_other_values_wrong() -> None:
    rng, cases = random.Random(0), []
    for number in range(120):
        gold = expression(rng, number % 6)
        near = gold + sympy.Rational(1, rng.randint(2, 10**9))
        other = rng.choice([near, -gold, gold * sympy.Rational(rng.randint(11, 99), 100)])
        cases += [(gold, rng.choice(FORMS)(gold), True), (gold, rng.choice(FORMS)(other), False)]
    grades = grade_many(
        [rf"\boxed{{{sympy.latex(answer)}}}" for _, answer, _ in cases], [sympy.latex(gold) for gold, *_ in cases]
    )
    rows = zip(cases, grades, strict=True)
    assert [(case, found.status) for case, found in rows if found.correct != case[2]] == []
