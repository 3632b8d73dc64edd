r"""Answers that must do no harm: what they say is never run, and no grade takes longer than its limit."""

# ruff: noqa: RUF001 (characters that look like others are part of the cases)
import random
from pathlib import Path


def hostile(canary: Path) -> dict[str, list[str]]:
    """Kind -> contents of boxes.

    Args:
        canary: a file that every piece of code below tries to make.
    """
    return {
        "power towers": _towers(),
        "large numbers": _large_numbers(),
        "computer algebra": _computer_algebra(),
        "long": _long(),
        "deep": _deep(),
        "characters": _characters(),
        "LaTeX": _latex(canary),
        "code": _code(canary),
        "random": _random(),
    }


def _towers() -> list[str]:
    towers = ["^{".join(["9"] * n) + "}" * (n - 1) for n in (3, 4, 5, 6, 12, 25)]
    return [
        *towers,
        *(f"{tower}+1" for tower in towers),
        "9**9**9**9",
        "9^(9^(9^9))",
        r"((9^9)^9)^{99999}",
        r"2^{2^{2^{2^{2^{2}}}}} - 1",
        r"10^{10^{100}}",
        r"\left(10^{100}\right)^{10^{100}}",
        r"x^{x^{x^{x^{x^{x}}}}}",
        r"e^{e^{e^{e^{e^{e}}}}}",
        r"\exp(\exp(\exp(\exp(\exp 9))))",
        r"7^{-7^{7^{7^{7}}}}",
        r"\sqrt{9^{9^{9^{9}}}}",
        r"\log_2\left(9^{9^{9^{9}}}\right)",
        r"\frac{9^{9^{9^9}}}{9^{9^{9^9}}}",
        r"(1+10^{-9})^{10^{99}}",
        r"3\uparrow\uparrow\uparrow 3",
    ]


def _large_numbers() -> list[str]:
    return [
        "9" * 900,
        "9" * 5000,
        "0." + "3" * 900,
        "1e999999999",
        "1e-999999999",
        "10^{999999999}",
        r"5\cdot10^{99999999999999999999}",
        r"\frac{1}{" + "7" * 800 + "}",
        "12,345" * 100,
        "5!!!!!!!!",
        "100000!",
        "99999999!",
        r"(10^9)!",
        r"\Gamma(10^{9})",
        r"\binom{1000000000}{500000000}",
        r"\binom{10^{9}}{10^{8}}",
        r"2^{99999}-2^{99998}",
        r"3^{123456789}",
        r"\sqrt[1000000007]{2}",
        r"1" + r"+\frac{1}{2}" * 60,
        r"999999999999999999999999999999 \mod 7^{7^{7}}",
        r"0.\overline{" + "142857" * 60 + "}",
    ]


def _computer_algebra() -> list[str]:
    return [
        r"\sum_{k=1}^{10^{12}} \frac{1}{k^{k}}",
        r"\sum_{k=1}^{100000000} \sin(k^2)",
        r"\prod_{k=1}^{10^{9}} k",
        r"\prod_{p=1}^{n}\prod_{q=1}^{p}\sum_{r=1}^{q} r^{q}",
        r"\int_0^{\infty} e^{-x^{x}} \sin(x^{x}) dx",
        r"\int \frac{\sin(\cos(\tan(x^{x})))}{\ln(1+e^{x^3})} dx",
        r"\int_0^1\int_0^1\int_0^1 \frac{1}{1-xyz} dx",
        r"\lim_{x\to 0} \frac{\sin(\tan(\sin x))-\tan(\sin(\tan x))}{x^{7}}",
        r"\lim_{n\to\infty} \left(\frac{n!}{n^n}\right)^{1/n}",
        r"(x+y+z+w+1)^{60}",
        r"(a+b+c+d+e+f)^{100} - (a+b+c+d+e+f)^{99}(a+b+c+d+e+f)",
        "*".join(f"(x^{k}+{k}y)" for k in range(1, 40)),
        r"\frac{d}{dx} x^{x^{x^{x}}}",
        "".join(r"\sqrt{1+" for _ in range(25)) + "x" + "}" * 25,
        "".join(r"\sin(" for _ in range(25)) + "x" + ")" * 25,
        "".join(r"\frac{1}{1+" for _ in range(25)) + "x" + "}" * 25,
        r"\begin{vmatrix}" + r"\\".join("&".join(f"x^{i}+{j}" for j in range(8)) for i in range(8)) + r"\end{vmatrix}",
        r"\begin{pmatrix}1&2\\3&4\end{pmatrix}^{1000000007}",
        r"\operatorname{eye}(100000)",
        r"\operatorname{zeros}(100000,100000)",
        r"\gcd(2^{9999}-1,2^{9998}-1)",
        r"x^{1000000} - 1 = (x-1)(x^{999999}+1)",
        ",".join(rf"\sqrt{{{k}}}" for k in range(2, 90)),
        r"\lfloor 10^{50} \sin(10^{50}) \rfloor",
        r"\sqrt{" + "+".join(rf"\sqrt{{{k}}}" for k in range(2, 30)) + "}",
        r"\sin(10^{100000})",
    ]


