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
""",
}
