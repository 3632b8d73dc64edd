r"""Pairs of gold and answer about units of measure, ratios and times; see grading_cases.py."""


#: Kind -> one pair a line.
UNITS = {
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
1:10 == 10:100
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
""",
    "units": r"""
30\text{ min} == 30
30\text{ min} == 30\text{ minutes}
30\text{ min} == 30\,\mathrm{min}
30\text{ min} == 30 min
30\text{ min} == 30\min
30 == 30\text{ min}
30 == 30\,\mathrm{min}
5\text{ sec} == 5
5\text{ sec} == 5\text{ s}
5\text{ sec} == 5\text{ seconds}
5 == 5\text{ sec}
5 == 5\,\mathrm{sec}
4\text{ A} == 4
4\text{ A} == 4\,\mathrm{A}
4\text{ A} == 4\text{ amperes}
4\text{ A} == 4\text{ amps}
4\text{ A} == 4 A
4 == 4\text{ A}
6\text{ C} == 6\text{ coulombs}
3\text{ T} == 3\text{ tesla}
2\text{ F} == 2\text{ farads}
2\text{ H} == 2\text{ henries}
9\text{ L} == 9\text{ liters}
9\text{ L} == 9 \text{ litres}
9\text{ L} == 9\text{ l}
100\text{ N} == 100\text{ newtons}
5\,\Omega == 5
5\,\Omega == 5\text{ ohms}
5\,\Omega == 5\text{ ohm}
5\,\Omega == 5Ω
5\,\Omega == 5\ \mathrm{\Omega}
5 == 5\,\Omega
5\text{ k}\Omega == 5\,\mathrm{k\Omega}
5\text{ k}\Omega == 5\text{ kilohms}
7\,\mu\text{m} == 7
7\,\mu\text{m} == 7\,\mu m
7\,\mu\text{m} == 7\text{ micrometers}
7\,\mu\text{m} == 7\,\mathrm{\mu m}
7\,\mu\text{m} == 7 µm
7\,\mu\text{m} == 7 \text{ μm}
7 == 7\,\mu\text{m}
3\,\mu\text{s} == 3\text{ microseconds}
5\,\frac{\text{m}}{\text{s}} == 5
5\,\frac{\text{m}}{\text{s}} == 5\text{ m/s}
5\,\frac{\text{m}}{\text{s}} == 5\text{ m s}^{-1}
5\,\frac{\text{m}}{\text{s}} == 5 m/s
5\,\frac{\text{m}}{\text{s}} == 5\,\frac{m}{s}
5\,\frac{\text{m}}{\text{s}} == 5\text{ meters per second}
5\,\frac{\text{m}}{\text{s}} == 5\,\text{m}\cdot\text{s}^{-1}
5\text{ m/s} == 5\,\frac{\text{m}}{\text{s}}
5 == 5\,\frac{\text{m}}{\text{s}}
9.8\,\mathrm{m\,s^{-2}} == 9.8
9.8\,\mathrm{m\,s^{-2}} == 9.8\text{ m/s}^2
9.8\,\mathrm{m\,s^{-2}} == 9.8\,\frac{\text{m}}{\text{s}^2}
9.8\,\mathrm{m\,s^{-2}} == 9.8 \text{ meters per second squared}
9.8\,\mathrm{m\,s^{-2}} == 9.8\,\mathrm{m/s^2}
9.8\,\mathrm{m\,s^{-2}} == 9.8\,\mathrm{m}\,\mathrm{s}^{-2}
9.8\,\mathrm{m\,s^{-2}} == 9.8 m/s^2
9.8\text{ m/s}^2 == 9.8\,\mathrm{m\,s^{-2}}
9.8 == 9.8\,\mathrm{m\,s^{-2}}
9.8 == 9.8\, \mathrm{\frac{m}{s^2}}
12\text{ mph} == 12
12\text{ mph} == 12\text{ miles per hour}
12\text{ mph} == 12\text{ mi/h}
12\text{ mph} == 12\text{ miles/hour}
12\text{ miles per hour} == 12\text{ mph}
12\text{ miles per hour} == 12 mph
60\text{ km/h} == 60\text{ kilometers per hour}
60\text{ km/h} == 60\text{ kph}
60\text{ km/h} == 60\,\frac{\text{km}}{\text{h}}
60\text{ km/h} == 60\,\text{km}\,\text{h}^{-1}
60\text{ km/h} == 60\text{ km/hr}
6\text{ N}\cdot\text{m} == 6\,\mathrm{N\,m}
6\text{ N}\cdot\text{m} == 6\text{ newton-meters}
6\text{ N}\cdot\text{m} == 6\text{ N m}
3\text{ kg}\cdot\text{m}^2 == 3\,\mathrm{kg\,m^2}
3\text{ kg}\cdot\text{m/s} == 3\,\mathrm{kg\,m\,s^{-1}}
2\text{ g/cm}^3 == 2\text{ grams per cubic centimeter}
2\text{ g/cm}^3 == 2\,\frac{\text{g}}{\text{cm}^3}
2\text{ g/cm}^3 == 2\,\mathrm{g\,cm^{-3}}
10\text{ ft}^2 == 10\text{ sq ft}
10\text{ ft}^2 == 10\text{ square feet}
10\text{ ft}^2 == 10 \text{ sq. ft.}
8\text{ cm}^3 == 8\text{ cubic centimeters}
8\text{ cm}^3 == 8\text{ cc}
8\text{ cm}^3 == 8 cm^3
8\text{ cm}^3 == 8 \text{ cm³}
5\text{ J} == 5\text{ joules}
5\text{ kWh} == 5\text{ kilowatt-hours}
5\text{ kWh} == 5\,\text{kW}\cdot\text{h}
5\text{ m} == 5 m
5\text{ m} == 5m
\sqrt{3}\text{ m} == \sqrt{3}
\sqrt{3}\,\frac{\text{m}}{\text{s}} == \sqrt{3}\text{ m/s}
\frac{3}{2}\,\Omega == 1.5\text{ ohms}
2\pi\,\frac{\text{rad}}{\text{s}} == 2\pi\text{ rad/s}
300\text{ K} == 300\text{ kelvin}
20^\circ\text{C} == 20\text{ degrees Celsius}
20^\circ\text{C} == 20\ ^\circ\mathrm{C}
20^\circ\text{C} == 20°C
50\text{ Hz} == 50\text{ hertz}
50\text{ Hz} == 50\text{ s}^{-1}
5\text{ lb} == 5\text{ pounds}
5\text{ lbs} == 5\text{ pounds}
1.5\times10^{3}\text{ Pa} == 1500\text{ pascals}
5\text{ N} == 5\,\mathrm{kg\,m/s^2}
x = 5\text{ sec} == 5
\text{Time} = 30\text{ min} == 30
4\text{ units} == 4
5\text{ cm} == 5\text{ units}
16\text{ square units} == 16
18\text{ dollars} == \$18
5\text{ hr} == 5\text{ hours}
5\text{ miles} == 5\text{ miles away}
3\text{ m}, 4\text{ m} == 4\text{ m}, 3\text{ m}
3\text{ m}, 4\text{ m} == 3, 4
72\text{ clips} == 72\text{ paper clips}
30\text{ min} != 30\text{ sec}
30\text{ min} != 30\text{ hours}
30\text{ min} != 31\text{ min}
30\text{ min} != 30\text{ m}
30\text{ min} != 30\text{ in}
5\text{ sec} != 5\text{ min}
5\text{ sec} != 5\text{ sec}^2
5\text{ sec} != 6\text{ sec}
5\text{ sec} != \sec 5
4\text{ A} != 4\text{ V}
4\text{ A} != 4\text{ C}
4\text{ A} != 4\text{ mA}
4\text{ A} != 5\text{ A}
4\text{ A} != 4\text{ A}^2
4\text{ A} != A
4\text{ A} != 4a
5\,\Omega != 5\text{ A}
5\,\Omega != 5\text{ k}\Omega
5\,\Omega != 50\,\Omega
5\,\Omega != 5\omega
5\,\Omega != 5\,\Omega\cdot\text{m}
5\,\Omega != 5\,\Omega^{-1}
7\,\mu\text{m} != 7\text{ mm}
7\,\mu\text{m} != 7\text{ m}
7\,\mu\text{m} != 7\text{ nm}
7\,\mu\text{m} != 7\,\mu\text{s}
7\,\mu\text{m} != 8\,\mu\text{m}
7\,\mu\text{m} != 7\,\mu\text{g}
7\,\mu\text{m} != 7\mu
5\,\frac{\text{m}}{\text{s}} != 5\,\frac{\text{s}}{\text{m}}
5\,\frac{\text{m}}{\text{s}} != 5\,\frac{\text{m}}{\text{s}^2}
5\,\frac{\text{m}}{\text{s}} != 5\text{ m}\cdot\text{s}
5\,\frac{\text{m}}{\text{s}} != 5\text{ m}
5\,\frac{\text{m}}{\text{s}} != 5\,\frac{\text{km}}{\text{s}}
5\,\frac{\text{m}}{\text{s}} != 5\,\frac{\text{m}}{\text{h}}
5\,\frac{\text{m}}{\text{s}} != 6\,\frac{\text{m}}{\text{s}}
5\,\frac{\text{m}}{\text{s}} != \frac{5}{s}
5\text{ m/s} != 5\,\frac{s}{m}
9.8\,\mathrm{m\,s^{-2}} != 9.8\,\mathrm{m\,s^{-1}}
9.8\,\mathrm{m\,s^{-2}} != 9.8\,\mathrm{m\,s^{2}}
9.8\,\mathrm{m\,s^{-2}} != 9.8\,\mathrm{m\,s}
9.8\,\mathrm{m\,s^{-2}} != 9.8\,\mathrm{cm\,s^{-2}}
9.8\,\mathrm{m\,s^{-2}} != 9.81\,\mathrm{m\,s^{-2}}
9.8\,\mathrm{m\,s^{-2}} != 9.8\,\mathrm{m^2\,s^{-2}}
9.8\,\mathrm{m\,s^{-2}} != 9.8\text{ N}
12\text{ mph} != 12\text{ km/h}
12\text{ mph} != 12\text{ miles}
12\text{ mph} != 12\text{ hours per mile}
12\text{ mph} != 12\text{ miles per minute}
12\text{ mph} != 13\text{ mph}
12\text{ miles per hour} != 12\text{ miles}
12\text{ miles per hour} != 12\text{ meters per hour}
60\text{ km/h} != 60\text{ m/s}
60\text{ km/h} != 60\text{ mph}
6\text{ N}\cdot\text{m} != 6\text{ N/m}
6\text{ N}\cdot\text{m} != 6\text{ N}
3\text{ kg}\cdot\text{m}^2 != 3\text{ kg}\cdot\text{m}
2\text{ g/cm}^3 != 2\text{ kg/m}^3
2\text{ g/cm}^3 != 2\text{ g/cm}^2
10\text{ ft}^2 != 10\text{ ft}
10\text{ ft}^2 != 10\text{ cubic feet}
10\text{ ft}^2 != 10\text{ in}^2
8\text{ cm}^3 != 8\text{ cm}^2
8\text{ cm}^3 != 512\text{ cm}
5\text{ J} != 5\text{ W}
5\text{ kWh} != 5\text{ kW}
5\text{ mW} != 5\text{ MW}
5\text{ m} != 5\text{ apples}
5\text{ m} != 5 n
5\text{ m} != 5 m^2
7\text{ apples} != 7\text{ oranges}
5 != 5\text{ tenths}
5 != 5\text{ hundredths}
5 != 5\text{ halves}
20^\circ\text{C} != 20^\circ\text{F}
20^\circ\text{C} != 20\text{ K}
300\text{ K} != 300^\circ\text{C}
50\text{ Hz} != 50\text{ s}
5\text{ lb} != 5\text{ kg}
5 != 5m
5 != 5\frac{m}{s}
5\text{ N} != 5\,\mathrm{kg\,m/s}
3\text{ m}, 4\text{ m} != 3\text{ m}, 4\text{ s}
\$18 != 18\text{ cents}
\$5 != 5\text{ kg}
2x \sec x != 2x
\min(2,3) != 3
\sec x != x
""",
}