def _long() -> list[str]:
    return [
        "x" * 1_000_000,
        "1" * 3_000_000,
        "1+" * 500_000 + "1",
        r"\frac{1}{2}" * 100_000,
        "a " * 400_000,
        r"\text{" + "very " * 200_000 + "long}",
        "(" * 300_000 + ")" * 300_000,
        "é" * 700_000,
        "," * 1_000_000,
        "$" * 999,
        r"\!" * 450,
        " " * 900_000 + "5",
        "1 " * 450,
        "-" * 990 + "1",
        "and " * 240,
        r"\left" * 199,
        "x_" * 490,
        "\\" * 995,
        "^" * 997,
        "5" + "." * 990,
        "0" * 990 + "x",
        "|" * 990,
        "=" * 990,
        "x=" * 495 + "1",
        "<" * 990,
        "1,000" * 190,
        "**" * 490,
        "'" * 990,
        r"\pm" * 320,
        r"\text{a}" * 140,
        "(A)" * 320,
        "1" + "cm " * 320 + "!",
        "1" + r"\text{a}m " * 99 + "!",
        "5 " + "apples " * 140,
        "answer is " * 99,
    ]


def _deep() -> list[str]:
    return [
        "{" * 400 + "5" + "}" * 400,
        "(" * 400 + "5" + ")" * 400,
        "(" * 29 + "x+1" + ")" * 29,
        "[" * 29 + "x+1" + "]" * 29,
        r"\{" * 28 + "x" + r"\}" * 28,
        r"\frac{" * 100 + "1" + "}{2}" * 100,
        r"\sqrt{" * 150 + "2" + "}" * 150,
        r"\frac{1}{" * 28 + "x" + "}" * 28,
        "x^{" * 28 + "2" + "}" * 28,
        "x_{" * 28 + "2" + "}" * 28,
        r"\left(" * 120 + "1" + r"\right)" * 120,
        "-(" * 29 + "1" + ")" * 29,
        "|" * 28 + "x" + "|" * 28,
        r"\text{" * 28 + "x" + "}" * 28,
        "(((((((((((((((((((((((((((((",
        ")" * 29,
        "{(" * 14 + ")}" * 13,
    ]


def _characters() -> list[str]:
    return [
        "\x00",
        "5\x00",
        "\x005\x07\x1b[31m",
        "\ud800",
        "5\udfff",
        "\ud83d\ude00",
        "\u202e5\u202c",
        "\u200b5\u200b",
        "\ufeff5",
        "\n\n5\r\n",
        "5\u2028",
        "٣",
        "５",
        "Ⅷ",
        "𝟓",
        "é" * 300,
        "z\u0335" * 400,
        "🙂" * 500,
        "\\u0035",
        "\x1a",
        "\x7f" * 500,
        "5\ttab",
        "\v\f5",
        "½½½½",
        "²²²",
        "√√√√√√√√2",
        "∞∞",
        "一二三",
        "\U0010ffff",
    ]


