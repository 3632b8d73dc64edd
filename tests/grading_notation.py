r"""Pairs of gold and answer about typography, numbers, binomials, signs and bases; see grading_cases.py."""
# ruff: noqa: RUF001 (characters as models write them)

#: Kind -> one pair a line.
NOTATION = {
    "typography": r"""
12 == \color{red}{12}
12 == \color{red} 12
12 == {\color{red} 12}
12 == {\color{blue}12}
12 == \textcolor{red}{12}
12 == \textcolor{blue}{\mathbf{12}}
12 == \colorbox{yellow}{12}
\frac{1}{2} == \textcolor{red}{\frac{1}{2}}
\frac{1}{2} == \mathbf{\frac{1}{2}}
\frac{1}{2} == \boldsymbol{\frac{1}{2}}
\frac{1}{2} == \bm{\frac12}
\frac{1}{2} == \frac{\mathbf{1}}{\mathbf{2}}
\mathbf{\frac{3}{4}} == 0.75
2\sqrt{3} == \mathbf{2\sqrt{3}}
2\sqrt{3} == \boldsymbol{2\sqrt{3}}
2\sqrt{3} == 2\sqrt{\mathbf{3}}
2\sqrt{3} == \color{red}{2}\sqrt{3}
x^2+1 == \mathbf{x^2+1}
x^2+1 == \mathbf{x}^{\mathbf{2}}+1
x^2+1 == \boldsymbol{x^2 + 1}
x^2+1 == \mathit{x^2}+1
(1,2) == \mathbf{(1,2)}
(1,2) == \textcolor{red}{(1,2)}
\{1,2\} == \mathbf{\{1,2\}}
-5 == \mathbf{-5}
3.14 == \mathbf{3.14}
6 == \bf 6
6 == {\bf 6}
6 == \mathbf 6
6 == \mathrm 6
6 == \boldsymbol 6
6 == \mathbf{6}
6 == \bfseries 6
6 == \rm 6
6 == \Large 6
6 == \huge{6}
6 == \underline{6}
6 == \underline{\underline{6}}
6 == \text{\textbf{6}}
12 == \text{Answer: } 12
12 == \text{Answer: 12}
12 == \text{Answer:} 12
12 == \textbf{Answer: } 12
12 == \textbf{Answer:}\ 12
12 == \text{The answer is } 12
12 == \text{The answer is: } 12
12 == \text{Final answer: } 12
12 == Answer: 12
12 == \mathbf{\text{Answer: } 12}
\frac{1}{2} == \text{Answer: } \frac{1}{2}
C == \text{Answer: C}
C == \text{Answer: (C)}
5\text{ cm} == \mathbf{5\text{ cm}}
5\text{ cm} == \mathbf{5}\text{ cm}
5\text{ cm} == \mathrm{5\,cm}
\text{east} == \color{red}{\text{east}}
\text{east} == \mathbf{\text{east}}
\pi == \boldsymbol{\pi}
2\pi == \mathbf{2\pi}
2x == \mathrm{2x}
12 != \color{red}{13}
12 != \color{red}{1}3
12 != \color{red} 21
12 != \textcolor{red}{-12}
12 != \textcolor{12}{13}
\frac{1}{2} != \mathbf{\frac{2}{1}}
\frac{1}{2} != \textcolor{red}{\frac{1}{3}}
\frac{1}{2} != \frac{\mathbf{1}}{\mathbf{3}}
2\sqrt{3} != \mathbf{3\sqrt{2}}
x^2+1 != \mathbf{x^2-1}
x^2+1 != \boldsymbol{y^2+1}
x^2+1 != \mathbf{x}^{\mathbf{3}}+1
(1,2) != \mathbf{(2,1)}
6 != \bf 7
6 != \mathbf 7
6 != {\bf -6}
6 != \mathbf 66
6 != \underline{9}
12 != \text{Answer: } 13
12 != \text{Answer: } 1.2
12 != \text{Answer: } -12
12 != \text{The answer is not } 12
12 != \text{Wrong answer: } 12
12 != \text{Answer: }
C != \text{Answer: D}
5\text{ cm} != \mathbf{5\text{ m}}
5 != \cancel{5}
5 != \overline{5}
""",
    "about": r"""
2.5 == \approx 2.5
2.5 == ≈ 2.5
2.5 == \approx2.50
2.5 == \sim 2.5
2.5 == \text{approximately } 2.5
2.5 == \text{about } 2.5
2.5 == x \approx 2.5
\approx 2.5 == 2.5
2.5 == \approx 2.5 \text{ cm}
2.5 != \approx 2.6
2.5 != \approx 25
2.5 != \approx -2.5
2.5 != \approx \frac{2}{5}
\sqrt{2} != \approx 1.414
\pi != \approx 3.14
\approx 2.5 != 2.6
3 != \approx 2.9
""",
    "mixed numbers and powers of ten": r"""
\frac{15}{2} == 7 1/2
7.5 == 7 1/2
7\frac{1}{2} == 7 1/2
7 1/2 == \frac{15}{2}
7 1/2 == 7\frac12
7 1/2 == 7.5
7 1/2 == 7\ 1/2
7 1/2 == 15/2
-7 1/2 == -\frac{15}{2}
-7 1/2 == -7.5
7 1/2 == 7 1/2 \text{ hours}
12 3/4 == 12.75
x = 7 1/2 == 7.5
7 1/2 != 71/2
7 1/2 != 35.5
7 1/2 != 3.5
7 1/2 != 7
7 1/2 != \frac{7}{2}
7 1/2 != 8 1/2
7 1/2 != 7 1/3
7 1/2 != -7 1/2
-7 1/2 != -6.5
71/2 != 7 1/2
\frac{71}{2} != 7\frac{1}{2}
7\frac{1}{2} != 71/2
3.5 != 7 1/2
7 1/2 != 7, 1/2
\sqrt[3]{2} == \sqrt[3]2
\sqrt[3]{2} == \sqrt[3] 2
\sqrt[3]{2} == 2^{1/3}
\sqrt[3]{2} == \sqrt[3]{{2}}
\sqrt[3]{2} == ∛2
\sqrt[3]{2} == \sqrt[{3}]{2}
\sqrt[3]{2} == cbrt(2)
\sqrt[3]2 == 2^{\frac13}
\sqrt[3]x == x^{1/3}
2\sqrt[3]2 == \sqrt[3]{16}
\sqrt[3]{12} == \sqrt[3]{12}
\sqrt[3]\pi == \pi^{1/3}
\sqrt[3]{2} != \sqrt[3]3
\sqrt[3]{2} != 3\sqrt2
\sqrt[3]{2} != \sqrt[4]2
\sqrt[3]{2} != \sqrt{2}
\sqrt[3]{2} != \sqrt{32}
\sqrt[3]{2} != 2^{3}
\sqrt[3]{2} != \sqrt[2]3
1.6\times10^{-19} == 1.6*10^-19
1.6\times10^{-19} == 1.6 * 10^-19
1.6\times10^{-19} == 1.6 x 10^-19
1.6\times10^{-19} == 1.6e-19
1.6\times10^{-19} == 1.6 \cdot 10^{-19}
1.6\times10^{-19} == 1.6 × 10⁻¹⁹
1.6\times10^{-19} == 1.6*10^(-19)
1.6\times10^{-19} == 1.6\times 10^{-19}\text{ C}
1.6*10^-19 == 1.6 \times 10^{-19}
3\times10^8 == 3 x 10^8
3\times10^8 == 3x10^8
3\times10^8 == 3 X 10^8
3\times10^8 == 3 \text{ x } 10^8
3\times10^8 == 3 x 10^8\text{ m/s}
3 x 10^8 == 300000000
3 x 10^8 == 3 \times 10^8
3\times10^8 == 3*10^8
3\times10^{10} == 3 x 10^10
3\times10^{10} == 3*10^10
2 \times 3 == 2 x 3
x^{-1} == x^-1
x^{10} == x^10
2^{-3} == 2^-3
e^{-2x} == e^{-2x}
1.6\times10^{-19} != 1.6*10^-18
1.6\times10^{-19} != 1.6*10^19
1.6\times10^{-19} != 1.6*10^-1
1.6\times10^{-19} != 1.7*10^-19
1.6\times10^{-19} != -1.6*10^19
1.6\times10^{-19} != 16*10^-19
3\times10^8 != 3 x 10^9
3\times10^8 != 3 x 10^-8
3\times10^8 != 3x^{10}
3\times10^8 != 3 + 10^8
3\times10^{10} != 3 x 10^1
3x != 3 x 10
3x^{10} != 3 x 10^8
2x != 2 x 3
5x+10 != 5 x 10
x^{-1} != x^-2
x^{10} != x^1 \cdot 0
""",
    "binomials": r"""
\binom{10}{3} == {10 \choose 3}
\binom{10}{3} == 10 \choose 3
\binom{10}{3} == \dbinom{10}{3}
\binom{10}{3} == \tbinom{10}{3}
\binom{10}{3} == C(10,3)
\binom{10}{3} == C_{10}^{3}
\binom{10}{3} == C_{10}^3
\binom{10}{3} == {}_{10}C_{3}
\binom{10}{3} == {}_{10}C_3
\binom{10}{3} == _{10}C_3
\binom{10}{3} == ^{10}C_3
\binom{10}{3} == {}^{10}C_{3}
\binom{10}{3} == \mathrm{C}_{10}^{3}
\binom{10}{3} == 10C3
\binom{10}{3} == \text{C}(10,3)
\binom{10}{3} == \binom{10}3
\binom{10}{3} == \left({10 \choose 3}\right)
\binom{10}{3} == 10 \text{ choose } 3
\binom{10}{3} == \frac{10!}{3!7!}
\binom{10}{3} == 120
\binom{10}{3} == \binom{10}{7}
120 == {10 \choose 3}
120 == C(10,3)
120 == {}_{10}C_3
120 == C_{10}^3
{10 \choose 3} == \binom{10}{3}
{10 \choose 3} == 120
\binom{n}{k} == {n \choose k}
\binom{n}{k} == C_n^k
\binom{n}{k} == {}_nC_k
\binom{n}{k} == \frac{n!}{k!(n-k)!}
\binom{n}{k} == \binom nk
\binom{n+1}{2} == {n+1 \choose 2}
2\binom{10}{3} == 2{10 \choose 3}
\binom{5}{2}\binom{4}{2} == {5 \choose 2}{4 \choose 2}
\frac{\binom{5}{2}}{\binom{10}{2}} == \frac{{5 \choose 2}}{{10 \choose 2}}
720 == {}_{10}P_3
\binom{10}{3} != {10 \choose 4}
\binom{10}{3} != {9 \choose 3}
\binom{10}{3} != {3 \choose 10}
\binom{10}{3} != C(10,4)
\binom{10}{3} != C_{10}^4
\binom{10}{3} != C_{9}^3
\binom{10}{3} != {}_{10}C_4
\binom{10}{3} != {}_{10}P_3
\binom{10}{3} != \frac{10}{3}
\binom{10}{3} != \begin{pmatrix}10\\3\end{pmatrix}
\binom{10}{3} != (10,3)
\binom{10}{3} != 10^3
\binom{10}{3} != 30
\binom{10}{3} != 2{10 \choose 3}
\binom{10}{3} != 10 \choose 2
\binom{n}{k} != {k \choose n}
\binom{n}{k} != C_n^m
\binom{n}{k} != \frac{n}{k}
(10,3) != C(10,3)
C_1e^{2t} != C_2e^{t}
""",
    "plus or minus": r"""
2\pm\sqrt5 == 2\mp\sqrt5
2\mp\sqrt5 == 2\pm\sqrt5
2\pm\sqrt5 == 2\mp\sqrt{5}
2\pm\sqrt5 == 2 +/- \sqrt5
2\pm\sqrt5 == 2 ± √5
x = 2\pm\sqrt5 == 2\mp\sqrt5
x = 2\pm\sqrt5 == x_{1,2} = 2\pm\sqrt5
2\pm\sqrt5 == 2+\sqrt5 \text{ and } 2-\sqrt5
2\mp\sqrt5 == 2-\sqrt5, 2+\sqrt5
\frac{1\pm\sqrt{5}}{2} == \frac{1\mp\sqrt{5}}{2}
\mp 3 == \pm 3
2\pm\sqrt5 != 2\mp\sqrt3
2\pm\sqrt5 != -2\mp\sqrt5
2\pm\sqrt5 != 2+\sqrt5
2\pm\sqrt5 != 2-\sqrt5
2\mp\sqrt5 != 2+\sqrt5
2\mp\sqrt5 != \sqrt5\pm2
\mp 3 != 3
(1,2\pm\sqrt5) != (1,2+\sqrt5)
""",
    "bases": r"""
1011_2 == (1011)_2
1011_2 == (1011)_{2}
1011_2 == 1011_{2}
1011_2 == 1011_{\text{two}}
1011_2 == 1011
1011_2 == 1011_{(2)}
1011_2 == 1011 \text{ (base 2)}
1011_2 == 1011 \text{ base } 2
1011_2 == 1011_{\text{base }2}
1011_2 == \text{1011}_2
(1011)_2 == 1011_2
(1011)_2 == 1011_{2}
(1011)_2 == 1011
(1011)_2 == (1011)_{\text{two}}
(1011)_2 == (1011)_{two}
52_8 == (52)_8
52_8 == 52_{\text{eight}}
A3F_{16} == (A3F)_{16}
A3F_{16} == (a3f)_{16}
1011_2 == 1\,011_2
1011_2 == (1\,011)_2
1011_2 == N = 1011_2
1011_2 != (1011)_3
1011_2 != (1101)_2
1011_2 != (1011)_{10}
1011_2 != 1011_3
1011_2 != 11
1011_2 != (101)_2
1011_2 != 1011_{20}
(1011)_2 != (1010)_2
(1011)_2 != 11
(1011)_2 != 1011_8
(1011)_2 != 2022
(1011)_2 != (10,11)_2
(1011)_2 != 1011 \text{ base } 3
11 != (1011)_2
52_8 != (52)_9
52_8 != (25)_8
42 != (52)_8
52_8 != 52_{\text{nine}}
52_8 != (52)^8
""",
}
