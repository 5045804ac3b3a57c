"""Bars of tokens per second in SVG, from the raw numbers. Needs no library; knows no measuring.

python -m scripts.bench_serving.chart docs/benchmarks/serving.json docs/benchmarks/serving.svg
"""

from __future__ import annotations

import json
import sys
from html import escape
from pathlib import Path
from typing import Any

from scripts.bench_serving.plans import CLIENTS
from scripts.bench_serving.report import contenders, median, of

LOADS = ("1 client", "8 clients", CLIENTS)
COLORS = ("#0b6e4f", "#73bfa5", "#28598f", "#8fb3d9", "#b5651d", "#8c8c8c")
BAR, GAP, LEFT, WIDTH, TOP = 14, 10, 110, 760, 46
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#222}.t{font-weight:600}.bg{fill:#fff}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.bg{fill:#161616}}"
)


def chart(report: dict[str, Any]) -> str:
    """One block of bars for each shape and load; each shape has its own scale."""
    parts: list[str] = []
    y = TOP
    names: list[str] = []
    for shape, part in report["shapes"].items():
        runs = part["runs"]
        names = names or contenders(runs)
        speeds = {(name, load): median(of(runs, name, load), "tokens_per_s") for name in names for load in LOADS}
        most = max((speed for speed in speeds.values() if speed), default=1.0)
        parts.append(_text(10, y, f"Flan-T5-{shape}: tokens per second over HTTP, 128 tokens in", "t"))
        y += 14
        for load in LOADS:
            parts.append(_text(10, y + BAR * len(names) / 2 + 4, load))
            for number, name in enumerate(names):
                parts += _bar(y, speeds[name, load], most, COLORS[number % len(COLORS)])
                y += BAR
            y += GAP
        y += 24
    legend = [_legend(number, name) for number, name in enumerate(names)]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}" role="img">'
    return "\n".join(
        [head, f"<style>{STYLE}</style>", '<rect class="bg" width="100%" height="100%"/>', *legend, *parts, "</svg>\n"]
    )


def _bar(y: float, speed: float | None, most: float, color: str) -> list[str]:
    if speed is None:
        return []
    width = max(1.0, (WIDTH - LEFT - 70) * speed / most)
    return [
        f'<rect x="{LEFT}" y="{y + 1}" width="{width:.1f}" height="{BAR - 2}" fill="{color}"/>',
        _text(LEFT + width + 6, y + BAR - 3, f"{speed:,.0f}"),
    ]


def _legend(number: int, name: str) -> str:
    x = 10 + number * (WIDTH - 20) / len(COLORS)
    square = f'<rect x="{x:.0f}" y="8" width="10" height="10" fill="{COLORS[number % len(COLORS)]}"/>'
    return square + _text(x + 14, 17, name)


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    name = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.0f}" y="{y:.0f}"{name}>{escape(text)}</text>'


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.write_text(chart(json.loads(source.read_text())))
