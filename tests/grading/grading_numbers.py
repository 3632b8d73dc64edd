r"""Pairs of gold and answer about numbers, units and expressions; see grading_cases.py."""
# ruff: noqa: E501, RUF001 (long formulas, and look-alikes of ASCII characters as models write them)

#: Kind -> one pair a line.
NUMBERS = {
    "fractions": r"""
\frac{1}{2} == 0.5
\frac{1}{2} == 1/2
\frac12 == \dfrac{1}{2}
\frac12 == \tfrac 12
\frac{14}{3} == 4\frac{2}{3}
\frac{14}{3} == 4 \frac23
\frac{3}{56} == \frac{6}{112}
-\frac{35}{9} == \frac{-35}{9}
-\frac{35}{9} == \frac{35}{-9}
-\frac{35}{9} == -35/9
\frac59 == \frac 5 9
\frac{270}7 == \frac{270}{7}
\frac{x}{2} == \frac{1}{2}x
\frac{x+1}{2} == \frac{x}{2} + \frac12
\frac{1}{x} == x^{-1}
\frac{a}{b} == a/b
\frac{1}{1+\frac{1}{2}} == \frac23
\frac{1.5}{2} == 0.75
\frac{3}{4} == {3 \over 4}
\frac{3}{4} == \sfrac{3}{4}
\frac{3}{4} == ¾
2\frac{3}{4} == 2¾
137\frac{1}{2} == 137.5
-3\frac12 == -3.5
0.\overline{3} == \frac13
0.1\overline{6} == 1/6
2.\overline{54} == \frac{28}{11}
\frac{1}{2} != \frac{1}{3}
\frac{1}{2} != 2
\frac{1}{23} != \frac{12}{3}
\frac{a}{b} != \frac{b}{a}
\frac{14}{3} != 14\frac{1}{3}
1/3 != 0.333333
\frac13 != 0.33333333333333333333333333333333
0.\overline{3} != 0.\overline{4}
0.\overline{1} != 0.\overline{2}
0.\overline{12} != 0.1\overline{2}
\frac{2}{3} != \frac{-2}{3}
1\frac{1}{2} != \frac12
\frac{x+1}{2} != \frac{x}{2}+1
""",
    "numbers": r"""
18 == 18.0
18 == 18.
42 == 42.
42 == +42
42 == $42$
42 == \(42\)
42 == **42**
42 == {42}
42 == (42)
42 == = 42
42 == \mathbf{42}
42 == \text{42}
070 == 70
70 == 070
025 == 25
27.0 == 27
10000 == 10\,000
10\,000 == 10000
10000 == 10,000
10000 == 10{,}000
10000 == 10 000
10,080 == 10,\!080
11111111100 == 11,\! 111,\! 111,\! 100
1234567.5 == 1,234,567.50
-5 == −5
0.5 == .5
0.50 == 0.5
1000 == 10^3
1000 == 10^{3}
3.83e35 == 3.83 \times 10^{35}
3.83e35 == 3.83\cdot10^{35}
3.83e35 == 3.83E35
3.83e35 == 3.83e+35
3.83e35 == 38.3 \times 10^{34}
3e8 == 300000000
4.5e33 == 4.5e33 \text{ erg/s}
1e-3 == 0.001
1e-3 == 10^{-3}
1e-3 == \frac{1}{1000}
0.001 == 1e-3
2.7778e-6 == 2.7778 \times 10^{-6}
5 == five
5 == \text{five}
120 == 5!
1024 == 2^{10}
2^{2010} == 4^{1005}
7 == 3+4
6 == 2(3)
6 == (2)(3)
30 == 10 \cdot 3
1.5 == 2\left(\frac34\right)
5 == \sqrt{25}
-2 == -(2)
3 == |-3|
10 == \binom{5}{2}
55 == \sum_{k=1}^{10} k
1000000 == 10^{6}
16 == 2**4
100000 != 99999
100000 != 100001
10000 != 10001
3158.9 != 3159
1 != 1.0000000001
1 != 1.000000000000000000000000000001
1 != 0.999999999999999999999999
1234 != 12,34
12 != 1200
12 != 0.12
5 != 2(3)
1.2 != 12
12 != 1 2
3.83e35 != 3.83e34
3.83e35 != 3.83
3.83e35 != 3.83e-35
1e-10 != 2e-10
1e-30 != 0
6.6e-34 != 6.7e-34
2.5\times 10^{-10} != 2.6\times 10^{-10}
2^{2010} != 4^{1006}
10^{200} != 10^{200}+1
5 != -5
5 != 5!
5 != 50
0 != 0.0001
7 != 07.1
123456789123456789 != 123456789123456788
3 != \infty
2 != two hundred
5 != six
0 != \emptyset
10 != 1e10
1,234 != 1.234
""",
    "radicals, powers, trigonometry": r"""
11\sqrt2 == 11\sqrt{2}
11\sqrt2 == 11 \sqrt 2
3\sqrt{13} == \sqrt{117}
\sqrt{51} == 51^{1/2}
\sqrt{51} == sqrt(51)
\sqrt{51} == √51
\frac{\sqrt{3}}{3} == \frac{1}{\sqrt{3}}
\frac{\sqrt{3}}{3} == sqrt(3)/3
1+\sqrt2 == \sqrt{3+2\sqrt{2}}
2\sqrt{5} == \sqrt{20}
\sqrt[3]{16} == 2\sqrt[3]{2}
2 == \sqrt[3]{8}
-\frac{\pi}{6} == -\pi/6
288\pi == 288 π
18+2\pi == 2\pi + 18
2\pi k == 2k\pi
\frac{\pi}{4} == pi/4
\frac{\pi}{4} == 0.25\pi
\frac12 == \cos 60^\circ
\frac12 == \sin 30^{\circ}
\frac12 == \sin\left(\frac{\pi}{6}\right)
-1 == e^{i\pi}
-1 == \cos\pi
\frac{\pi}{4} == \arctan 1
\frac{\pi}{4} == \tan^{-1}(1)
np.arcsin(10/13) == \arcsin\frac{10}{13}
\arcsin(10/13) == \sin^{-1}(10/13)
\cot x == \frac{\cos x}{\sin x}
\sin^2 x == 1-\cos^2 x
\sin 2x == 2\sin x\cos x
\sin(2x) == sin(2x)
\tan 2x == \frac{2\tan x}{1-\tan^2 x}
2 == \log 100
3 == \log_2 8
3 == \log_{2}(8)
1 == \ln e
\ln 8 == 3\ln 2
e^{t}/3 == \frac{e^t}{3}
e^{-2t} == \exp(-2t)
e^{-2t} == \frac{1}{e^{2t}}
\frac{1}{2a}(\exp{a*t} - \exp{-a*t}) == \frac{e^{at}-e^{-at}}{2a}
x^{3/2} == x\sqrt{x}
5^{-1} == 0.2
\sqrt2 != 1.41421356
\sqrt2 != \sqrt{2}+10^{-30}
\sqrt2 != \sqrt{2}+10^{-100}
\sqrt2 != \sqrt3
\sqrt{x^2} != x
\sqrt[3]{2} != \sqrt{2}
3\sqrt{2} != \sqrt[3]{2}
2\sqrt{3} != 3\sqrt{2}
\pi != 3.14159
\pi != 22/7
\pi != 3.14159265358979323846264338327950288
e != 2.718281828
10^{-20}\pi != 2\cdot10^{-20}\pi
\sin x != \cos x
\sin x != \sin y
\sin^2 x != \sin x^2
\cos 60^\circ != \cos 60
\log 2 != \ln 2
\log_2 3 != \log_3 2
e^{x} != e^{-x}
2^{x} != x^2
x^{-1} != -x
""",
    "units": r"""
18 == 18 dollars
18 == \$18
18 == \$18.00
18 == 18\text{ dollars}
\$18.90 == 18.90
\$36 == 36 \text{ dollars}
18 dollars == 18
5.4 \text{ cents} == 5.4
5 == 5 cm
5 == 5\text{ cm}
5 == 5\mathrm{~cm}
5\text{ cm} == 5
5\text{ cm} == 5 \, \text{centimeters}
5\text{ cm} == 5.0 \mathrm{cm}
15\mbox{ cm}^2 == 15
15\mbox{ cm}^2 == 15\text{ cm}^2
864 \mbox{ inches}^2 == 864\text{ square inches}
864 \mbox{ inches}^2 == 864 \text{ in}^2
\frac{270}7\text{ degrees} == \frac{270}{7}^\circ
90^\circ == 90
90^\circ == 90°
90^\circ == 90 \text{ degrees}
90 == 90^{\circ}
45 == 45°
\frac{\pi}{2} == 90^\circ
12\pi == 12\pi \text{ cm}^2
\sqrt{2}\text{ m} == \sqrt2
5\text{ m/s} == 5 \text{ m}/\text{s}
5\text{ m/s} == 5 \text{ meters per second}
60 == 60 \text{ mph}
7 == 7 apples
3 == 3\text{ hours}
3 == 3 \text{ red balls}
10\text{ AM} == 10 \text{ a.m.}
5000000 == 5 \text{ million}
5 \text{ million} == 5{,}000{,}000
2.5\text{ billion dollars} == 2.5\times 10^9
5\text{ cm} != 5\text{ m}
5\text{ cm} != 5\text{ cm}^2
5 cm != 5 km
5\text{ cm} != 6\text{ cm}
18 \text{ dollars} != 18\text{ cents}
\$18 != 18 \text{ euros}
5 != 5 \text{ million}
5 \text{ million} != 5\text{ billion}
10\text{ AM} != 10\text{ PM}
90^\circ != 90\text{ radians}
90^\circ != \pi
91^\circ != \frac{\pi}{2}
45^\circ != 54^\circ
3\text{ hours} != 3\text{ minutes}
5 != 5 factorial
25 != 5 squared plus
3 != 3\text{ dozen}
5\text{ m/s} != 5\text{ km/h}
7m != 7n
7m != 7
2x\text{ cm} != 2y\text{ cm}
""",
    "percent": r"""
50\% == 50%
50\% == 50
50\% == 0.5
50\% == \frac12
62.5 == 62.5\%
25 == 25 \text{ percent}
0.25 == 25\%
\frac14 == 25\%
50\% != 5\%
50\% != 5
50\% != 5000
0.5 != 0.5\%
1 != 1\%
62.5 != 0.625\%
25\% != 25\text{ cm}
25\% != 0.0025
""",
    "expressions": r"""
p - q == -q + p
2k+2 == 2(k+1)
x^2-1 == (x-1)(x+1)
(a+5)(b+2) == ab+2a+5b+10
x^5 - x^4 + x^3 - x^2 + x - 1 == (x-1)(x^4+x^2+1)
6r^2-4r-24 == 2(3r^2-2r-12)
8n^2 + 4n + 1 == 4n(2n+1)+1
5r^5 == 5 \cdot r^{5}
3R^2 == 3R^{2}
\frac{11+9a}{20} == \frac{9a+11}{20}
x(x+1) == x^2+x
x^2+y^2 == y^2 + x^2
\frac{x^2-1}{x-1} == x+1
(x+y)^3 == x^3+3x^2y+3xy^2+y^3
2.5x == \frac{5}{2}x
2\frac12 x == 2.5x
0.\overline{3}x == \frac{x}{3}
|x-1| == |1-x|
n! == n(n-1)!
2^{n+1} == 2\cdot2^n
x_1 + x_2 == x_2+x_1
C_1 e^t + C_{2} e^{-t} == C_{1}e^{t}+C_2e^{-t}
I(0) e^{-\frac{t}{R C}} == I(0)e^{-t/(RC)}
\frac{1}{L C s^{2}+R C s+1} == \frac{1}{1+RCs+LCs^2}
\frac{K-1}{L} == \frac{K}{L}-\frac{1}{L}
\lambda_{\text {red}} / \sqrt{2} == \frac{\lambda_{\text{red}}}{\sqrt{2}}
\frac{2 \pi c^{2}}{\lambda^{5}\left[e^{h c /(\lambda k T)}-1\right]} == \frac{2\pi c^2}{\lambda^5}\cdot\frac{1}{e^{\frac{hc}{\lambda kT}}-1}
m_{p} c^{2}\left(\gamma^{2}-1\right) == m_p c^2(\gamma-1)(\gamma+1)
x_{0} \cos (\omega t) == x_0\cos(\omega t)
\frac12 == \int_0^1 x\,dx
abc == cba
x**2 == x^2
2*x == 2x
R != r
3R^2 != 3r^2
AB != ab
x != y
2x != 2y
2x != x^2
x^2 != x^3
x^2 != x^2+0.0001
x+1 != x-1
|x| != x
xy != x+y
x_1 != x_2
x_1 != x
y' != y
y'' != y'
a-b != b-a
(x+1)^2 != x^2+1
x^3+3x-6 != x^3+3x-5
\gamma != \Gamma
f(x) != g(x)
f(x) != f(y)
\frac{dy}{dx} != \frac{dx}{dy}
\frac{d x}{d t} != 0
I != i
E_1 != E_2
2x+1 != 1
e^{t} != e^{2t}
\alpha != a
x! != x
\lfloor x\rfloor != \lceil x\rceil
""",
}
