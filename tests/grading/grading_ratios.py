r"""Pairs of gold and answer about ratios, times of day and congruences; see grading_cases.py."""

#: Kind -> one pair a line.
RATIOS = {
    "ratios and times": r"""
2:3 == 4:6
1:2:3 == 2:4:6
2:3:5 == 2:3:5
2:3:5 == 4:6:10
2:3:5 == 2 : 3 : 5
2:3:5 == 2{:}3{:}5
2:3 == 2\colon 3
2:3 == 2 \text{ to } 3
2:3 == 2 to 3
3:2 == 1.5:1
1:\sqrt{3}:2 == \sqrt{3}:3:2\sqrt{3}
\sqrt2:1 == 2:\sqrt{2}
a^2:b^2 == 2a^2:2b^2
2:3 == \frac{2}{3}
\frac{2}{3} == 2:3
\frac{9}{16} == 9:16
1:4 == \frac14
a:b:c = 1:2:3 == 1:2:3
1:2:3 == a:b:c = 2:4:6
AB:BC = 2:3 == 2:3
3:30 == 3:30
3:30 == 03:30
3:30 == 3{:}30
2:30 \text{ p.m.} == 2:30 \text{ PM}
2:30 \text{ p.m.} == 2:30 pm
2:30 \text{ p.m.} == 2:30\,\text{pm}
2:30 \text{ p.m.} == 14:30
2:30 \text{ p.m.} == 2:30
14:30 == 2:30 \text{ p.m.}
12:15 \text{ a.m.} == 0:15
9:05 == 9:05 \text{ a.m.}
12:00 \text{ p.m.} == \text{noon}
10\text{ a.m.} == 10:00 \text{ AM}
2:3:5 != 2:5:3
2:3:5 != 2:15
2:3:5 != 2:3
2:3:5 != 2:3:6
2:3:5 != 5:3:2
2:3:5 != \frac{2}{15}
6:3:2 != 1
6:3:2 != 3:2:6
6:3:2 != 6:3
2:3 != 3:2
2:3 != 2:5
2:3 != \frac{3}{2}
2:3 != 2
2:3 != 23
2:3 != (2,3)
2:3 != 2.3
2:3 != 2,3
1:2:3 != 1:4:9
1:\sqrt{3}:2 != 1:2:\sqrt{3}
1:1 != 2:3
a:b != b:a
a^2:b^2 != a:b
3:30 != 1:10
3:30 != \frac{1}{10}
3:30 != 3:03
3:30 != 3:3
3:30 != 3.5
3:30 != 6:60
3:30 != 330
1:10 != 3:30
2:30 \text{ p.m.} != 1:15 \text{ p.m.}
2:30 \text{ p.m.} != 1:15
2:30 \text{ p.m.} != 2:30 \text{ a.m.}
2:30 \text{ p.m.} != 3:30 \text{ p.m.}
2:30 \text{ p.m.} != 2:03 \text{ p.m.}
2:30 \text{ p.m.} != 1:15 \text{ a.m.}
2:30 \text{ p.m.} != \frac{1}{15}
2:30 \text{ p.m.} != 02:30 \text{ a.m.}
14:30 != 2:30 \text{ a.m.}
12:00 \text{ p.m.} != 12:00 \text{ a.m.}
12:00 \text{ p.m.} != 6:00
9:05 != 9:5
9:05 != 9:50
9:00 != 3:00
4:20 != 8:40
10\text{ a.m.} != 10:30 \text{ AM}
\frac{1}{10} != 3:30
5 != 10:2:1
1 != 6:3:2
3 to 2 != 2 to 3
1:2:3 = a:b:c != 3:2:1
4:6:8 == 2:3:4
1:2 == \frac12
5:3 == 5\text{:}3
5:3 == \frac{5}{3}:1
5:3 == 10:6
5:3 == 5 to 3
x:y = 5:3 == 5:3
5:3 == x:y = 5:3
2:3:4 == \frac{1}{6}:\frac{1}{4}:\frac{1}{3}
1:2:3 == 0.5:1:1.5
\pi:4 == \pi : 4
\sqrt{2}:1 == 2:\sqrt2
8:15\text{ a.m.} == 8:15 \text{ am}
8:15\text{ a.m.} == 8:15\text{ AM}
8:15\text{ a.m.} == 08:15
8:15\text{ a.m.} == 8:15
15:45 == 3:45\text{ p.m.}
11:59 \text{ P.M.} == 23:59
10:00 \text{ a.m.} == 10\text{ a.m.}
12:30 == 12:30\text{ p.m.}
7:30 == 7{:}30
1:30:00 == 1:30:00
5:3 != 3:5
5:3 != 5:4
5:3 != \frac{3}{5}
5:3 != 5-3
5:3 != 53
5:3 != 8
5:3 != 5:3:1
5:3 != 15
4:6:8 != 2:3:5
4:6:8 != 4:8:6
4:6:8 != \frac{4}{48}
1:2:3 != 3:2:1
1:2:3 != 1:2
1:2:3 != \frac{1}{6}
1:2:3 != 6
2:1 != 1:2
8:15\text{ a.m.} != 8:15\text{ p.m.}
8:15\text{ a.m.} != 20:15
8:15\text{ a.m.} != 8:51\text{ a.m.}
8:15\text{ a.m.} != \frac{8}{15}
8:15\text{ a.m.} != 8.15
8:15\text{ a.m.} != 16:30
15:45 != 3:45\text{ a.m.}
15:45 != 1:3
15:45 != \frac13
7:30 != 1:4
7:30 != 14:60
12:30 != 2:5
12:30 != 0.4
2:30 != 4:60
1:30 != 2:60
9:00\text{ a.m.} != 9:30\text{ a.m.}
10:00 != 1:00
6:30 != 1:5
2:3 == 10:15
1:2 == 15:30
2:3 == 20:30
1:2 != 15:31
9:5 != 9:05
2:3 != 2:03
1:5 == 2:10
9:25 == \frac{9}{25}
9:25 != 3:5
\frac{3}{4} == 3:4
\frac{3}{4} != 4:3
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
x=3 != x\equiv3\pmod 7
3 != x\equiv3\pmod 7
3 == 3\pmod 7
n\equiv 2\pmod 5 == n \equiv 2 \ (\text{mod } 5)
n\equiv 2\pmod 5 == n \equiv 2 \ (\mathrm{mod}\ 5)
n\equiv 2\pmod 5 == n \equiv 2 \mod 5
n\equiv 2\pmod 5 == n\equiv 2\ (\bmod\ 5)
n\equiv 2\pmod 5 == n \equiv 2 \text{ (mod 5)}
n\equiv 2\pmod 5 == n \equiv 2 \text{ mod } 5
n\equiv 2\pmod 5 == n \equiv 7 \pmod{5}
n\equiv 2\pmod 5 == n \equiv -3 \pmod{5}
n\equiv 2\pmod 5 == 2 \pmod 5
n\equiv 2\pmod 5 == n \equiv 2 \text{ modulo } 5
2 == 2 \pmod 5
n\equiv 1,4 \pmod 5 == n\equiv \pm1 \pmod 5
n\equiv 1,4 \pmod 5 == n\equiv 1 \text{ or } 4 \pmod 5
n\equiv 1,4 \pmod 5 == n\equiv 4, 1 \ (\text{mod } 5)
n\equiv 2\pmod 5 != n \equiv 3 \pmod 5
n\equiv 2\pmod 5 != n \equiv 2 \pmod 6
n\equiv 2\pmod 5 != n \equiv 5 \pmod 2
n\equiv 2\pmod 5 != n \equiv 2 \pmod{10}
n\equiv 2\pmod 5 != m \equiv 2 \pmod 5
n\equiv 2\pmod 5 != n = 2
n\equiv 2\pmod 5 != 2
n\equiv 2\pmod 5 != n \equiv 2 \pmod{-5}+1
n\equiv 2\pmod 5 != n \not\equiv 2 \pmod 5
n\equiv 2\pmod 5 != n \neq 2 \pmod 5
2 != 7 \pmod 5
5 != 2 \pmod 5
n\equiv 1,4 \pmod 5 != n\equiv 1 \pmod 5
n\equiv 1,4 \pmod 5 != n\equiv 1,3 \pmod 5
5 != 5\text{ mod }3
""",
}
