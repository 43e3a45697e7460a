#!/usr/bin/env python3
"""Draw the curves that `bench_vad --roc FILE.csv` wrote: vad_roc.py FILE.csv PICTURE.svg"""
import csv
import sys

PANELS = ("clean", "white 10 dB", "white 0 dB", "pink 5 dB")
COLOURS = {"builtin": "#c0392b", "silero": "#2471a3", "webrtc": "#1e8449", "speexdsp": "#b9770e", "energy": "#7f8c8d"}
SIDE, GAP, LEFT, TOP = 220, 46, 44, 30


def read(path):
    """{(condition, detector): [(false positive rate, true positive rate, threshold), ...]}"""
    curves = {}
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            point = (float(row["false positive rate"]), float(row["true positive rate"]), float(row["threshold"]))
            curves.setdefault((row["condition"], row["detector"]), []).append(point)
    return curves


def at(point):
    return f"{point[0] * SIDE:.1f},{(1 - point[1]) * SIDE:.1f}"


def draw(curves, panel):
    yield f'<rect width="{SIDE}" height="{SIDE}" fill="#fff" stroke="#888"/>'
    for tick in (0.25, 0.5, 0.75):
        yield f'<path d="M{tick * SIDE} 0V{SIDE}M0 {tick * SIDE}H{SIDE}" stroke="#e4e4e4"/>'
    yield f'<path d="M0 {SIDE}L{SIDE} 0" stroke="#ccc" stroke-dasharray="3 3"/>'
    yield f'<text x="{SIDE / 2}" y="-8" text-anchor="middle" font-weight="bold">{panel}</text>'
    for tick in (0, 0.5, 1):
        yield f'<text x="{tick * SIDE}" y="{SIDE + 14}" text-anchor="middle">{tick:g}</text>'
        yield f'<text x="-5" y="{(1 - tick) * SIDE + 4}" text-anchor="end">{tick:g}</text>'
    for name, colour in COLOURS.items():
        points = curves.get((panel, name))
        if not points:
            continue
        if len(points) > 1:
            line = " ".join(at(point) for point in sorted(points))
            yield f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.6"/>'
        middle = min(points, key=lambda point: abs(point[2] - 0.5))
        x, y = at(middle).split(",")
        yield f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"/>'


def main():
    curves = read(sys.argv[1])
    panels = [panel for panel in PANELS if any(panel == condition for condition, _ in curves)]
    names = [name for name in COLOURS if any(name == detector for _, detector in curves)]
    width, height = LEFT + len(panels) * (SIDE + GAP), TOP + SIDE + 70
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        'font-size="11" fill="#333">',
        "<title>Speech that is heard against silence that is taken for speech</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for i, panel in enumerate(panels):
        lines += [f'<g transform="translate({LEFT + i * (SIDE + GAP)},{TOP})">', *draw(curves, panel), "</g>"]
    y = TOP + SIDE + 34
    lines.append(f'<text x="{LEFT}" y="{y}">across: silence taken for speech; up: speech that is heard; '
                 "dots: at the threshold 0.5</text>")
    for i, name in enumerate(names):
        x = LEFT + i * 100
        lines.append(f'<circle cx="{x + 4}" cy="{y + 18}" r="4" fill="{COLOURS[name]}"/>')
        lines.append(f'<text x="{x + 14}" y="{y + 22}">{name}</text>')
    lines.append("</svg>")
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
