r"""Two expressions: the same function of the same variables? math-verify reads them and decides.

Runs in the child processes of :mod:`relax.grading.workers` only: it may take any time and memory. What is added to
math-verify 0.9:

* variables keep their case, ``i`` is the imaginary unit, decimals are exact fractions, ``2(3)`` is a product (the
  parser reads a mixed number, 5), primes and derivatives of a name are names;
* a value that would not fit into memory is refused before it is computed;
* expressions are compared at random points with hundreds of digits before they are simplified: ``verify`` rounds, and
  simplifying what is not equal takes longest.
"""

import logging
import random
import re

import sympy
from latex2sympy2_extended.latex2sympy2 import ConversionConfig, latex2sympy
from math_verify import verify
from sympy.core.function import AppliedUndef

from relax.grading.rewrites import compiled, rewritten

#: A number with more digits than this is not computed.
MAX_DIGITS = 20_000
#: Digits to which a difference is computed, and what is zero then.
_DIGITS = 400
_ZERO = sympy.Float(10) ** (30 - _DIGITS)
#: Points that are tried, how many are enough, and how few: an expression may be real at some only.
_POINTS, _ENOUGH, _FEWEST = 24, 8, 3

# math-verify warns that its own time-outs, which need the main thread and an alarm, are off.
logging.getLogger("math_verify").setLevel(logging.ERROR)

_CONVERSION = ConversionConfig(lowercase_symbols=False)
_TOKENS = compiled(
    [
        # A mixed number before a variable, and products that the parser would read as mixed numbers.
        (r"(?<![\^_\d])(\d+)\\frac\{(\d+)\}\{(\d+)\}", lambda m: _mixed(m)),
        (r"(?<=\))(?=\()|(?<=\d)(?<![_^]\d)(?=\()|(?<=\))(?=\d|\\frac)", r"\\cdot "),
        # A base and its argument, a name and its primes.
        (r"(\\log_(?:\d|\{[^{}]*\})) (\d+)", r"\1{\2}"),
        (r"([A-Za-z])\^\{((?:\\prime)+)\}", lambda m: rf"\text{{{m[1]}{m[2].replace(chr(92), '')}}}"),
        # The parser reads I as the imaginary unit, E as its own kind of token, and gamma as a number.
        (r"(?<![A-Za-z\\])I(?![A-Za-z(])|(?<=[A-HJ-Z])I(?![A-Za-z(])", r"\\mathcal{I}"),
        (r"(?<![A-Za-z\\])E(?=_)", r"\\mathcal{E}"),
        (r"\\(odot|oplus|star|perp|parallel)(?![A-Za-z])", r"\\text{\1}"),
        (r"\\gamma(?![A-Za-z])", r"\\text{gam}"),
        (r"\\Gamma(?![A-Za-z(])", r"\\text{Gam}"),
        (r"\\lg(?![A-Za-z])", r"\\log_{10}"),
        # The parser transposes what has the exponent T, and a number or a name transposed is itself.
        (r"\^(?:T(?![A-Za-z_])|\{T\})", r"^{1\\cdot T}"),
    ]
)
_DECIMAL = re.compile(r"(\d*)\.(\d*)(?:\\(?:overline|bar|dot)\{(\d+)\})?")
_UNREADABLE = re.compile(r"\d\s+\d|:|(?<!\^)\d_|(?<!\\)\\[^A-Za-z{}\\]|[\"'#@?]")


class Unreadable(Exception):
    """A text that is no expression, or one that is too large to be computed."""


