r"""Pairs of gold and answer about intervals, conditions and named values; see grading_cases.py."""

#: Kind -> one pair a line.
CONDITIONS = {
    "intervals": r"""
]-\infty,3[ == (-\infty,3)
(-\infty,3) == ]-\infty,3[
(-\infty,3) == \left]-\infty,3\right[
(-\infty,3) == ]-\infty;3[
(-\infty,3] == ]-\infty,3]
[3,\infty) == [3,+\infty[
(2,3) == ]2,3[
(2,3] == ]2,3]
[2,3) == [2,3[
(2,3) == ]2;3[
(0,1)\cup(2,3) == ]0,1[\cup]2,3[
(0,1]\cup[2,3) == ]0,1]\cup[2,3[
[0,1]\cup[2,3] == [0,1]\cup[2,3]
(-\infty,1)\cup(4,\infty) == ]-\infty,1[\cup]4,+\infty[
x\in(2,3) == x\in]2,3[
x<3 == ]-\infty,3[
2<x\le3 == ]2,3]
]2,3[ == 2<x<3
(-\infty,3) != ]-\infty,3]
(-\infty,3] != ]-\infty,3[
(2,3) != ]2,3]
(2,3) != [2,3[
[2,3] != ]2,3[
[2,3] != [2,3[
(2,3] != [2,3[
[2,3) != ]2,3]
(2,3) != ]3,2[
(2,3) != ]2,4[
(0,1)\cup(2,3) != [0,1[\cup]2,3[
(0,1)\cup(2,3) != ]0,3[
]2,3[ != [2,3]
]2,3[ != 2<x\le3
(2,3) != \{2,3\}
[1,2],[3,4] != [1,2],[3,5]
[1,2],[3,4] == [3,4],[1,2]
]-1,5[ == (-1,5)
(-1,5) == ]-1;5[
(-1,5) == \left]-1;5\right[
[0,1) == [0;1[
(0,1] == ]0;1]
(-\infty,0)\cup(0,\infty) == ]-\infty,0[\cup]0,\infty[
\left(\frac12,3\right) == \left]\frac12,3\right[
(\sqrt2,\infty) == ]\sqrt{2},+\infty[
x\in(-1,5) == ]-1,5[
-1<x<5 == ]-1,5[
(-1,5) != ]-1,5]
(-1,5) != [-1,5[
[-1,5] != ]-1,5[
(-1,5) != ]5,-1[
(-1,5) != ]1,5[
(-\infty,0)\cup(0,\infty) != ]-\infty,0]\cup[0,\infty[
(-\infty,0)\cup(0,\infty) != ]-\infty,\infty[
]-1,5[ != [-1,5]
]-1,5[ != \{-1,5\}
""",
    "conditions": r"""
(-\infty,2)\cup(2,\infty) == x\neq 2
(-\infty,2)\cup(2,\infty) == x \ne 2
(-\infty,2)\cup(2,\infty) == x\not=2
x\neq 2 == (-\infty,2)\cup(2,\infty)
x\neq 2 == \mathbb{R}\setminus\{2\}
x\neq 2 == 2 \neq x
x\neq 2 == x<2 \text{ or } x>2
x\neq 2 == \{x \mid x \neq 2\}
x\neq 2 == x\in\mathbb{R}, x\neq2
(-\infty,2)\cup(2,\infty) == \mathbb{R}\backslash\{2\}
(-\infty,2)\cup(2,\infty) == \mathbb{R}\setminus\{2\}
(-\infty,2)\cup(2,\infty) == \mathbb{R} - \{2\}
(-\infty,2)\cup(2,\infty) == \mathbb R \backslash \{2\}
(-\infty,2)\cup(2,\infty) == \mathbb{R}\smallsetminus\{2\}
(-\infty,2)\cup(2,\infty) == \mathbf{R}\setminus\{2\}
(-\infty,2)\cup(2,\infty) == \text{all real numbers except } 2
\mathbb{R}\backslash\{2\} == \mathbb{R}\setminus\{2\}
\mathbb{R}\backslash\{2\} == x \neq 2
\mathbb{R}\backslash\{2\} == (-\infty,2)\cup(2,\infty)
\mathbb{R}\setminus\{2,3\} == (-\infty,2)\cup(2,3)\cup(3,\infty)
\mathbb{R}\setminus\{2,3\} == x\neq 2 \text{ and } x\neq 3
\mathbb{R}\setminus\{2,3\} == x\neq 2, 3
\mathbb{R}\setminus\{2,3\} == x\neq 2, x\neq 3
\mathbb{R}\setminus\{-2,2\} == x\neq\pm2
(1,4) == x>1 \text{ and } x<4
(1,4) == x<4 \text{ and } x>1
(1,4) == x>1, x<4
(1,4) == x > 1 and x < 4
(1,4) == x>1 \land x<4
(1,4) == 1<x \text{ and } x<4
1<x<4 == x>1 \text{ and } x<4
x>1 \text{ and } x<4 == 1<x<4
x>1 \text{ and } x<4 == (1,4)
x>1 \text{ and } x<4 == x<4 \text{ and } x>1
x>1 \text{ and } x<4 == x<4, x>1
[1,4) == x\ge1 \text{ and } x<4
[1,4] == 1\le x \text{ and } x\le4
(1,3)\cup(3,4) == 1<x<4, x\neq3
(1,3)\cup(3,4) == 1<x<4 \text{ and } x\neq 3
(-\infty,1)\cup(4,\infty) == x<1 \text{ or } x>4
(-\infty,1)\cup(4,\infty) == x<1, x>4
x<1 \text{ or } x>4 == x>4 \text{ or } x<1
-1<x<1 == |x|<1
[-2,2] == |x|\leq 2
(-\infty,-2)\cup(2,\infty) == |x|>2
(-\infty,2)\cup(2,\infty) != x\neq 3
(-\infty,2)\cup(2,\infty) != x\neq -2
(-\infty,2)\cup(2,\infty) != x=2
(-\infty,2)\cup(2,\infty) != x \leq 2
(-\infty,2)\cup(3,\infty) != x\neq 2
(-\infty,2]\cup[2,\infty) != x\neq 2
(-\infty,2)\cup(2,\infty) != \mathbb{R}
(-\infty,2)\cup(2,\infty) != 2
x\neq 2 != x\neq 3
x\neq 2 != x=2
x\neq 2 != 2
x\neq 2 != y\neq 2
x\neq 2 != x\neq 2,3
x\neq 2 != (-\infty,2)
x\neq 2 != \mathbb{R}
\mathbb{R}\backslash\{2\} != \mathbb{R}\backslash\{3\}
\mathbb{R}\backslash\{2\} != \mathbb{R}\backslash\{-2\}
\mathbb{R}\backslash\{2\} != \mathbb{R}
\mathbb{R}\backslash\{2\} != \{2\}
\mathbb{R}\backslash\{2\} != \mathbb{R}\backslash\{2,3\}
\mathbb{R}\backslash\{2\} != \mathbb{Z}\backslash\{2\}
\mathbb{R}\backslash\{2\} != \mathbb{R}\cup\{2\}
\mathbb{R}\backslash\{2\} != (-\infty,2)
\mathbb{R}\setminus\{2,3\} != x\neq 2
\mathbb{R}\setminus\{2,3\} != (-\infty,2)\cup(3,\infty)
(1,4) != x>1 \text{ or } x<4
(1,4) != x>1
(1,4) != x<1 \text{ and } x>4
(1,4) != x\ge1 \text{ and } x<4
(1,4) != x>1 \text{ and } y<4
(1,4) != x>1 \text{ and } x<5
(1,4) != x>4 \text{ and } x<1
[1,4] != x>1 \text{ and } x<4
x>1 \text{ and } x<4 != x>1
x>1 \text{ and } x<4 != x<4
x>1 \text{ and } x<4 != x>1 \text{ or } x<4
x>1 \text{ and } x<4 != x>1 \text{ and } x<3
x>1 \text{ and } x<4 != (1,4]
x>1 \text{ and } x<4 != x>-1 \text{ and } x<4
x<1 \text{ or } x>4 != x<1 \text{ and } x>4
(-\infty,1)\cup(4,\infty) != x<1 \text{ and } x>4
-1<x<1 != |x|>1
-1<x<1 != |x|\leq1
-1<x<1 != |x|<2
(-\infty,3)\cup(3,\infty) == x \neq 3
(-\infty,3)\cup(3,\infty) == \{x \in \mathbb{R} \mid x \neq 3\}
(-\infty,3)\cup(3,\infty) == \{x : x \neq 3\}
(-\infty,3)\cup(3,\infty) == \mathbb{R} \setminus \{3\}
(-\infty,3)\cup(3,\infty) == \mathbb{R} \backslash \{3\}
(-\infty,3)\cup(3,\infty) == x \in \mathbb{R}, x \neq 3
(-\infty,3)\cup(3,\infty) == x \in \mathbb{R} \setminus \{3\}
(-\infty,3)\cup(3,\infty) == \text{all real numbers except }3
x\neq3 == \mathbb{R}\backslash\{3\}
x \neq 0 == (-\infty,0)\cup(0,\infty)
x\neq -1, 1 == x \neq \pm 1
x\neq -1, 1 == x \neq 1 \text{ and } x\neq -1
x\neq -1, 1 == (-\infty,-1)\cup(-1,1)\cup(1,\infty)
\mathbb{R}\setminus\{0,1\} == (-\infty,0)\cup(0,1)\cup(1,\infty)
(2,7) == x>2 \text{ and } x<7
(2,7) == x > 2 \wedge x < 7
(2,7) == 2<x \text{ and } x<7
(2,7) == x>2 \;\text{and}\; x<7
(2,7) == \{x \mid x>2 \text{ and } x<7\}
(2,7] == x>2 \text{ and } x\le 7
2<x\le7 == x>2\text{ and }x\leq7
2<x\le7 == x\leq7\text{ and }x>2
x>2\text{ and }x\leq7 == (2,7]
(-\infty,2]\cup[7,\infty) == x\le2 \text{ or } x\ge7
a<b == b>a
x\ge 0 \text{ and } y\ge 0 == y\ge0\text{ and }x\ge0
(0,1)\cup(2,3) == 0<x<1 \text{ or } 2<x<3
(0,\sqrt2) == x>0 \text{ and } x<\sqrt{2}
(-\infty,3)\cup(3,\infty) != x \neq -3
(-\infty,3)\cup(3,\infty) != x \neq 3, 4
(-\infty,3)\cup(3,\infty) != \mathbb{R}\backslash\{0,3\}
(-\infty,3)\cup(3,\infty) != \mathbb{Q}\backslash\{3\}
(-\infty,3)\cup(3,\infty) != x > 3
(-\infty,3)\cup(3,\infty) != \{3\}
(-\infty,3]\cup(3,\infty) != x \neq 3
x\neq3 != x\neq\frac13
x\neq3 != x=-3
x\neq -1, 1 != x \neq 1
x\neq -1, 1 != x = \pm 1
(2,7) != x>2 \text{ or } x<7
(2,7) != x<2 \text{ and } x>7
(2,7) != x>7 \text{ and } x<2
(2,7) != x\geq2 \text{ and } x<7
(2,7) != x>2 \text{ and } x<7.1
(2,7) != x>2, y<7
(2,7] != x>2 \text{ and } x<7
x>2\text{ and }x\leq7 != x>2
x>2\text{ and }x\leq7 != x\leq7
(-\infty,2]\cup[7,\infty) != x\le2 \text{ and } x\ge7
(-\infty,2]\cup[7,\infty) != x<2 \text{ or } x\ge7
x\ge 0 \text{ and } y\ge 0 != x\ge0
x\ge 0 \text{ and } y\ge 0 != x\ge0\text{ or }y\ge0
\mathbb{R}\setminus\{0,1\} != \mathbb{R}\setminus\{0\}
\mathbb{R}\setminus\{0,1\} != \{0,1\}
\mathbb{R}\setminus\{0,1\} != \mathbb{R}\setminus(0,1)
""",
    "labels": r"""
-2,3 == x_1=-2,\ x_2=3
-2,3 == x_1=3,\ x_2=-2
-2,3 == x_1=-2 \text{ and } x_2=3
-2,3 == x_1 = -2; x_2 = 3
-2,3 == x_{1}=-2, x_{2}=3
-2,3 == x=-2, x=3
-2,3 == x=-2 \text{ or } x=3
-2,3 == x\in\{-2,3\}
-2,3 == x_{1,2} = -2, 3
\{-2,3\} == x_1=-2, x_2=3
x_1=-2,\ x_2=3 == -2,3
x_1=-2,\ x_2=3 == 3,-2
x_1=-2,\ x_2=3 == x_1=-2, x_2=3
x_1=-2,\ x_2=3 == x_2=3, x_1=-2
x_1=-2,\ x_2=3 == x=-2, x=3
(1,2) == x_1=1, x_2=2
x=-2,3 == x_1=-2, x_2=3
2\pm\sqrt5 == x_1=2+\sqrt5,\ x_2=2-\sqrt5
-2,3 != x_1=-2,\ x_2=-3
-2,3 != x_1=2,\ x_2=3
-2,3 != x_1=-2
-2,3 != x_1=-2, x_2=3, x_3=4
-2,3 != x_1=-3, x_2=2
-2,3 != x_1=-2, y_1=3
-2,3 != x=-2, y=3
x_1=-2,\ x_2=3 != x_1=3,\ x_2=-2
x_1=-2,\ x_2=3 != x_1=-2,\ x_2=4
x_1=-2,\ x_2=3 != -2
x_1=-2,\ x_2=3 != 2,3
x_1=-2,\ x_2=3 != y_1=-2, y_2=3
(1,2) != x_1=2, x_2=1
(1,2) != x=2, y=1
x=1, y=2 != 2, 1
x=1, y=2 != y=1, x=2
f(x)=2x-1 == f(x)=2x-1 \text{ for all } x
f(x)=2x-1 \text{ for all } x == f(x)=2x-1
f(x)=2x-1 \text{ for all } x == 2x-1
f(x)=2x-1 == f(x)=2x-1 \text{ for all real } x
f(x)=2x-1 == f(x)=2x-1 \quad \forall x
f(x)=2x-1 == f(x)=2x-1,\ \forall x\in\mathbb{R}
f(x)=2x-1 == f(x)=2x-1 \text{ for every } x
f(x)=2x-1 == f(x)=2x-1 \text{ for all } x\in\mathbb{R}
f(x)=2x-1 == f(x)=2x-1 \text{ for all real numbers } x
f(x)=2x-1 == f(x)=2x-1 \text{ for all x}
f(x)=2x-1 == f(x)=-1+2x \text{ for all } x
f(n)=n+1 == f(n)=n+1 \text{ for all positive integers } n
2x-1 == 2x-1 \text{ for all } x
f(x)=2x-1 \text{ for all } x != f(x)=2x+1 \text{ for all } x
f(x)=2x-1 \text{ for all } x != f(x)=x-1
f(x)=2x-1 \text{ for all } x != f(x)=2x-1 \text{ for } x>0
f(x)=2x-1 \text{ for all } x != g(x)=2x-1
f(x)=2x-1 != f(x)=2x-1 \text{ for } x>0
f(x)=2x-1 != f(x)=2x+1 \text{ for all } x
f(x)=2x-1 != f(x)=2x-1 \text{ or } 2x+1
f(x)=2x-1 != f(x)=2x-1 \text{ for no } x
x=-2,3 != x=-2, y=3
1,4 == x_1=1, x_2=4
1,4 == x_1 = 1 \text{ and } x_2 = 4
1,4 == x_1=4, \quad x_2=1
1,4 == x_{1}=1; x_{2}=4
1,4 == x=1, 4
1,4 == x \in \{1, 4\}
1,4 == t_1=1, t_2=4
1,4 == x_1=1 \text{ or } x_2=4
\{1,4\} == x_1=1,x_2=4
1 == x_1=1
x_1=1, x_2=4 == 1,4
x_1=1, x_2=4 == \{1,4\}
1,2,3 == x_1=3,x_2=1,x_3=2
3+\sqrt2, 3-\sqrt2 == x_1=3-\sqrt2, x_2=3+\sqrt2
3+\sqrt2, 3-\sqrt2 == x_{1,2}=3\pm\sqrt2
1,4 != x_1=1, x_2=5
1,4 != x_1=1, x_2=-4
1,4 != x_1=1
1,4 != x_1=14
1,4 != x_1=1, x_2=4, x_3=9
x_1=1, x_2=4 != x_1=4, x_2=1
x_1=1, x_2=4 != 4
(1,4) != x_1=4, x_2=1
a_1=1, a_2=4 != a_1=4, a_2=1
a=1, b=4 != a=4, b=1
a=1, b=4 == b=4, a=1
f(x)=x^2 == f(x)=x^2 \text{ for all } x
f(x)=x^2 == f(x) = x^2 \text{ for all } x \in \mathbb{R}
f(x)=x^2 == f(x)=x^2,\quad x\in\mathbb{R}
f(x)=x^2 == f(x)=x^2\ \forall x \in \mathbb{R}
f(x)=x^2 == f(x)=x^2 \text{ for all real numbers }x
f(x)=x^2 == f(x)=x^2, \text{ for all } x
f(x)=x^2 \text{ for all } x == x^2
f(n)=2n == f(n)=2n \text{ for all integers } n
f(n)=2n == f(n)=2n \text{ for all } n\in\mathbb{Z}
f(x)=x^2 != f(x)=x^3 \text{ for all } x
f(x)=x^2 != f(x)=-x^2 \text{ for all } x
f(x)=x^2 != f(x)=x^2 \text{ for all } x>0
f(x)=x^2 != f(x)=x^2 \text{ for some } x
f(x)=x^2 != f(x)=x^2 \text{ and } f(x)=0
f(x)=x^2 \text{ for all } x != x
f(x)=x^2 \text{ for all } x != h(x)=x^2
f(x)=2x-1 != f(x)=2x-1 \text{ for positive x}
f(x)=2x-1 != f(x)=2x-1 \text{ for no x}
f(x)=2x-1 != f(x)=2x-1 \text{ where x is positive}
x=-2,3 != x_1=-2, x_1=3, x_2=4
2.5 != 2.5\text{ with remainder}
x_1=-3, x_2=2 != x_2=-3, x_2=2
""",
}
