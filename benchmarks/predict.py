"""Where the time of `samantic predict` goes, and how much reading and writing in threads saves.

    python benchmarks/predict.py nano --rgb pairs/rgb --thermal pairs/thermal

Predicts folders in chunks. Half of the chunks are read and written in threads, as in `predict`, the
other half one after the other, in turns. Prints pairs/s and the share of the time outside the
network (wall time minus the network's calls); then the cost of overlays as PNG at each compression
level.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import samantic
from samantic.data.samples import Files
from samantic.predict import folders
from samantic.predict.ahead import ahead
from samantic.predict.folders import find_files, predict_files
from samantic.predict.predictor import Predictor

LEVELS = (1, 4, 6, 9)


def in_turn(call: Callable[[Any], Any], items: Iterable[Any], count: int) -> Iterator[Any]:
    """Like `ahead`, without threads."""
    return map(call, items)


WAYS = {"in threads": ahead, "one after the other": in_turn}


class Clock:
    """Seconds in the network of a model.

    Args:
        model: From now on, its calls are timed.
    """

    def __init__(self, model: Predictor) -> None:
        self.seconds, self.call = 0.0, model._predict
        model._predict = self.timed  # type: ignore[method-assign]

    def timed(self, *given: Any) -> Any:
        start = perf_counter()
        found = self.call(*given)
        self.seconds += perf_counter() - start
        return found


def measure(model: Predictor, files: list[Files], chunk: int) -> None:
    """Print the results of both ways."""
    clock = Clock(model)
    spent = {name: [0.0, 0.0, 0] for name in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        predict_files(model, files[:2], Path(folder, "warm"))
        for turn, first in enumerate(range(0, len(files) - chunk + 1, chunk)):
            name = list(WAYS)[turn % 2]
            folders.ahead = WAYS[name]  # type: ignore[attr-defined]
            clock.seconds, start = 0.0, perf_counter()
            predict_files(model, files[first : first + chunk], Path(folder, str(turn)))
            for place, value in enumerate((perf_counter() - start, clock.seconds, chunk)):
                spent[name][place] += value
    for name, (wall, network, pairs) in spent.items():
        print(
            f"{name}: {pairs:.0f} pairs, {pairs / wall:.2f} pairs/s, outside the network "
            f"{100 * (1 - network / wall):.1f} % of the time"
        )


def compress(model: Predictor, files: list[Files]) -> None:
    """Print time and size of overlays at several levels of compression."""
    overlays = [model.predict(pair.rgb, pair.thermal).overlay() for pair in files]
    for level in LEVELS:
        start, size = process_time(), 0
        for overlay in overlays:
            file = io.BytesIO()
            overlay.save(file, "PNG", compress_level=level)
            size += len(file.getvalue())
        each = 1000 * (process_time() - start) / len(overlays)
        print(f"overlay, level {level}: {each:.1f} ms, {size / len(overlays) / 1000:.0f} kB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--rgb", type=Path, required=True)
    parser.add_argument("--thermal", type=Path, required=True)
    parser.add_argument("--count", type=int, default=336, help="pairs, at most")
    parser.add_argument("--chunk", type=int, default=14, help="pairs of a turn")
    options = parser.parse_args()
    model = samantic.load(options.model, device="cpu")
    files = find_files(options.rgb, options.thermal, None)[: options.count]
    compress(model, files[:10])
    measure(model, files, min(options.chunk, len(files) // 2))


if __name__ == "__main__":
    main()
