r"""Pairs of gold and answer about intervals, conditions, labels and congruences; see grading_cases.py."""


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
""",
    "congruences": r"""
x \equiv 3\ (\text{mod } 7) == x \equiv 3 \pmod{7}
x \equiv 3\ (\text{mod } 7) == x \equiv 3 \pmod 7
x \equiv 3\ (\text{mod } 7) == x \equiv 3 \mod 7
x \equiv 3\ (\text{mod } 7) == x \equiv 3 \bmod 7
x \equiv 3\ (\text{mod } 7) == x \equiv 3 (mod 7)
x \equiv 3\ (\text{mod } 7) == x \equiv 3\ (\mathrm{mod}\ 7)
x \equiv 3\ (\text{mod } 7) == x \equiv 10 \pmod{7}
x \equiv 3\ (\text{mod } 7) == x \equiv -4 \pmod{7}
x \equiv 3\ (\text{mod } 7) == 3 \pmod{7}
x \equiv 3\ (\text{mod } 7) == x\equiv3\text{ mod }7
x \equiv 3 \pmod{7} == x \equiv 3\ (\text{mod } 7)
x \equiv 3 \pmod{7} == x ≡ 3 (mod 7)
3 \pmod{7} == x \equiv 3 \pmod 7
x \equiv 3, 5 \pmod 7 == x \equiv 5, 3 \pmod 7
n \equiv 1 \pmod{4} == n \equiv 5 \pmod{4}
x \equiv 3\ (\text{mod } 7) != x \equiv 4\ (\text{mod } 7)
x \equiv 3\ (\text{mod } 7) != x \equiv 3\ (\text{mod } 8)
x \equiv 3\ (\text{mod } 7) != x \equiv 3\ (\text{mod } 14)
x \equiv 3\ (\text{mod } 7) != x \equiv 7\ (\text{mod } 3)
x \equiv 3\ (\text{mod } 7) != x \equiv -3\ (\text{mod } 7)
x \equiv 3\ (\text{mod } 7) != x = 3
x \equiv 3\ (\text{mod } 7) != 7
x \equiv 3\ (\text{mod } 7) != y \equiv 3\ (\text{mod } 7)
x \equiv 3\ (\text{mod } 7) != x \equiv 3
x \equiv 3\ (\text{mod } 7) != x \equiv 3, 4\ (\text{mod } 7)
x \equiv 3 \pmod{7} != x \equiv 3 \pmod{70}
x \equiv 3, 5 \pmod 7 != x \equiv 3 \pmod 7
x \equiv 3, 5 \pmod 7 != x \equiv 3, 6 \pmod 7
""",
}