def _latex(canary: Path) -> list[str]:
    return [
        r"\input{/etc/passwd}",
        r"\include{/etc/shadow}",
        r"\immediate\write18{touch " + f"{canary}" + "}",
        r"\openout15=" + f"{canary}" + r"\write15{x}\closeout15",
        r"\directlua{os.execute('touch " + f"{canary}" + "')}",
        r"\def\x{\x\x}\x",
        r"\loop\iftrue\repeat",
        r"\newcommand{\a}{\b\b}\newcommand{\b}{\a\a}\a",
        r"\csname end\endcsname",
        r"\catcode`\{=13",
        r"\expandafter" * 80,
        r"\begin{pmatrix}" * 60,
        r"\begin{array}{" + "c" * 900 + "}",
        r"\end{pmatrix}",
        r"\left(\right.\left.",
        r"\frac",
        r"\frac{}{}",
        r"\sqrt[",
        r"\boxed",
        "%" * 500,
        "#1#2#3",
        r"\text{\text{\text{\text{",
        r"\href{javascript:alert(1)}{5}",
        r"\verb|5|",
        r"5 \\ 6 \\ 7",
        r"\unknowncommand{5}",
        r"\operatorname{__import__}(5)",
        r"\operatorname{eval}(x)",
        r"\mathbb{" + "R" * 500 + "}",
    ]


def _code(canary: Path) -> list[str]:
    touch = f"open('{canary}','w').close()"
    shell = f"touch {canary}"
    return [
        touch,
        f"__import__('os').system('{shell}')",
        f'__import__("os").system("{shell}")',
        f'exec("{touch}")',
        f"eval('{touch}')",
        f"(lambda: {touch})()",
        f"[{touch} for _ in (1,)]",
        f"1+__import__('pathlib').Path('{canary}').touch()",
        f'sympify("{touch}")',
        f"parse_expr('{touch}')",
        f"S('{touch}')",
        f"lambdify(x, {touch})",
        f"Symbol('x').__class__.__init__.__globals__['__builtins__']['open']('{canary}','w')",
        f"().__class__.__base__.__subclasses__()[0]; {touch}",
        f"x.subs(x, {touch})",
        f"; {shell} ;",
        f"`{shell}`",
        f"$({shell})",
        f"| {shell}",
        f"&& {shell}",
        f"5\n{touch}\n",
        f"f'{{{touch}}}'",
        f"{{{touch}}}",
        f"\\text{{{touch}}}",
        f"\\frac{{{touch}}}{{2}}",
        f"os.system('{shell}')",
        f"import os; os.system('{shell}')",
        f"np.load('{canary}')",
        "while True: pass",
        "[x for x in iter(int, 1)]",
        "__import__('time').sleep(60)",
        "quit()",
        "raise SystemExit",
        "'; DROP TABLE answers; --",
        '{"__class__": "os.system"}',
        "cos\nsystem\n(S'touch x'\ntR.",
        '"]\n["same", ["5"], "5"]',
        "{0.__class__}",
        "%(x)s%n%s%s",
        "${jndi:ldap://x}",
    ]


def _random() -> list[str]:
    """Pieces of LaTeX and Python in random order, mostly nonsense."""
    rng = random.Random(0)
    pieces = [
        r"\frac{", "}", "{", "^", "_", "9", "x", r"\sqrt", "(", ")", "[", "]", r"\{", r"\}", ",", "=", "<", r"\leq",
        "!", "+", "-", "*", "/", ".", r"\cup", r"\in", r"\sum_{k=1}^{n}", r"\int", "dx", r"\sin", r"\log_", "|",
        r"\pm", r"\text{", "&", r"\\", r"\begin{pmatrix}", r"\end{pmatrix}", "e", "i", r"\infty", "%", "'", " ",
        r"\overline{", r"\lim_{x\to0}", r"\circ", "cm", r"\cdot",
    ]  # fmt: skip
    return [_balanced("".join(rng.choices(pieces, k=rng.randrange(3, 60)))) for _ in range(100)]


def _balanced(text: str) -> str:
    """The same with braces added, so that it is a box's content as a whole."""
    depth, before = 0, 0
    for character in text.replace(r"\{", "").replace(r"\}", ""):
        depth += {"{": 1, "}": -1}.get(character, 0)
        before = max(before, -depth)
    return "{" * before + text + "}" * (depth + before)
