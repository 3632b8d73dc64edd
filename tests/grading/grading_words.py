r"""Pairs of gold and answer about words, choices, vectors and letters of several kinds; see grading_cases.py."""

#: Kind -> one pair a line.
WORDS = {
    "ordinals, words, choices": r"""
5^{\text{th}} == 5
5 == 5^{\text{th}}
5 == 5^{th}
5 == 5\text{th}
5 == 5th
5^{\text{th}} == 5\text{th}
5^{\text{th}} == \text{fifth}
5\text{th} == \text{fifth}
\text{fifth} == 5^{\text{th}}
\text{third} == 3^{\text{rd}}
21^{\text{st}} == 21\text{st}
22^{\text{nd}} == 22
1^{\text{st}} == \text{first}
\text{first} == 1st
5^{\text{th}} != 6
5^{\text{th}} != 6^{\text{th}}
5^{\text{th}} != \text{sixth}
5^{\text{th}} != \frac15
\text{fifth} != \frac15
\text{fifth} != 6^{\text{th}}
\frac15 != \text{fifth}
21^{\text{st}} != 22^{\text{nd}}
5^{\text{th}} != 5^t
3 != 5^{th}
\text{third} != \frac13
\text{first} != \text{second}
\text{no solutions} == \text{no solution}
\text{no solution} == \text{no solutions}
\text{no solution} == \text{No solutions}
\text{no solution} == \text{No solution exists}
\text{no solution} == \text{There are no solutions}
\text{no solution} == \text{There is no solution.}
\text{no solutions} == no solution
\text{no solutions} == \emptyset
\text{no solutions} == \varnothing
\text{no solutions} == \{\}
\emptyset == \text{no solutions}
\emptyset == \text{no solution}
\text{no solutions} == \text{none}
\text{no real solutions} == \text{no real solution}
\text{does not exist} == \text{DNE}
\text{infinitely many solutions} == \text{infinitely many}
\text{all real numbers} == \mathbb{R}
(-\infty,\infty) == \text{all real numbers}
\text{all real numbers} == (-\infty,\infty)
\text{ellipse} == \text{an ellipse}
\text{ellipse} == \text{The ellipse}
\text{no solutions} != 0
\text{no solutions} != \text{one solution}
\text{no solutions} != \text{infinitely many solutions}
\text{no solutions} != \text{two solutions}
\text{no solutions} != \text{solutions}
\text{no solutions} != \{0\}
\text{no solutions} != \text{no}
\text{no solutions} != \text{yes}
\text{no solutions} != \mathbb{R}
\text{no solutions} != x=0
\text{no solutions} != \text{all real numbers}
\text{one solution} != \text{no solution}
\emptyset != \text{infinitely many solutions}
0 != \text{no solutions}
1 != \text{one solution exists}
\text{all real numbers} != \text{no real numbers}
\text{all real numbers} != \text{all integers}
\text{all real numbers} != (0,\infty)
\text{infinitely many} != \text{finitely many}
C == c
C == (c)
C == \text{c}
C == \text{(c)}
C == c)
C == c.
C == \mathbf{c}
\text{(C)} == (c)
\text{(C)} == c
B == \text{option b}
A, C == a, c
C != d
C != (d)
C != (b)
C != cd
C != cc
C != 2c
C != \text{car}
A != b
\text{(C)} != (e)
A != a^2
A, C != a, b
c != C
x != X
R != r
AB != ab
I != i
12^{\text{th}} == 12\text{th}
12^{\text{th}} == \text{twelfth}
12^{\text{th}} == 12^{th}
12^{\text{th}} == 12
3^{\text{rd}} == 3rd
3^{\text{rd}} == \text{third}
\text{2nd} == \text{second}
\text{second} == 2^{\text{nd}}
\text{third} == \text{3rd}
100^{\text{th}} == 100th
12^{\text{th}} != 11^{\text{th}}
12^{\text{th}} != 20\text{th}
12^{\text{th}} != \text{second}
3^{\text{rd}} != \frac{1}{3}
\text{third} != \text{second}
\text{tenth} != 0.1
\text{no solution} == \text{The equation has no solutions.}
\text{no solution} == \text{no solution exists}
\text{no solutions} == \text{the empty set}
\text{No solution} == \text{None}
\text{no solutions} == \text{no roots}
\text{infinitely many} == \text{infinitely many solutions}
\text{infinitely many solutions} == \text{infinite solutions}
\text{undefined} == \text{Undefined}
\text{DNE} == \text{Does not exist}
\text{no solutions} != \text{a solution}
\text{no solutions} != \text{many solutions}
\text{no solutions} != \infty
\text{no solutions} != \text{not sure}
\text{no solutions} != 1
\text{no solution} != \text{unique solution}
\text{infinitely many} != \infty
\text{infinitely many} != \text{no solutions}
\text{DNE} != 0
B == (b)
B == b)
B == \text{b}
B == \textbf{(b)}
D == d
D == \text{Option d}
D == \mathrm{d}
\text{(A)} == \text{(a)}
\text{(A)} == a
B != a
B != \beta
B != bb
B != (b,c)
D != \text{dog}
D != dx
\text{(A)} != \text{(b)}
A != 4a
2 != 2\text{nd power}
""",
    "letters of several kinds": r"""
\frac{\vec a+\vec b}{2} == \frac{\vec{a}+\vec{b}}{2}
\frac{\vec a+\vec b}{2} == \frac{1}{2}(\vec a+\vec b)
\frac{\vec a+\vec b}{2} == \frac{\vec b+\vec a}{2}
\frac{\vec a+\vec b}{2} == \frac{1}{2}\vec{a}+\frac{1}{2}\vec{b}
\frac{\vec{a}+\vec{b}}{2} == \frac12\vec a+\frac12\vec b
\vec a == \vec{a}
2\vec a-\vec b == 2\vec{a}-\vec{b}
\vec{AB} == \overrightarrow{AB}
\overrightarrow{AB} == \overrightarrow{AB}
\frac{\vec a+\vec b}{2} != \frac{\vec a-\vec b}{2}
\frac{\vec a+\vec b}{2} != \frac{\vec a+\vec c}{2}
\frac{\vec a+\vec b}{2} != \vec a+\vec b
\frac{\vec a+\vec b}{2} != \frac{\vec a}{2}+\vec b
\vec a != \vec b
\vec a != -\vec a
\overrightarrow{AB} != \overrightarrow{BA}
\overrightarrow{AB} != \overrightarrow{AC}
\vec a != 2\vec a
\operatorname{cis}\theta == \cos\theta+i\sin\theta
\operatorname{cis}\theta == \text{cis }\theta
\operatorname{cis}\theta == \mathrm{cis}(\theta)
\operatorname{cis}\theta == e^{i\theta}
2\operatorname{cis}60^\circ == 1+\sqrt3 i
2\operatorname{cis} 60^\circ == 2\operatorname{cis}\frac{\pi}{3}
2\operatorname{cis}\frac{\pi}{3} == 1+i\sqrt{3}
2\operatorname{cis}\left(\frac{\pi}{3}\right) == 2e^{i\pi/3}
2\operatorname{cis}\left(\frac{\pi}{3}\right) == 2(\cos 60^\circ + i\sin 60^\circ)
1+i\sqrt3 == 2\,\text{cis}\,\frac{\pi}{3}
1+i\sqrt3 == 2\text{cis}(60^\circ)
1+i\sqrt3 == 2 cis(pi/3)
i == \operatorname{cis} 90^\circ
i == \operatorname{cis}(\pi/2)
-1 == \operatorname{cis}\pi
\operatorname{cis}\theta != \cos\theta-i\sin\theta
\operatorname{cis}\theta != \operatorname{cis}(-\theta)
\operatorname{cis}\theta != \cos\theta
2\operatorname{cis}60^\circ != 2\operatorname{cis}30^\circ
2\operatorname{cis}60^\circ != \operatorname{cis}60^\circ
2\operatorname{cis}60^\circ != 2\operatorname{cis}120^\circ
2\operatorname{cis}\frac{\pi}{3} != 2\operatorname{cis}\frac{\pi}{6}
2\operatorname{cis}\frac{\pi}{3} != \sqrt3+i
1+i\sqrt3 != 2\operatorname{cis}(-60^\circ)
i != \operatorname{cis}\pi
\frac{\vec{u}+\vec{v}}{3} == \frac{\vec u+\vec v}{3}
\frac{\vec u+\vec v}{3} == \frac13\vec u+\frac13\vec v
\vec a\cdot\vec b == \vec b\cdot\vec a
3\vec{i}-2\vec{j} == 3\vec i - 2\vec j
\frac{2\vec a+\vec b}{3} == \frac{2}{3}\vec a+\frac{1}{3}\vec b
\overrightarrow{AB}+\overrightarrow{BC} == \overrightarrow{BC}+\overrightarrow{AB}
\bar x == \bar{x}
\hat p == \hat{p}
\vec\alpha == \vec{\alpha}
\frac{\vec u+\vec v}{3} != \frac{\vec u+\vec v}{2}
\frac{\vec u+\vec v}{3} != \frac{\vec u}{3}+\vec v
\vec a != a
3\vec{i}-2\vec{j} != 2\vec i-3\vec j
\hat p != p
\bar x != \hat x
4\operatorname{cis}\frac{\pi}{6} == 2\sqrt3+2i
4\operatorname{cis}\frac{\pi}{6} == 4\left(\cos\frac{\pi}{6}+i\sin\frac{\pi}{6}\right)
4\operatorname{cis}\frac{\pi}{6} == 4e^{i\pi/6}
4\operatorname{cis}\frac{\pi}{6} == 4\operatorname{cis}30^\circ
4\operatorname{cis}\frac{\pi}{6} == 4 \text{cis} \frac{\pi}{6}
4\operatorname{cis}\frac{\pi}{6} == 4\,\mathrm{cis}\left(\frac{\pi}{6}\right)
4\operatorname{cis}\frac{\pi}{6} == 4\operatorname{cis}\frac{13\pi}{6}
4\operatorname{cis}\left(-\frac{\pi}{6}\right) == 2\sqrt3-2i
2\sqrt3+2i == 4\operatorname{cis}(30^\circ)
\operatorname{cis}\frac{\pi}{3}, \operatorname{cis}\pi == -1, \operatorname{cis}60^\circ
\operatorname{cis}(\alpha+\beta) == \operatorname{cis}\alpha\operatorname{cis}\beta
4\operatorname{cis}\frac{\pi}{6} != 4\operatorname{cis}\frac{\pi}{3}
4\operatorname{cis}\frac{\pi}{6} != 4\operatorname{cis}\frac{-\pi}{6}
4\operatorname{cis}\frac{\pi}{6} != 2\operatorname{cis}\frac{\pi}{6}
4\operatorname{cis}\frac{\pi}{6} != 2+2\sqrt3i
4\operatorname{cis}\frac{\pi}{6} != 4\cos\frac{\pi}{6}
4\operatorname{cis}30^\circ != 4\operatorname{cis}30
""",
    "vectors": r"""
\begin{pmatrix}1\\-2\\3\end{pmatrix} == (1,-2,3)^T
(1,-2,3)^T == \begin{pmatrix}1\\-2\\3\end{pmatrix}
(1,-2,3)^T == \begin{bmatrix}1\\-2\\3\end{bmatrix}
(1,-2,3)^T == (1,-2,3)^{T}
(1,-2,3)^T == (1,-2,3)^\top
(1,-2,3)^T == (1,-2,3)^{\mathsf T}
(1,-2,3)^T == (1,-2,3)^{\text{T}}
(1,-2,3)^T == (1,-2,3)^{\mathrm{T}}
(1,-2,3)^T == [1,-2,3]^T
(1,-2,3)^T == \begin{pmatrix}1&-2&3\end{pmatrix}^T
(1,-2,3)^T == (1,-2,3)
(1,-2,3) == (1,-2,3)^T
(1,-2,3) == \begin{pmatrix}1\\-2\\3\end{pmatrix}
\begin{pmatrix}1\\-2\\3\end{pmatrix} == (1,-2,3)
\begin{pmatrix}1\\-2\\3\end{pmatrix} == \begin{pmatrix}1&-2&3\end{pmatrix}^\top
\begin{pmatrix}1\\-2\\3\end{pmatrix} == \langle 1,-2,3\rangle
\left(\frac12,3\right)^T == \begin{pmatrix}0.5\\3\end{pmatrix}
\begin{pmatrix}1&2\\3&4\end{pmatrix}^T == \begin{pmatrix}1&3\\2&4\end{pmatrix}
\begin{pmatrix}1&3\\2&4\end{pmatrix} == \begin{pmatrix}1&2\\3&4\end{pmatrix}^T
(1,-2,3)^T != (1,2,3)^T
(1,-2,3)^T != (3,-2,1)^T
(1,-2,3)^T != (-2,1,3)^T
(1,-2,3)^T != (1,-2)^T
(1,-2,3)^T != (-1,2,-3)^T
(1,-2,3)^T != \begin{pmatrix}1\\2\\3\end{pmatrix}
(1,-2,3)^T != \begin{pmatrix}3\\-2\\1\end{pmatrix}
(1,-2,3)^T != \begin{pmatrix}1&-2&3\end{pmatrix}
(1,-2,3)^T != \{1,-2,3\}
(1,-2,3)^T != 1,-2,3
(1,-2,3)^T != 2
(1,-2,3) != (1,3,-2)^T
\begin{pmatrix}1\\-2\\3\end{pmatrix} != \begin{pmatrix}1&-2&3\end{pmatrix}
\begin{pmatrix}1\\-2\\3\end{pmatrix} != (3,-2,1)
\begin{pmatrix}1&2\\3&4\end{pmatrix}^T != \begin{pmatrix}1&2\\3&4\end{pmatrix}
\begin{pmatrix}1&2\\3&4\end{pmatrix} != (1,2,3,4)
\begin{pmatrix}1&2\\3&4\end{pmatrix} != (1,2,3,4)^T
A^T != A
(2,0,-1)^T == \begin{pmatrix}2\\0\\-1\end{pmatrix}
(2,0,-1)^T == \begin{bmatrix} 2 \\ 0 \\ -1 \end{bmatrix}
(2,0,-1)^T == \begin{bmatrix} 2 & 0 & -1 \end{bmatrix}^T
(2,0,-1)^T == [2, 0, -1]^T
(2,0,-1)^T == (2,0,-1)
(2,0,-1)^T == (2, 0, -1)^{\top}
(2,0,-1)^T == \langle 2,0,-1\rangle
(2,0,-1) == (2,0,-1)^{\mathrm T}
\begin{pmatrix}2\\0\\-1\end{pmatrix} == \left(2,0,-1\right)^T
\begin{bmatrix}2\\0\end{bmatrix} == \left[2,\ 0\right]^{\mathsf{T}}
\begin{pmatrix}2\\0\\-1\end{pmatrix} == \begin{array}{c}2\\0\\-1\end{array}
\begin{pmatrix}x\\y\end{pmatrix} = \begin{pmatrix}1\\2\end{pmatrix} == \begin{pmatrix}1\\2\end{pmatrix}
(2,0,-1)^T != (2,0,1)^T
(2,0,-1)^T != (0,2,-1)^T
(2,0,-1)^T != (2,-1)^T
(2,0,-1)^T != (-2,0,1)
(2,0,-1)^T != \begin{pmatrix}2&0&-1\end{pmatrix}
(2,0,-1)^T != \begin{pmatrix}-1\\0\\2\end{pmatrix}
(2,0,-1)^T != 2
(2,0,-1) != (2,0,-1)^2
[2,3] != (2,3)^T
[2,3] != \begin{pmatrix}2\\3\end{pmatrix}
e^T != e
2^T != 2
x^T != x
""",
}
