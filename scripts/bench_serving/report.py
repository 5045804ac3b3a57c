"""Medians over the rounds, as tables in Markdown. Knows the raw numbers' shape; measures nothing."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

from scripts.bench_serving.plans import CLIENTS, POISSON, SINGLE, VARIED

Run = dict[str, Any]


def median(runs: list[Run], key: str) -> float | None:
    values = [run[key] for run in runs if run.get(key) is not None]
    return statistics.median(values) if values else None


def of(runs: list[Run], contender: str, load: str) -> list[Run]:
    return [run for run in runs if (run["contender"], run["load"]) == (contender, load)]


def contenders(runs: list[Run]) -> list[str]:
    return list(dict.fromkeys(run["contender"] for run in runs))


def markdown(report: dict[str, Any]) -> str:
    """The page: machine, then for each shape throughput, latency under load, single stream and floor, ratios."""
    machine = report["machine"]
    lines = [
        "# Serving over HTTP",
        "",
        f"`{report['command']}` at {report['when']}, commit {report['commit']}: {machine['cpu']}, {machine['cores']} "
        f"cores, Python {machine['python']}, load average before {machine['load_average']:.2f}. "
        f"{report['minutes']:.1f} minutes. Raw numbers: serving.json.",
        "",
        "Random weights in Flan-T5's exact shapes, 128 tokens in; all servers stay loaded, the rounds are interleaved, "
        "figures are medians over the rounds. `>`: time was over before all requests were answered. The floor is the "
        "time to read every weight of a decoder step once; the project's server reads the output layer as int8 first, "
        "and scores in float32 what that leaves in the race: so in float32 it may pass it.",
        "",
        "Layouts: " + "; ".join(f"{name} {layout}" for name, layout in report.get("layouts", {}).items()) + ".",
        "",
        "![tokens per second](serving.svg)",
        "",
        "Where the time goes and what was tried: [serving-analysis.md](serving-analysis.md).",
    ]
    for shape, part in report["shapes"].items():
        lines += ["", f"## Flan-T5-{shape}, {part['rounds']} rounds", "", *_shape(part)]
    return "\n".join(lines) + "\n"


def _shape(part: dict[str, Any]) -> list[str]:
    runs = part["runs"]
    heads = ["1 client", "8 clients", CLIENTS]
    lines = _table(
        ["tokens/s (end to end p50/p95 s)", *heads, f"{VARIED}: wall s", "peak MB"],
        runs,
        lambda name: [
            *(_speed(of(runs, name, head)) for head in heads),
            _wall(of(runs, name, VARIED)),
            _number(median([run for run in runs if run["contender"] == name], "peak_mb"), 0),
        ],
    )
    lines += [
        "",
        *_table(
            [f"{POISSON}", "requests/s", "first token p50/p95 s", "between tokens p50/p95 ms", "end to end p50/p95 s"],
            runs,
            lambda name: _poisson(of(runs, name, POISSON)),
        ),
    ]
    lines += [
        "",
        *_table(
            [SINGLE, "tokens/s", "first token s", "ms per token", "floor ms", "of the floor's speed"],
            runs,
            lambda name: _single(of(runs, name, SINGLE), part["floor_ms"][name.rpartition(" ")[2]]),
        ),
    ]
    return [*lines, "", *_ratios(runs)]


def _table(head: list[str], runs: list[Run], row: Callable[[str], list[str]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join([name, *row(name)]) + " |" for name in contenders(runs)]


def _speed(runs: list[Run]) -> str:
    if not runs:
        return "–"
    more = ">" if any(run["is_cut"] for run in runs) else ""
    times = f"{more}{_number(median(runs, 'end_to_end_s_50'), 2)}/{more}{_number(median(runs, 'end_to_end_s_95'), 2)}"
    return f"{_number(median(runs, 'tokens_per_s'), 1)} ({times})"


def _wall(runs: list[Run]) -> str:
    if not runs:
        return "–"
    if any(run["is_cut"] for run in runs):
        return f"> {_number(median(runs, 'seconds'), 1)} ({runs[0]['requests']} of {runs[0]['sent']} answered)"
    return _number(median(runs, "seconds"), 2)


def _poisson(runs: list[Run]) -> list[str]:
    more = ">" if any(run["is_cut"] for run in runs) else ""
    return [
        _number(median(runs, "rate_per_s"), 2),
        more + _pair(runs, "first_token_s", 1, 3),
        _pair(runs, "inter_token_s", 1000, 1),
        more + _pair(runs, "end_to_end_s", 1, 2),
    ]


def _single(runs: list[Run], floor_ms: float) -> list[str]:
    gap = median(runs, "inter_token_s_50")
    share = "–" if gap is None else f"{floor_ms / (gap * 1000):.0%}"
    return [
        _number(median(runs, "tokens_per_s"), 1),
        _number(median(runs, "first_token_s_50"), 3),
        _number(None if gap is None else gap * 1000, 2),
        _number(floor_ms, 2),
        share,
    ]


def _ratios(runs: list[Run]) -> list[str]:
    lines = []
    for precision in ("int8", "fp32"):
        ours, peer = f"project {precision}", f"CTranslate2 {precision}"
        pairs = [
            (f"32 clients, tokens/s: {ours} / naive", _ratio(runs, CLIENTS, "tokens_per_s", ours, "naive fp32")),
            (f"32 clients, tokens/s: {ours} / {peer}", _ratio(runs, CLIENTS, "tokens_per_s", ours, peer)),
            (f"single stream, tokens/s: {ours} / {peer}", _ratio(runs, SINGLE, "tokens_per_s", ours, peer)),
            (f"single stream, tokens/s: {ours} / naive", _ratio(runs, SINGLE, "tokens_per_s", ours, "naive fp32")),
            (f"varied lengths, wall time: {ours} / {peer}", _ratio(runs, VARIED, "seconds", ours, peer)),
            (f"Poisson, first token p95: {ours} / {peer}", _ratio(runs, POISSON, "first_token_s_95", ours, peer)),
            (f"Poisson, between tokens p95: {ours} / its own single stream", _loaded_gap(runs, ours)),
        ]
        lines += [f"- {text}: {value:.2f}" for text, value in pairs if value is not None]
    return lines


def _ratio(runs: list[Run], load: str, key: str, above: str, below: str) -> float | None:
    upper, lower = median(of(runs, above, load), key), median(of(runs, below, load), key)
    return upper / lower if upper is not None and lower else None


def _loaded_gap(runs: list[Run], name: str) -> float | None:
    loaded = median(of(runs, name, POISSON), "inter_token_s_95")
    alone = median(of(runs, name, SINGLE), "inter_token_s_95")
    return loaded / alone if loaded is not None and alone else None


def _pair(runs: list[Run], key: str, scale: float, digits: int) -> str:
    pair = [median(runs, f"{key}_{rank}") for rank in (50, 95)]
    return "/".join(_number(None if value is None else value * scale, digits) for value in pair)


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"
