r"""Pairs of gold and answer about fonts, colours, labels of answers and signs of approximation; see grading_cases.py."""
# ruff: noqa: E501 (characters as models write them)

#: Kind -> one pair a line.
TYPOGRAPHY = {
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
7 == \boldsymbol{7}
7 == {\boldsymbol 7}
7 == \textbf{7}
7 == $\mathbf{7}$
7 == \mathbf{ 7 }
7 == {\color{red}{7}}
7 == {\color{red}\mathbf{7}}
7 == \color{blue}{\boldsymbol{7}}
7 == \color[rgb]{1,0,0}{7}
7 == \textcolor[rgb]{1,0,0}{7}
7 == \color{red}7
7 == \mathbf7
7 == \textit{7}
7 == \textsf{7}
7 == {\rm 7}
7 == \emph{7}
x=7 == \mathbf{x=7}
x=7 == \boldsymbol{x = 7}
7 == \mathbf{x=7}
\frac{2}{3} == \mathbf{\dfrac{2}{3}}
\frac{2}{3} == \color{red}\frac{2}{3}
\frac{2}{3} == \color{red}{\dfrac{2}{3}}
\frac{2}{3} == \textbf{$\frac{2}{3}$}
\frac{2}{3} == \boldsymbol{\tfrac23}
\frac{2}{3} == \bf\frac{2}{3}
\frac{2}{3} == {\bf \frac{2}{3}}
\frac{2}{3} == \displaystyle\mathbf{\frac{2}{3}}
[1,2) == \mathbf{[1,2)}
\begin{pmatrix}1\\2\end{pmatrix} == \boldsymbol{\begin{pmatrix}1\\2\end{pmatrix}}
\begin{pmatrix}1\\2\end{pmatrix} == \color{red}{\begin{pmatrix}1\\2\end{pmatrix}}
(C) == \boldsymbol{(C)}
C == \boldsymbol{C}
C == \textbf{C}
C == \color{red}{C}
C == {\bf C}
12 == \text{Answer = }12
12 == \text{answer: }12
12 == \text{Ans: } 12
12 == \text{Answer: }\boxed{12}
12 == \text{The final answer is }12
12 == \text{Answer: } 12 \text{ cm}
12 == \text{Therefore, the answer is } 12
12 == \text{Solution: }12
12 == \textbf{Answer: 12}
12 == **Answer:** 12
12 == **12**
x^2 == \text{Answer: } x^2
7 != \mathbf{8}
7 != \color{red}{-7}
7 != \color{7}{8}
7 != \bf 77
7 != \mathbf{x=8}
7 != \color[rgb]{7,0,0}{1}
\frac{2}{3} != \mathbf{\frac{3}{2}}
\frac{2}{3} != \color{red}\frac{2}{5}
\frac{2}{3} != {\bf \frac{1}{3}}
[1,2) != \mathbf{(1,2)}
[1,2) != \mathbf{[1,2]}
C != \mathbf{D}
12 != \text{Answer: } 21
12 != \text{Answer: } 12x
12 != \text{Answer: } 12, 13
12 != \text{Answer: } 12 \text{ or } 13
x^2 != \text{Answer: } x^3
AB != \mathbf{BA}+1
\mathbf{v} == \boldsymbol{v}
\mathbf{a}+\mathbf{b} == \boldsymbol{a}+\boldsymbol{b}
\mathbf{a}+\mathbf{b} != \mathbf{a}-\mathbf{b}
2\mathbf{A} != 2
2\mathbf{m} != 2
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
2.5 == \approx{2.5}
2.5 == \text{approx. }2.5
2.5 == \approx\$2.5
-2.5 == \approx -2.5
2.5 == \simeq 2.5
2.5 == = 2.5
\frac{5}{2} == \approx 2.5
2.5 != \approx 2.49
2.5 != \approx 2.5x
2.5 != \not\approx 2.5
\sqrt{6} != \approx 2.449
\frac13 != \approx 0.33
2.5 != \approx 2.5, 3.5
""",
}
