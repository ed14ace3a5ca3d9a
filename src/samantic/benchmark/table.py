"""The table of a benchmark for the terminal."""

from __future__ import annotations

from typing import Any

from samantic.measure.tables import UNKNOWN, in_columns, percent

HEADER = (
    "ms, median",
    "p95",
    "CPU ms",
    "pairs/s",
    "time beside the first",
    "of peak",
    "memory, MB",
    "file, MB",
)


def benchmark_table(found: dict[str, Any]) -> str:
    """The times, costs and conditions of a benchmark as text.

    Args:
        found: Result of `benchmark`.
    """
    machine, conditions = found["machine"], found["conditions"]
    lines = {f"{conditions['counts']}": list(HEADER)}
    lines |= {entry["name"]: _cells(entry) for entry in found["entries"]}
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    height, width = conditions["size"]
    said = (
        f"{machine['device']}; {_count(machine['threads'], 'thread')}; {height}x{width}, batch "
        f"{conditions['batch']}; {_count(conditions['rounds'], 'round')}, taking turns"
    )
    if machine["load"] is not None:
        said += f"; load at the start {machine['load']}"
    text = [*in_columns(lines), "", *_operations(found), "", said, versions]
    peaks = (f"{kind} {rate / 1e9:.0f}" for kind, rate in found["peak"].items())
    return "\n".join([*text, f"matrix product, Gop/s: {', '.join(peaks)}"])


def _cells(entry: dict[str, Any]) -> list[str]:
    seconds = entry["seconds"]
    return [
        f"{1000 * seconds['median']:.1f}",
        f"{1000 * seconds['p95']:.1f}",
        f"{1000 * entry['cpu_seconds']:.1f}",
        f"{entry['pairs_per_second']:.2f}",
        f"{entry['ratio']:.3f}",
        UNKNOWN if entry["share_of_peak"] is None else f"{percent(entry['share_of_peak'])} %",
        _millions(entry["peak_memory"]),
        _millions(entry["file_size"]),
    ]


def _operations(found: dict[str, Any]) -> list[str]:
    """Parameters and operations for a pair, by part; equal entries share a line."""
    kinds: dict[tuple[Any, ...], list[str]] = {}
    for entry in found["entries"]:
        if entry["operations"] is not None:
            key = (entry["parameters"], *entry["operations"].items())
            kinds.setdefault(key, []).append(entry["name"])
    if not kinds:
        return []
    parts = [name for name, _ in next(iter(kinds))[1:]]
    lines = {"operations of a pair, G": [*parts, "parameters, M"]}
    for (parameters, *counts), names in kinds.items():
        cells = [f"{count / 1e9:.2f}" for _, count in counts]
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        lines[names[0] + more] = [*cells, f"{parameters / 1e6:.2f}"]
    return in_columns(lines)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _millions(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value / 1e6:.1f}"
