"""What an output holds when something of it is lost, and what a list of it takes; without Ray."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

pytest.importorskip("pyarrow", reason="the extra ray is not installed")

import pyarrow as pa
from pyarrow import parquet

from samantic.cluster.identity import key_of, keys_of
from samantic.cluster.labelling import SCHEMA
from samantic.cluster.order import Form, Order
from samantic.cluster.outputs import Tree, output_of
from samantic.cluster.storage import files_below, open_place
from samantic.cluster.summary import Totals, write_summary
from samantic.cluster.writing import Writer
from samantic.errors import InputError

CLASSES = ("background", "car")
NAMES = [f"drive/{i}" for i in range(5)]


def order_of(folder: Path, form: Form) -> Order:
    return Order("nano", {}, {}, CLASSES, open_place(str(folder), "--output"), form)


def block_of(names: list[str], failed: tuple[str, ...] = ()) -> pa.Table:
    """Labelled pairs; the share of class 1 is their number's over 10."""
    rows: list[dict[str, Any]] = []
    for name in names:
        row: dict[str, Any] = {"key": key_of(name), "name": name, "there": False}
        if name in failed:
            rows.append({**row, "error": "no memory"})
            continue
        labels = np.zeros((2, 5), np.uint8)
        labels.flat[: int(name[-1])] = 1
        cells = {"labels": labels.tobytes(), "height": 2, "width": 5, "mark": "m"}
        states = {"rgb_camera": "ok", "thermal_camera": "ok"}
        rows.append({**row, **cells, **states, "confidence": 0.5, "seconds": 2.0})
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def summary_of(order: Order) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Its rows by name, and its sums."""
    finished = output_of(order).finished()
    write_summary(order, Totals(5, 5, 0, 0, 5, ()), finished)
    folder = Path(order.output.path)
    rows = parquet.read_table(folder / "summary.parquet").to_pylist()
    totals: dict[str, Any] = json.loads((folder / "summary.json").read_text())["output"]
    return sorted(rows, key=lambda row: row["name"]), totals


@pytest.mark.parametrize("form", get_args(Form))
@pytest.mark.parametrize("damage", ["removed", "damaged"])
def test_a_row_that_is_lost_is_made_up_for_from_the_labels(
    tmp_path: Path, form: Form, damage: str
) -> None:
    order = order_of(tmp_path, form)
    Writer(order)(block_of(NAMES[:2]))
    Writer(order)(block_of(NAMES[2:]))
    expected, sums = summary_of(order)
    assert sums["rebuilt"] == 0
    for part in list((tmp_path / "parts" / "done").iterdir())[:1]:
        part.unlink() if damage == "removed" else part.write_bytes(b"PAR1")
    rows, totals = summary_of(order)
    assert [row["name"] for row in rows] == NAMES
    for name in ("key", "error", "height", "width", "confidence", "shares"):
        assert [row[name] for row in rows] == [row[name] for row in expected]
    lost = [row for row in rows if row["seconds"] is None]
    assert totals["rebuilt"] == len(lost) in (2, 3)
    assert all(row["rgb_camera"] is None for row in lost)
    assert totals["done"] == totals["labels"] == 5
    assert totals["shares"] == sums["shares"]
    assert totals["confidence"] == sums["confidence"]
    assert totals["seconds"] == 2.0 * (5 - len(lost))


@pytest.mark.parametrize("form", get_args(Form))
def test_no_row_at_all(tmp_path: Path, form: Form) -> None:
    order = order_of(tmp_path, form)
    Writer(order)(block_of(NAMES))
    next((tmp_path / "parts" / "done").iterdir()).unlink()
    rows, totals = summary_of(order)
    assert [row["name"] for row in rows] == NAMES
    assert (totals["done"], totals["seconds"]) == (5, 0.0)


@pytest.mark.parametrize("form", get_args(Form))
def test_damaged_labels_without_a_row_are_named(tmp_path: Path, form: Form) -> None:
    order = order_of(tmp_path, form)
    Writer(order)(block_of(NAMES))
    next((tmp_path / "parts" / "done").iterdir()).unlink()
    ((path, _), *_) = files_below(order.output.at("labels"))
    (tmp_path / "labels" / path).write_bytes((tmp_path / "labels" / path).read_bytes()[:60])
    with pytest.raises(InputError, match=r"damaged \(.*\); remove it and repeat the command"):
        summary_of(order)


@pytest.mark.parametrize("form", get_args(Form))
def test_a_pair_that_succeeds_only_after_a_killed_try_has_its_row(
    tmp_path: Path, form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The try has left its part of the summary, without that pair, and no labels."""
    order = order_of(tmp_path, form)
    writer = Writer(order)
    with monkeypatch.context() as patch:
        patch.setattr(writer.output, "write", lambda block: None)  # killed before it
        writer(block_of(NAMES, failed=("drive/3",)))
    writer(block_of(NAMES))
    assert np.array_equal(output_of(order).finished(), np.sort(keys_of(NAMES)))
    rows, totals = summary_of(order)
    assert [row["name"] for row in rows] == NAMES
    assert (totals["done"], totals["failed"], totals["rebuilt"]) == (5, 0, 0)


def test_a_pair_that_failed_in_two_blocks_has_one_row(tmp_path: Path) -> None:
    order = order_of(tmp_path, "png")
    Writer(order)(block_of(NAMES[:3], failed=("drive/1",)))
    Writer(order)(block_of(NAMES[1:], failed=("drive/1",)))
    rows, totals = summary_of(order)
    assert [row["name"] for row in rows] == NAMES
    assert (totals["done"], totals["failed"]) == (4, 1)


def test_a_list_of_the_labels_takes_eight_bytes_each(tmp_path: Path) -> None:
    """And what numpy reserves while it grows, and the names of the files of one folder."""
    count = 4000
    for folder in range(4):
        (tmp_path / "labels" / str(folder)).mkdir(parents=True)
        for i in range(count // 4):
            (tmp_path / "labels" / str(folder) / f"{i:060d}.png").touch()
    tree = Tree(order_of(tmp_path, "png"))
    tree.finished()
    tracemalloc.start()
    assert len(tree.finished()) == count
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * count * 2 + 20_000
