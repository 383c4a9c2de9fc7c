# SPDX-License-Identifier: BSD-2-Clause
"""Plots of the benchmark's figures, as SVG written by hand: no library is needed."""
from html import escape

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 60, 110, 40, 50
COLOURS = {"lb": "#1f77b4", "lru": "#d62728", "floor": "#7f7f7f"}
LABELS = {"lb": "this balancer", "lru": "LRU design", "floor": "floor"}


def text(x, y, words, anchor="middle", size=12, fill="#222"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
            f'fill="{fill}">{escape(words)}</text>')


def line(x1, y1, x2, y2, stroke="#ddd", width=1.0):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}" '
            f'stroke-width="{width}"/>')


def write(path, title, parts, height=HEIGHT):
    body = "\n".join(parts)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
                   f'width="{WIDTH}" height="{height}" font-family="sans-serif">\n'
                   f'<rect width="100%" height="100%" fill="#fff"/>\n'
                   f'{text(WIDTH / 2, 22, title, size=14)}\n{body}\n</svg>\n')


def step_of(most):
    """A round step that makes four to ten grid lines."""
    for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000):
        if most / step <= 10:
            return step
    return 2000


def write_lines(path, title, under, labels, lines, most):
    """lines: (name, colour, dashes, values), a value for each label; dashes "" is an unbroken line."""
    plot_width, plot_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(i):
        return LEFT + plot_width * i / (len(labels) - 1)

    def y(value):
        return TOP + plot_height * (1 - value / most)

    parts = []
    step = step_of(most)
    for grid in range(0, int(most) + 1, step):
        parts += [line(LEFT, y(grid), WIDTH - RIGHT, y(grid)),
                  text(LEFT - 8, y(grid) + 4, str(grid), "end")]
    for i, label in enumerate(labels):
        parts.append(text(x(i), HEIGHT - BOTTOM + 18, label))
    parts.append(text(LEFT + plot_width / 2, HEIGHT - 10, under))
    for name, colour, dashes, values in lines:
        track = " ".join(f"{x(i):.1f},{y(value):.1f}" for i, value in enumerate(values))
        parts.append(f'<polyline points="{track}" fill="none" stroke="{colour}" '
                     f'stroke-width="2.5" stroke-dasharray="{dashes}"/>')
        parts.append(text(WIDTH - RIGHT + 8, y(values[-1]) + 4, name, "start", fill=colour))
    write(path, title, parts)


def write_flows(rows, path):
    """Nanoseconds a packet over the number of flows, a line for each program."""
    points = {row["name"]: row for row in rows}
    names = [f"tcp4-{flows}" for flows in ("1", "1k", "64k", "1m")]
    if any("lb" not in points.get(name, {}) for name in names):
        return
    lines = [(label, COLOURS[program], "",
              [points[name][program]["median_ns"] for name in names])
             for program, label in LABELS.items()]
    write_lines(path, "ns of CPU a packet, TCP over IPv4, net of the harness", "flows",
                ("1", "1,024", "65,536", "1,048,576"), lines,
                max(max(values) for *_, values in lines) * 1.05)


def write_vips(pairs, bounds, path):
    """What a packet costs with many VIPs that share a pool, as a multiple of what it costs with one."""
    ratios = {row["name"]: row["ratio"] for row in pairs if "ratio" in row}
    if any(name not in ratios for name in bounds):
        return
    lines = [("one pool", COLOURS["lb"], "", [1, *(ratios[name] for name in bounds)]),
             ("at most", COLOURS["floor"], "4 4", [1, *bounds.values()])]
    write_lines(path, "a packet with many VIPs of one pool, as a multiple of one VIP", "VIPs",
                ("1", *(f"{int(name.split('-')[1]):,}" for name in bounds)), lines,
                max(max(values) for *_, values in lines) * 1.1)


def write_live(rows, path):
    """Net nanoseconds a packet of what packets went through, a bar each."""
    bars = [(row["name"], row["net_ns"]) for row in rows if "net_ns" in row]
    if not bars:
        return
    height = TOP + 24 * len(bars) + 20
    most = max(value for _, value in bars)
    left = 190
    parts = []
    for i, (name, value) in enumerate(bars):
        y = TOP + 24 * i
        width = (WIDTH - left - 70) * value / most
        colour = COLOURS["lb"] if name.startswith("lb") else (
            COLOURS["lru"] if name.startswith("lru") else COLOURS["floor"])
        parts += [f'<rect x="{left}" y="{y}" width="{width:.1f}" height="16" fill="{colour}"/>',
                  text(left - 8, y + 13, name, "end"),
                  text(left + width + 6, y + 13, f"{value:.0f}", "start")]
    write(path, "ns of CPU a packet through veths, generator taken off", parts, height)
