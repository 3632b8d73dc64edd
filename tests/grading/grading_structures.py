r"""Pairs of gold and answer about intervals, sets, matrices, text and tricks; see grading_cases.py."""

#: Kind -> one pair a line.
STRUCTURES = {
    "complex": r"""
6 - 5i == -5i+6
6+9i == 9i + 6
1+274i == 274i+1
1+\sqrt{3} i == 1+i\sqrt{3}
\ln 2 + i\pi / 3 == \frac{i\pi}{3} + \ln 2
\frac{1-i}{2} == \frac{1}{1+i}
-1 == i^2
2i == \sqrt{-4}
-2+2 \sqrt{3} i == 4e^{2\pi i/3}
\frac{e^{2 i t}}{2+2 i} == \frac{(1-i)e^{2it}}{4}
6 - 5i != 6+5i
6-5i != 5-6i
2i != 2
i != 1
1+2i != 2+i
""",
    "bases": r"""
52_8 == 52_8
52_8 == 52_{8}
52_8 == 52_{\text{eight}}
2516_8 == 2516
4210_{5} == 4210_5
52_8 != 52_9
52_8 != 53_8
42 != 52_8
40_9 != 36_9
""",
    "intervals": r"""
(3,4] == \left(3,4\right]
(3,4] == (3, 4.0]
(2,\infty) == (2, +\infty)
(2,\infty) == x>2
(-\infty, 0] == (-\infty,0]
(-\infty, 0] == x \le 0
x \in [-2,7] == [-2,7]
x \in [-2,7] == -2 \le x \leq 7
-2 \leq x \leq 7 == [-2,7]
7 \ge x \ge -2 == [-2,7]
x > 3 == 3 < x
x > 3 == (3,\infty)
(0,9) \cup (9,36) == (9,36)\cup(0,9)
(-\infty, 2) \cup (3, \infty) == x<2 \text{ or } x>3
(-\infty,-1]\cup[1,\infty) == x \le -1 \text{ or } x \ge 1
[1,3] == [1,2]\cup[2,3]
\left(\frac{3}{5},\frac{8}{3}\right] == (0.6, 8/3]
\left[ \frac{\pi^2}{8}, \frac{5 \pi^2}{4} \right] == [\pi^2/8, 5\pi^2/4]
(-\sqrt{3}, \sqrt{3}) == \left(-\sqrt3,\sqrt3\right)
(-\infty,2)\cup(2,\infty) == \mathbb{R}\setminus\{2\}
(-\infty,\infty) == \mathbb{R}
(3,4] != (3,4)
(3,4] != [3,4]
(3,4] != [3,4)
[1,2] != (1,2)
(2,\infty) != [2,\infty)
(2,\infty) != (-\infty,2)
x > 3 != x \ge 3
x > 3 != x < 3
x > 3 != y > 3
x > -1 != x < -1
-2 \leq x \leq 7 != -2 < x \leq 7
(0,9) \cup (9,36) != (0,36)
(0,9)\cup(9,36) != (0,9)
[1,2] != \{1,2\}
[1,2] != [2,1]
[1,2] != 1,2
(-\infty,2) != (-\infty,3)
(-\infty,2)\cup(3,\infty) != (2,3)
""",
    "sets and lists": r"""
1,-2 == -2,1
1,-2 == -2, 1
1,-2 == 1 \text{ and } -2
1,-2 == 1 or -2
1,-2 == \{1,-2\}
1,-2 == x=1, x=-2
1,-2 == x=1 \text{ or } x=-2
3, 5, 7 == 7,5,3
3, 5, 7 == \{3,5,7\}
3, 5, 7 == 3, 5, \text{ and } 7
\{1,2\} == \{2,1\}
\{1,2\} == \left\{1, 2\right\}
\{1,2\} == \lbrace 2, 1\rbrace
\{5\} == 5
1 \pm \sqrt{19} == 1+\sqrt{19}, 1-\sqrt{19}
3 \pm 2 \sqrt{2} == 3-2\sqrt2, 3+2\sqrt2
\pm 3 == 3,-3
\pm 3 == -3, 3
\{1\pm\sqrt{5},-2\} == \{-2, 1-\sqrt{5}, 1+\sqrt{5}\}
x = \pm 2 == x=2, x=-2
\frac13, \frac12 == 0.5, \frac13
\emptyset == \varnothing
\emptyset == \{\}
\emptyset == ∅
E_{1},E_{2} == E_1, E_2
A, C == C, A
1,-2 != 1,2
1,-2 != 1
1,-2 != -2
3, 5, 7 != 3, 5
3, 5, 7 != 3, 5, 8
3,5 != 35
\{1,2\} != \{1,2,3\}
\{1,2\} != (1,2)
\{1,2\} != [1,2]
\emptyset != \{0\}
\emptyset != 0
\pm 3 != 3
\pm 3 != -3
1 \pm \sqrt{19} != 1+\sqrt{19}
2,3 != 2.3
\{1,2\} != \{1\}
1,1 != 1
1,2,2 != 1,1,2
""",
    "tuples and matrices": r"""
\left( 3, \frac{\pi}{2} \right) == (3, \pi/2)
\left( 3, \frac{\pi}{2} \right) == (3,0.5\pi)
(6,31,-1) == \left(6, 31, -1\right)
(6,31,-1) == ( 6 , 31 , -1 )
(1,-16,-4,43) == (1, -16, -4, 43)
(-2,1) == (-2, \; 1)
(-2,1) == \langle -2, 1\rangle
(x,y) = (1,2) == (1,2)
\left( \frac{3}{2}, -13 \right) == (1.5,-13)
(\pm 3, 0) == (3,0),(-3,0)
(1,2),(3,4) == (3,4),(1,2)
\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} == \begin{bmatrix} 1&2\\3&4 \end{bmatrix}
\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} == \left[\begin{matrix} 1&2\\3&4\end{matrix}\right]
\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} == \begin{pmatrix}1&2\\[2pt]3&\frac{8}{2}\end{pmatrix}
\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} == \left(\begin{array}{cc}1&2\\3&4\end{array}\right)
\begin{pmatrix} -1/3 \\ 2/3 \\ 5/3 \end{pmatrix} == \begin{pmatrix} -\frac13 \\ \frac23 \\ \frac53 \end{pmatrix}
-2 == \begin{vmatrix}1&2\\3&4\end{vmatrix}
(3,1) != (5,2)
(3,1) != (1,3)
(1,2) != (1,2,3)
(1,2) != \{1,2\}
(1,2) != 12
(1,2) != [1,2]
(1,2) != 2,1
(1,2),(3,4) != (1,2),(3,5)
(1,2),(3,4) != (1,2)
\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} != \begin{pmatrix} 1 & 3 \\ 2 & 4 \end{pmatrix}
\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} != \begin{vmatrix} 1 & 2 \\ 3 & 4 \end{vmatrix}
\begin{pmatrix} 1 & 2 \end{pmatrix} != \begin{pmatrix} 1 \\ 2 \end{pmatrix}
\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} != \begin{pmatrix} 1 & 2 \end{pmatrix}
\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} != -2
""",
    "equations": r"""
x=5 == 5
5 == x=5
5 == x = 5.
5 == 5 = x
5 == x \approx 5
5 == m\angle ABC = 5^\circ
5 == \text{Area} = 5
5 == x = 2+3 = 5
5 == 2+3=5
y = 2x + 3 == 2x+3
y = 2x + 3 == y=3+2x
y = 2x + 3 == 2x - y + 3 = 0
y = 2x + 3 == y-2x=3
y = -2x == y+2x=0
5x - 7y + 11z + 4 = 0 == -5x+7y-11z-4=0
5x - 7y + 11z + 4 = 0 == 10x-14y+22z+8=0
x^2+y^2=1 == y^2 = 1-x^2
f(x)=x^2 == x^2
x^2 == f(x) = x^2
\frac{d x}{d t}=k x-a == \frac{dx}{dt} = -a+kx
y^{\prime}+r y-r x(t)=0 == y' = r x(t) - r y
m \frac{d v}{d t}+b v=f == b v + m\frac{dv}{dt} = f
m l \ddot{\theta}(t)-m g \sin \theta(t)=f(t) \cos \theta(t) == m l \ddot{\theta}(t)=m g\sin\theta(t)+f(t)\cos\theta(t)
X_{d}=125-1.25 P == X_d = 125 - \frac{5}{4}P
MR=SRMC == SRMC = MR
2x+y<3 == y < 3-2x
x \neq 2 == x\ne2
x=5 != y=5
x=5 != x=6
x=5 != 6
1 != 9=1
9 != 3
6 != 2x=6
y = 2x + 3 != y = 2x - 3
y = 2x + 3 != x = 2y+3
y = 2x + 3 != 2x+4
x^2+y^2=1 != x^2+y^2=4
f(x)=x^2 != g(x)=x^2
\frac{dM}{dt}=1 != \frac{dM}{dt}=2
e^x=0 != \sqrt{x}=-1
y''+y=0 != y'+y=0
x+1=2 != x+1=3
2x+y<3 != y > 3-2x
x=y != 5
5 != x=y
x = 1, y = 2 != x = 2, y = 1
x^2 = 4 != x^3 = 8
""",
    "text": r"""
\text{Evelyn} == Evelyn
\text{Evelyn} == \textbf{evelyn}
\text{Evelyn} == \mathrm{Evelyn}
\text{east} == East
\text{even} == even
\text{ellipse} == \text{ ellipse }
\text{ellipse} == ellipse.
Yes == \text{yes}
\text{no} == no
\text{Monday} == Monday
\text{two real roots} == \text{Two real roots}
\infty == infinity
\text{Evelyn} != Angela
\text{east} != \text{west}
east != seat
\text{no} != on
no != on
\text{yes} != \text{no}
listen != silent
\text{cat} != \text{act}
\text{even} != odd
\text{even} != \text{even or odd}
\text{ellipse} != \text{hyperbola}
\text{odd} != 3
5 != \text{not }5
7 != \text{the answer}
\infty != -\infty
x != \text{none}
""",
    "choices": r"""
C == (C)
C == C.
C == C)
C == \text{(C)}
C == \textbf{(C)}
C == \mathrm{C}
C == C) 5
C == (C) 5
C == \textbf{(C)}\ 12
C == C. Paris
C == (C) \text{Paris}
C == \text{Option C}
\text{(C)} == C
\text{(C)} == \textbf{(C)}
\text{(E)} == (E)
5 == (A) 5
5 == A) 5
5 == \textbf{(A)}\ 5
\frac12 == (B) \frac{1}{2}
C != D
C != (B)
C != A, C
C != A and C
C != C or D
C != CD
C != (B) C
\text{(C)} != (E)
\text{(B)} != D) 7
5 != (A) 6
A != 5
A != A:B
B != 8
""",
    "adversarial": r"""
5 != 5, but maybe 6
5 != 5 or 6
5 != 3, 4, 5, 6
5 != 5 \neq 6 = 7
5 != \text{any number}
5 != x
5 != \{1,2,3,4,5,6\}
5 != [0,10]
5 != 0 < x < 10
5 != \frac{5}{0}
5 != \frac{0}{0}
5 != \infty
5 != 5 = 6
5 != 6 = 5
5 != \pm 5
5 != 5x
5 != 5_{6}
5 != 5^{}5
5 != \sqrt{}
x^2 != x^2 = x^3
\frac{1}{2} != \frac{1}{2}, \frac{1}{3}
""",
    "further": r"""
28\% == 28 pct
28\% == 28 \text{ percentage}
1000.99 == 1,000.99€
28/100 != 28
1 != -[0,1)
f(2) < f(1) < f(4) == f(2)<f(1)<f(4)
x = 11 == x = 5+5+1 = 11
\frac13 == x=1/3\approx0.3
7 = 11a+c != 11a+c
x < 1 == -x > -1
x^2/4 + y^2/3 = 1 == x^2/16 + y^2/12 = 1/4
\{-1\} \cup [0,7) == [0,7)\cup\{-1\}
\begin{pmatrix}6\\ 8\end{pmatrix} == \begin{pmatrix}1\\2\end{pmatrix} + \begin{pmatrix}5\\6\end{pmatrix}
\frac{\sqrt{\sqrt{11}+\sqrt{194}}}{15+2\sqrt{33}} == \frac{\sqrt{\sqrt{11}+\sqrt{194}}}{2\sqrt{33}+15}
(0,\infty) == \left\{ x \mid x>0 \right\}
-1<x\leq 1 == \{x: -1<x\le 1\}
\frac{n!}{(n-2)!} == n(n-1)
(x-2)^2+(y+3)^2=25 == x^2-4x+y^2+6y-12=0
100\pi\text{ square feet} != 314.159
y''+y=0 != 0
\{1,2\} != x = 1, y = 2
(1,2) == x=1, y=2
|xy| != xy
\sqrt{x}\sqrt{y} == \sqrt{xy}
a^{b^c} != a^{bc}
3 != \infty
-1<x<1 == |x|<1
\overline{AB} == \overline{BA}
\text{CO}_2 == CO_2
5 != 5\text{ or more}
5 != 5 or more
10^\circ\text{C} != 10^\circ\text{F}
10^\circ\text{C} == 10^\circ C
20 == 20^\circ\text{C}
x^2\frac{1}{2} == \frac{x^2}{2}
x^2\frac{1}{2} != x^{5/2}
-3 == \log_2\frac{1}{8}
-3 == \log_2 \frac18
52_8+1 != 52_9+1
-x^2 != (-x)^2
\sin x^2 == \sin(x^2)
\sin x^2 != (\sin x)^2
2\frac12 x == 2.5x
3\cdot2\frac12 == 7.5
x_1^2 == x_{1}^{2}
x^2_1 == x_1^2
C^5_2 != 5
\sum_{i=1}^{3} i == 6
\sum_{i=1}^{n} i^2 == \frac{n(n+1)(2n+1)}{6}
\sum_{n=0}^{\infty} \frac{1}{2^n} == 2
\text{at least }5 != 5
10^{-3}\text{ m} != 10^{-3}\text{ s}
2 \times 10^{-3} != 2 \times 10^{3}
\sqrt{2}\cdot10^{3} == 1000\sqrt2
\bar{x} != x
x^10 == x^{10}
f^{-1}(x) != f(x)
\frac{1}{2x} != \frac{x}{2}
a^{b^c} != (a^b)^c
P(A) != P(B)
0.1 + 0.2 == 0.3
\frac{\partial f}{\partial x} != \frac{\partial f}{\partial y}
3x^2y == 3yx^2
\vec{a} != \vec{b}
\mathbf{a}\cdot\mathbf{b} == \mathbf{b}\cdot\mathbf{a}
\sec^2 x == 1+\tan^2 x
\arcsin x != \frac{1}{\sin x}
\sin^{-1}x != \frac{1}{\sin x}
\ln x^2 != (\ln x)^2
e^{2\ln x} == x^2
\text{Team A} != \text{Team B}
4x+3y-12=0 == y = 4-\frac43x
(x-1)^2+y^2=4 == x^2+y^2-2x-3=0
1 \text{ hour } 30 \text{ minutes} != 1 \text{ hour}
\frac{7}{10} \text{ of the cake} == 0.7
3 \text{ to } 2 != 3
9.8 \text{ m/s}^2 == 9.8
9.8 \text{ m/s}^2 != 9.8 \text{ m/s}
\$1.5\text{ million} == 1500000
-\$5 == -5
(2,3) \text{ and } (4,5) == (2,3), (4,5)
2 < x < 3 == (2,3)
x<3 and x>2 == 2<x<3
x>2 or x<-2 == |x|>2
[0, 2\pi) == 0 \le \theta < 2\pi
n \equiv 3 \pmod{7} != n \equiv 4 \pmod 7
\frac{1}{3}\pi r^2h == \frac{\pi r^2 h}{3}
\text{6 cm} == 6
6~\text{cm} == 6
""",
}
