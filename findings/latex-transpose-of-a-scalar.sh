#!/usr/bin/env bash
# latex2sympy2_extended 1.11.0, sympy 1.14.0, antlr4 4.11.0 (2026-11-30).
#
# A guess: e^{T} is read as a power of e. Seen: an exponent T alone is a transposition, and of a scalar that is the
# scalar itself, so the exponent is gone. A grader that compares what was read takes 2 for 2^T. A power of T + 1 stays
# one, with T read as t, and so does one of t.
#
# Output seen:
#   e^{T} is read as E
#   2^T is read as 2
#   x^{T} is read as x
#   e^{T+1} is read as exp(t + 1)
#   e^{t} is read as exp(t)
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3.11}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet latex2sympy2_extended==1.11.0 sympy==1.14.0 antlr4-python3-runtime==4.11.0
"$work/venv/bin/python" - <<'PYTHON'
from latex2sympy2_extended import latex2sympy

seen = {text: str(latex2sympy(text)) for text in ("e^{T}", "2^T", "x^{T}", "e^{T+1}", "e^{t}")}
for text, found in seen.items():
    print(f"{text} is read as {found}")
assert (seen["e^{T}"], seen["2^T"], seen["x^{T}"]) == ("E", "2", "x"), seen
assert (seen["e^{T+1}"], seen["e^{t}"]) == ("exp(t + 1)", "exp(t)"), seen
PYTHON
