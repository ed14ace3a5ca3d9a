"""A model that predicts blocks of pairs: one process for each GPU, or for a few CPUs each."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from samantic.cluster.decoding import unpacked
from samantic.cluster.order import Order
from samantic.cluster.outputs import output_of
from samantic.data.camera import RawPair
from samantic.data.thermal import refuse_unit
from samantic.errors import InputError
from samantic.predict.asking import PairPredictor
from samantic.predict.levels import pair_states
from samantic.predict.prediction import Prediction
from samantic.runtime.load import find, is_exported, load

SCHEMA = pa.schema(
    [
        ("key", pa.uint64()),
        ("name", pa.string()),
        ("error", pa.string()),
        ("there", pa.bool_()),
        ("mark", pa.string()),
        ("labels", pa.large_binary()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("confidence", pa.float64()),
        ("seconds", pa.float64()),
        ("rgb_camera", pa.string()),
        ("thermal_camera", pa.string()),
    ]
)
"""Schema of tables that go from the models to writing. `there`: the pair has labels already."""

Files = dict[str, bytes]
"""The files of a model by name."""


def pack_model(name: str) -> tuple[str, Files]:
    """The files of a model, which are sent to the workers, and the name under which they load it.

    Raises:
        InputError: There is no such model.
    """
    place = find(name)
    if is_exported(name):
        with_weights = [place, place.with_suffix(".bin")] if place.suffix == ".xml" else [place]
        return place.name, {path.name: path.read_bytes() for path in with_weights}
    kept = [path for path in place.iterdir() if path.suffix in (".json", ".safetensors")]
    return "", {path.name: path.read_bytes() for path in kept}


class Labeller:
    """A model that labels blocks of pairs.

    Args:
        order: The job.
        model: Result of `pack_model`.
    """

    def __init__(self, order: Order, model: tuple[str, Files]) -> None:
        os.environ["OMP_NUM_THREADS"] = str(order.cpus)  # before it is read at an import
        self.order, self.output = order, output_of(order)
        with tempfile.TemporaryDirectory() as folder:
            for name, content in model[1].items():
                (Path(folder) / name).write_bytes(content)
            device = "auto" if order.gpus else "cpu"
            place = Path(folder) / model[0]
            self.predictor: PairPredictor = load(place, device, **order.options)
        if torch := sys.modules.get("torch"):
            torch.set_num_threads(order.cpus)

    def __call__(self, block: pa.Table) -> pa.Table:
        before = block["there"].to_pylist()
        there = [a or b for a, b in zip(before, self.output.there(block), strict=True)]
        pairs = [self._pair(block, place, there[place]) for place in range(block.num_rows)]
        pairs = self._in_range(pairs)
        rows = []
        heads = block.select(["key", "name", "error", "mark", "seconds"]).to_pylist()
        for place, (row, answer) in enumerate(zip(heads, self._answers(pairs), strict=True)):
            pair = pairs[place]
            row |= {"there": there[place]}
            if not isinstance(pair, InputError):
                states = pair_states(pair, self.predictor.camera)
                row |= {f"{name}_camera": state for name, state in states.items()}
            if isinstance(answer, Prediction):
                row |= _cells(answer, row["seconds"])
            elif not there[place]:
                row["error"] = row["error"] or str(answer)
            rows.append(row)
        return pa.Table.from_pylist(rows, schema=SCHEMA)

    def _pair(self, block: pa.Table, place: int, there: bool) -> RawPair | InputError:
        """The images of a row, or the reason why they are not predicted."""
        if there or block["error"][place].is_valid:
            return InputError(block["error"][place].as_py() or "has its labels")
        rgb, raw = unpacked(block, place)
        camera, name = self.predictor.camera, block["name"][place].as_py()
        try:
            if raw is not None:
                camera.check(raw, rgb, f"{name}, thermal", f"{name}, rgb")
        except InputError as error:
            return error
        return rgb, raw

    def _in_range(self, pairs: list[RawPair | InputError]) -> list[RawPair | InputError]:
        """Replace all pairs by an error if their thermal values are in another unit."""
        heat = [("", x[1]) for x in pairs if not isinstance(x, InputError) and x[1] is not None]
        try:
            if len(heat) > 1:
                camera = self.predictor.camera
                refuse_unit(heat, camera.scaling, "pairs around it", "--thermal-scaling")
        except InputError as error:
            return [x if isinstance(x, InputError) else error for x in pairs]
        return pairs

    def _answers(self, pairs: list[RawPair | InputError]) -> Iterator[Prediction | InputError]:
        """The answer to each pair; if a batch fails, its pairs are predicted one by one."""
        count = 0
        try:
            for answer in self.predictor.predict_each(iter(pairs), self.order.batch_size):
                yield answer
                count += 1
            return
        except (RuntimeError, ValueError, ArithmeticError, MemoryError) as error:
            print(f"samantic: one by one after {type(error).__name__}: {error}", file=sys.stderr)
        for pair in pairs[count:]:
            try:
                yield from self.predictor.predict_each([pair], 1)
            except (RuntimeError, ValueError, ArithmeticError, MemoryError) as error:
                lines = str(error).splitlines() or [""]
                yield InputError(f"the model failed on it ({type(error).__name__}: {lines[0]})")


def _cells(answer: Prediction, decoding: float) -> dict[str, Any]:
    """Pack a prediction into cells of `SCHEMA`."""
    height, width = answer.labels.shape
    return {
        "labels": answer.labels.tobytes(),
        "height": height,
        "width": width,
        "confidence": float(answer.confidence.mean()),
        "seconds": decoding + answer.seconds,
    }
