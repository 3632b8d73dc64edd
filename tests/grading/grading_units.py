r"""Pairs of gold and answer about units of measure; see grading_cases.py."""

#: Kind -> one pair a line.
UNITS = {
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
25\text{ mi/hr} == 25\text{ mph}
25 == 25\text{ mi/hr}
4\text{ A} == 4~\mathrm{A}
4\text{ A} == 4\ \text{amp}
4\text{ amperes} == 4\text{ A}
12\text{ V} == 12\text{ volts}
60\text{ W} == 60\text{ watts}
5\Omega == 5
5\text{ }\Omega == 5\,\Omega
5\Omega == 5\text{ ohms}
10\text{ k}\Omega == 10
3\,\mu\text{F} == 3\text{ microfarads}
3\,\mu F == 3\,\mu\text{F}
7\ \mu\mathrm{m} == 7\text{ microns}
7\mu m == 7\,\mu\text{m}
2\,\text{kg}\,\text{m}^{2} == 2\text{ kg m}^2
2\,\text{kg}\cdot\text{m}/\text{s}^2 == 2\text{ N}
5\,\text{N}\cdot\text{m} == 5\text{ N·m}
5\,\text{J}/\text{(kg K)} == 5\text{ J/(kg K)}
3\,\mathrm{mol/L} == 3\,\mathrm{mol\,L^{-1}}
3\,\mathrm{mol/L} == 3\text{ M}
1.2\,\frac{\text{kg}}{\text{m}^3} == 1.2\text{ kg/m}^3
1.2\,\dfrac{\mathrm{kg}}{\mathrm{m}^3} == 1.2\,\mathrm{kg\,m^{-3}}
30\text{ minutes} == 30\text{ min}
30\text{ min.} == 30\text{ min}
5\text{ sec.} == 5\text{ s}
5\text{ s} == 5\mathrm{\ s}
5\text{ s} == 5s
100\text{ cm}^2 == 100\text{ square centimeters}
100\text{ cm}^2 == 100\text{ sq. cm}
100\text{ cm}^2 == 100\text{ cm squared}
100\text{ cm}^2 == 100 cm²
3\text{ days} == 3\text{ d}
8\text{ hours} == 8\text{ h}
8\text{ hours} == 8\text{ hrs}
90^\circ == 90\text{ deg}
\frac{\pi}{2} == \frac{\pi}{2}\text{ radians}
\frac{\pi}{2}\text{ rad} == \frac{\pi}{2}
3\text{ rad/s} == 3\,\mathrm{rad\,s^{-1}}
5\text{ min} == 5\text{ minutes}
\$12 == 12\text{ dollars}
\$12\text{ per hour} == 12
12\text{ dollars per hour} == \$12\text{ per hour}
\$12/\text{hour} == 12
5\text{ feet} == 5\text{ ft.}
6\text{ in} == 6\text{ inches}
6\text{ in.} == 6\text{ inches}
6\text{ inches} == 6 in
40\text{ people} == 40
40\text{ students} == 40\text{ students}
1\text{ hour } 30\text{ minutes} == 1\text{ h }30\text{ min}
2.5\text{ m} \times 3\text{ m} == 2.5\text{ m} \times 3\text{ m}
5\text{ sec} != 5\text{ ms}
12\text{ mph} != 12\text{ mi}
12\text{ mph} != 12\text{ m/s}
30\text{ min} != 30\text{ months}
4\text{ A} != 4\text{ W}
4\text{ A} != 4\text{ a.m.}
4\text{ A} != 4B
5\,\Omega != 5\text{ V}
5\,\Omega != 5\text{ M}\Omega
7\,\mu\text{m} != 7\,\mu\text{A}
7\,\mu\text{m} != 7\text{ km}
7\,\mu\text{m} != \mu
9.8\,\mathrm{m\,s^{-2}} != 9.8\,\frac{\text{m}}{\text{s}}
9.8\,\mathrm{m\,s^{-2}} != 9.8\,\frac{\text{s}^2}{\text{m}}
9.8\,\mathrm{m\,s^{-2}} != 9.8\,\mathrm{m/s^{-2}}
1.2\,\frac{\text{kg}}{\text{m}^3} != 1.2\,\frac{\text{kg}}{\text{m}^2}
1.2\,\frac{\text{kg}}{\text{m}^3} != 1.2\,\frac{\text{g}}{\text{m}^3}
3\,\mathrm{mol/L} != 3\text{ mol}
\$12\text{ per hour} != \$12\text{ per day}
12\text{ dollars per hour} != 12\text{ dollars}
100\text{ cm}^2 != 100\text{ cm}
100\text{ cm}^2 != 100\text{ m}^2
100\text{ cm}^2 != 10000\text{ cm}
8\text{ hours} != 8\text{ hertz}
3\text{ days} != 3\text{ weeks}
5\text{ s} != 5\text{ S}
5\text{ g} != 5\text{ G}
2\text{ N} != 2\text{ J}
40\text{ students} != 40\text{ teachers}
5\text{ years} != 5\text{ months}
5\text{ ft }6\text{ in} == 5\text{ feet }6\text{ inches}
5\text{ ft }6\text{ in} != 5\text{ ft }7\text{ in}
5\text{ ft }6\text{ in} != 5\text{ in }6\text{ ft}
1\text{ hour } 30\text{ minutes} != 1\text{ h }30\text{ s}
\$1.5\text{ million} == \$1500000
""",
}
