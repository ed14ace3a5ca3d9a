"""Progress of a work: a bar on a terminal, otherwise one line a minute."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import Any, Generic, Self, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

SECONDS = 60.0
"""Seconds between two lines if the output is no terminal."""


def progress(items: Iterable[Item], label: str, unit: str = "it", **options: Any) -> Any:
    """Iterate over items and show the progress.

    Args:
        items: The items.
        label: Name of the work.
        unit: Name of an item.
        **options: Options of tqdm; `delay` and `leave` apply to terminals.
    """
    if "total" not in options and isinstance(items, Sized):
        options["total"] = len(items)
    return open_progress(label, unit, items=items, **options)


def open_progress(label: str, unit: str = "it", *, items: Any = None, **options: Any) -> Any:
    """A bar or lines with the methods `update(n)`, `set_postfix(...)`, `n` and `close()`.

    Args:
        label: Name of the work.
        unit: Name of a step.
        items: The items of an iteration, if there is one.
        **options: Options of tqdm, such as `total`, `initial` and `disable`.
    """
    if sys.stderr.isatty():
        return tqdm(items, desc=label, unit=unit, **options)
    kept = {key: options[key] for key in ("total", "initial", "disable") if key in options}
    return Lines(() if items is None else items, label, unit, **kept)


def tell(line: str) -> None:
    """Print a line on stderr above the bar that is shown there."""
    tqdm.write(line, file=sys.stderr)


class Lines(Generic[Item]):
    """Prints one line a minute, and one at the end if it has printed before.

    Args:
        items: The items of an iteration.
        label: Name of the work.
        unit: Name of a step.
        total: Number of steps of the whole work, if known.
        initial: Number of steps that are done already.
        disable: Whether to print nothing.
    """

    def __init__(
        self,
        items: Iterable[Item],
        label: str,
        unit: str,
        total: int | None = None,
        initial: int = 0,
        disable: bool = False,
    ) -> None:
        self.items, self.label, self.unit = items, label, unit
        self.total, self.n, self.initial, self.silent = total, initial, initial, disable
        self.start = self.told = time.monotonic()
        self.postfix = ""

    def __iter__(self) -> Iterator[Item]:
        for item in self.items:
            yield item
            self.update()
        self.close()

    def update(self, n: int = 1) -> None:
        """Count n more steps; print a line if the last one is a minute old."""
        self.n += n
        if time.monotonic() - self.told >= SECONDS:
            self._print()

    def set_postfix(self, figures: dict[str, Any] | None = None, **more: Any) -> None:
        """Set values for the end of a line; tqdm's other options are ignored."""
        shown = {**(figures or {}), **{k: v for k, v in more.items() if k != "refresh"}}
        self.postfix = ", ".join(f"{name}={value}" for name, value in shown.items())

    def close(self) -> None:
        """Print the last line, if a line was printed before."""
        if self.told > self.start:
            self._print()
        self.silent = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _print(self) -> None:
        self.told = time.monotonic()
        if not self.silent:
            text = tqdm.format_meter(
                self.n,
                self.total,
                self.told - self.start,
                prefix=self.label,
                unit=self.unit,
                postfix=self.postfix or None,
                initial=self.initial,
                ncols=0,
            )
            print(text, file=sys.stderr, flush=True)