def read(text: str) -> sympy.Basic | sympy.MatrixBase:
    """A cleaned text as an expression, not yet evaluated.

    Raises:
        Unreadable: the parser does not know what it means, or a number in it has more than :data:`MAX_DIGITS` digits.
    """
    text = rewritten(_DECIMAL.sub(_exact, _without_cis(text)), _TOKENS)
    if _UNREADABLE.search(text):
        raise Unreadable(text)
    try:
        found = latex2sympy(
            text, is_real=True, convert_degrees=True, normalization_config=None, conversion_config=_CONVERSION
        )
    except MemoryError:
        raise
    except Exception as error:  # the parser raises bare Exception, AttributeError, TypeError, RecursionError and more
        raise Unreadable(text) from error
    if not isinstance(found, sympy.Basic | sympy.MatrixBase) or found in (sympy.nan, sympy.zoo):
        raise Unreadable(text)
    if isinstance(found, sympy.MatrixBase):
        return found
    if _digits(found) > MAX_DIGITS:
        raise Unreadable(text)
    return _named(found)


def _without_cis(text: str) -> str:
    r"""``\cis`` of what follows it, up to a sign or another ``\cis``, as a sum of cosine and sine."""
    before, name, rest = text.partition(r"\cis")
    if not name:
        return text
    depth, end = 0, len(rest)
    for i, character in enumerate(rest):
        depth += (character in "{[(") - (character in "}])")
        if depth < 0 or (depth == 0 and ((character in "+-=<>," and i) or rest.startswith(r"\cis", i))):
            end = i
            break
        if depth == 0 and character == ")" and rest[0] == "(":
            end = i + 1
            break
    argument = rest[:end].strip()
    return rf"{before}(\cos({argument})+i\cdot\sin({argument})){_without_cis(rest[end:])}"


def _exact(found: re.Match[str]) -> str:
    """A decimal as a fraction."""
    whole, fixed, period = found[1], found[2], found[3]
    if period:
        nines = 10 ** len(period) - 1
        numerator = (int(whole or 0) * 10 ** len(fixed) + int(fixed or 0)) * nines + int(period)
        return rf"{{\frac{{{numerator}}}{{{nines * 10 ** len(fixed)}}}}}"
    return rf"{{\frac{{{int(whole + fixed)}}}{{{10 ** len(fixed)}}}}}" if whole + fixed else found[0]


def _mixed(found: re.Match[str]) -> str:
    whole, over, under = (int(part) for part in found.groups())
    return rf"\frac{{{whole * under + over}}}{{{under}}}"


def _named(expression: sympy.Basic) -> sympy.Basic:
    """Symbols in place of ``i``, of functions without a definition and of derivatives of mere names."""
    names: dict[sympy.Basic, sympy.Basic] = {}
    for node in sympy.preorder_traversal(expression):
        if isinstance(node, sympy.Symbol) and node.name == "i" and node in expression.free_symbols:
            names[node] = sympy.I
        elif isinstance(node, AppliedUndef) or (
            isinstance(node, sympy.Derivative) and not node.expr.free_symbols & set(node.variables)
        ):
            names[node] = sympy.Symbol(sympy.srepr(node), real=True)
    return expression.xreplace(names) if names else expression


def _digits(node: sympy.Basic) -> float:
    """About how many digits the largest number has that computing an expression meets; 10^9 stands for more."""
    if isinstance(node, sympy.Rational):
        return len(str(max(abs(node.p), node.q))) if abs(node.p) + node.q > 9 else 0.5
    parts = [_digits(arg) for arg in node.args if isinstance(arg, sympy.Basic)]
    largest = max(parts, default=0.3)
    if isinstance(node, sympy.Pow):
        power = abs(node.exp) if node.exp.is_Rational else 10 ** min(parts[1], 9) if node.exp.is_number else 1
        digits = parts[0] * float(min(power, 10**9))
    elif isinstance(node, sympy.exp | sympy.factorial | sympy.gamma | sympy.binomial):
        digits = largest * 10 ** min(largest, 9)
    elif isinstance(node, sympy.Mul | sympy.Add):
        digits = sum(parts)
    else:
        digits = largest
    return min(digits, 1e9)


