r"""Pairs of gold and answer about numbers, binomials, signs and bases; see grading_cases.py."""
# ruff: noqa: RUF001 (characters as models write them)

#: Kind -> one pair a line.
NOTATION = {
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
3\frac14 == 3 1/4
3 1/4 == 13/4
3 1/4 == 3.25
3 1/4 == 3\tfrac{1}{4}
2 2/3 == \frac83
-1 1/2 == -1.5
1 1/2, 2 1/2 == 1.5, 2.5
(1 1/2, 3) == (1.5, 3)
5 3/10 == 5.3
3 1/4 != 31/4
3 1/4 != 3/4
3 1/4 != 3 3/4
3 1/4 != 3 \cdot \frac14
3 1/4 != 4 1/3
1 1/2 != 11/2
-1 1/2 != -0.5
2.5 != 2 5
\sqrt[3]{5} == \sqrt[3]5
\sqrt[4]{3} == \sqrt[4]3
2\sqrt[3]{4} == 2\sqrt[3]4
\frac{\sqrt[3]{4}}{2} == \frac{\sqrt[3]4}2
\sqrt[n]{x} == \sqrt[n]x
\sqrt[3]{x^2} == x^{2/3}
\sqrt[3]{2} == \sqrt[\leftroot{-2}\uproot{2}3]{2}
\sqrt[3]{2} == \root 3 \of 2
\sqrt[3]{5} != \sqrt[5]3
\sqrt[3]{5} != 3\sqrt5
\sqrt[3]{5} != \sqrt{5}^3
\sqrt[3]{2} != \sqrt[3]{-2}
6.02\times10^{23} == 6.02 x 10^23
6.02\times10^{23} == 6.02*10^23
6.02\times10^{23} == 6.02 × 10^23
6.02\times10^{23} == 6.02E23
6.02\times10^{23} == 6.02 \times 10^{23} \text{ mol}^{-1}
5\times10^{-3} == 5*10^-3
5\times10^{-3} == 0.005
5\times10^{-3} == 5x10^-3
5\times10^{-3} == 5 x 10^(-3)
-2\times10^{5} == -2x10^5
10^{-19} == 10^-19
2^{-1} == 2^-1
6.02\times10^{23} != 6.02 x 10^22
6.02\times10^{23} != 6.02 x 10^-23
6.02\times10^{23} != 6.20 x 10^23
6.02\times10^{23} != 6.02*10^2*3
5\times10^{-3} != 5x10^3
5\times10^{-3} != -5*10^3
5\times10^{-3} != 5*10^-3*2
10^{-19} != 10^-1
10^{-19} != 10-19
3x^8 != 3 x 10^8
30 != 3 x 11
x^{-2} != -x^2
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
\binom{5}{2} == 5 \choose 2
\binom{5}{2} == _5C_2
\binom{5}{2} == {}_{5}\mathrm{C}_{2}
\binom{5}{2} == {}^5C_2
\binom{5}{2} == C^2_5
\binom{5}{2} == C_5^2
\binom{5}{2} == C(5, 2)
\binom{5}{2} == \mathrm{C}(5,2)
\binom{5}{2} == {5\choose2}
\binom{5}{2} == \displaystyle{5\choose 2}
\binom{5}{2} == 10
\binom{5}{2} == \frac{5!}{2!3!}
\binom{5}{2} == nCr(5,2)
\binom{5}{2} == \dbinom52
\binom{5}{2} == \binom52
\binom{n}{2} == \frac{n(n-1)}{2}
\binom{n}{2} == {n \choose 2}
\binom{n}{2} == {}_nC_2
\binom{2n}{n} == {2n \choose n}
\binom{10}{3}\cdot 2^3 == {10 \choose 3} 2^3
\binom{10}{3}+1 == {10 \choose 3}+1
\binom{8}{3}-\binom{5}{3} == {8 \choose 3}-{5 \choose 3}
\binom{5}{2} != 5 \choose 3 \cdot 2
\binom{5}{2} != {6 \choose 2}
\binom{5}{2} != \frac52
\binom{5}{2} != C_5^1
\binom{5}{2} != 5C_2
\binom{5}{2} != {}_5P_2
\binom{5}{2} != (5,2)
\binom{5}{2} != 25
\binom{5}{2} != 52
\binom{5}{2} != \{5,2\}
\binom{n}{2} != {n \choose 3}
\binom{n}{2} != \frac{n}{2}
\binom{2n}{n} != {n \choose 2n}
\binom{8}{3}-\binom{5}{3} != {8 \choose 3}+{5 \choose 3}
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
3\pm\sqrt2 == 3\mp\sqrt2
\pm\sqrt5 == \mp\sqrt5
\frac{-1\pm i\sqrt3}{2} == \frac{-1\mp i\sqrt3}{2}
x=3\pm\sqrt2 == x=3\mp\sqrt2
3\pm\sqrt2 == 3+\sqrt2 \text{ or } 3-\sqrt2
3\pm\sqrt2 == \{3-\sqrt2,3+\sqrt2\}
3\pm\sqrt2 == 3 \pm \sqrt{2}
3\pm\sqrt2 != 3\mp\sqrt5
3\pm\sqrt2 != \sqrt2\mp3
3\pm\sqrt2 != 3\mp2
\pm\sqrt5 != \sqrt5
\pm\sqrt5 != \mp5
x=3\pm\sqrt2 != x=-3\mp\sqrt2
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
110_2 == (110)_2
110_2 == 110_{(2)}
110_2 == (110)_{\text{base 2}}
110_2 == 110\ (\text{base } 2)
110_2 == 110_{\text{base two}}
(110)_2 == 110_{2}
(2A)_{16} == 2A_{16}
(2A)_{16} == 2a_{16}
(345)_7 == 345_7
(345)_7 == 345 \text{ (base 7)}
110_2 != (110)_5
110_2 != (111)_2
110_2 != 6
110_2 != (110)^2
(345)_7 != (345)_8
(345)_7 != (543)_7
(345)_7 != 345_{10}
(345)_7 != 180
(345)_7 != 345 \text{ (base 8)}
6 != (110)_2
""",
}