def same_expression(gold: sympy.Basic, answer: sympy.Basic) -> bool:
    """Are both the same, for all values of their variables?"""
    if gold == answer:
        return True
    matrices = isinstance(gold, sympy.MatrixBase) or isinstance(answer, sympy.MatrixBase)
    if not matrices and isinstance(gold, sympy.Expr) and isinstance(answer, sympy.Expr):
        agrees = _vanishes(gold - answer)
        if agrees is not None:
            return agrees
    return bool(verify(gold, answer, numeric_precision=50, allow_set_relation_comp=True, timeout_seconds=None))


def same_relation(gold: tuple[str, sympy.Basic], answer: tuple[str, sympy.Basic]) -> bool:
    r"""Are two relations to zero the same up to a constant factor?

    Args:
        gold: sign (``=``, ``<``, ``\leq``, ``\neq``) and left side minus right side.
        answer: the same; ``>`` must have been turned round.
    """
    if gold[0] != answer[0]:
        return False
    ratio = sympy.together(gold[1] / answer[1])
    if not gold[1].free_symbols:
        return same_expression(gold[1], answer[1])
    point = _point(ratio.free_symbols, _POINTS)
    constant = ratio.xreplace(point) if ratio.free_symbols else ratio
    value = constant.evalf(30)
    if not value.is_number or not value.is_finite or abs(value) < 1e-20:
        return False
    if gold[0] in ("<", r"\leq") and not value > 0:
        return False
    return _vanishes(gold[1] - constant * answer[1]) is True


def _point(symbols: set[sympy.Basic], number: int, whole: bool = False) -> dict[sympy.Basic, sympy.Basic]:
    """A value of every symbol; a whole number where a sum runs up to it.

    The first eight points hold every combination of signs of three symbols: ``|x|`` is ``x`` at half of all points.
    """
    rng, point = random.Random(number), {}
    for place, symbol in enumerate(sorted(symbols, key=str)):
        # Small denominators: powers of rationals are computed exactly.
        size = sympy.Rational(rng.randrange(2, 40), rng.choice((11, 13, 17)))
        negative = number >> place & 1 if number < 8 and place < 3 else rng.random() < 0.5
        point[symbol] = sympy.Integer(rng.randrange(2, 12)) if whole else -size if negative else size
    return point


def _vanishes(difference: sympy.Expr) -> bool | None:
    """Is an expression zero at random points at which it is real (or, with ``i`` in it, complex)?

    Returns:
        None if there are too few such points, so that nothing is known.
    """
    symbols, zeros = difference.free_symbols, 0
    is_complex, whole = difference.has(sympy.I), difference.has(sympy.Sum, sympy.Product)
    for number in range(_POINTS if symbols else 1):
        point = _point(symbols, number, whole)
        try:
            if not is_complex and _has_root_of_negative(difference, point):
                continue
            zero = _is_zero(difference.xreplace(point).doit(), is_complex)
        except (ValueError, TypeError, ArithmeticError, AttributeError, NotImplementedError):
            continue
        if zero is False:
            return False
        zeros += zero is True
        if zeros == _ENOUGH:
            break
    return True if zeros >= (_FEWEST if symbols else 1) else None


def _has_root_of_negative(expression: sympy.Expr, point: dict[sympy.Basic, sympy.Basic]) -> bool:
    r"""Lies a point where a root is not real, although a product of two such roots, ``\sqrt{x}\sqrt{y}``, may be?"""
    powers = expression.atoms(sympy.Pow) if point else ()
    roots = (power.base for power in powers if power.exp.is_Rational and not power.exp.is_Integer)
    return any(base.xreplace(point).is_negative for base in roots)


def _is_zero(value: sympy.Expr, is_complex: bool) -> bool | None:
    """Of a number; None if it is infinite or undefined, or complex where it should be real."""
    if value.is_Rational:
        return value == 0
    if value.has(sympy.oo, -sympy.oo, sympy.zoo, sympy.nan):
        return None
    largest = max([1, *(abs(term.evalf(5)) for term in value.as_ordered_terms())])
    real, imaginary = (abs(part) > largest * _ZERO for part in value.evalf(5, maxn=_DIGITS).as_real_imag())
    if imaginary and not is_complex:
        return None
    return not real and not imaginary
