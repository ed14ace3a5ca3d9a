from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import yaml
from PIL import Image
from torch import Tensor

from samantic.ablation.grid import Grid
from samantic.ablation.results import collect, columns, markdown, to_csv
from samantic.ablation.tables import Row, Table, read_table
from samantic.cli import main
from samantic.config.read import to_yaml
from samantic.distill.teacher import load_teacher
from samantic.errors import InputError
from samantic.files import write_json, write_text
from samantic.learn.history import read_history
from samantic.predict.model_folder import fingerprint
from samantic.provenance import write_inputs
from samantic.run.data import open_splits
from samantic.run.folder import data_inputs
from tests.processes import ended, start
from tests.run.test_killed import wait

WriteConfig = Callable[..., Path]
TABLES = sorted((Path(__file__).parents[2] / "configs" / "ablations").glob("*.yaml"))


def write_table(path: Path, **rows: dict[str, object]) -> Path:
    path.write_text(
        yaml.safe_dump({"title": path.stem, "rows": {k: {"set": v} for k, v in rows.items()}})
    )
    return path


@pytest.fixture
def config(write_config: WriteConfig, mfnet: Path) -> Path:
    return write_config(mfnet, train={"steps": 2, "validations": 1})


@pytest.mark.slow
def test_grid_through_the_command(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two tables that share a cell, one cell that fails, then a second start."""
    first = write_table(tmp_path / "one.yaml", base={}, none={"model.auxiliary": "none"})
    second = write_table(tmp_path / "two.yaml", base={}, broken={"model.base": "/nowhere"})
    out = tmp_path / "grid"
    words = ["ablate", str(first), str(second), "--config", str(config), "--seeds", "4"]
    words += ["--jobs", "2", "--out", str(out)]
    assert main(words) == 1
    told = capsys.readouterr().out
    assert "base /nowhere: no such folder, and not looked up on the hub" in told
    runs = {path.parent for path in out.glob("cells/*/metrics.json")}
    assert len(runs) == 2
    assert len(list((out / "cells").iterdir())) == 3
    table = (out / "two.md").read_text()
    assert "| broken | failed |" in table
    assert "--seeds 4" in table
    rows = list(csv.DictReader((out / "one.csv").read_text().splitlines()))
    assert [(row["row"], row["seed"]) for row in rows] == [("base", "4"), ("none", "4")]
    shared = next(run for run in runs if "auxiliary: fpn" in (run / "config.yaml").read_text())
    miou = json.loads((shared / "metrics.json").read_text())["miou"]
    assert float(rows[0]["miou"]) == miou
    assert f"| base | {100 * miou:.2f} |" in table
    page = (out / "report.html").read_text()
    assert page.count("<table>") == 2
    assert page.count("<svg") == 2  # t-SNE of each table
    written = {run: (run / "metrics.json").stat().st_mtime_ns for run in runs}
    assert main(words) == 1  # the broken one is tried again, the others are not
    assert {run: (run / "metrics.json").stat().st_mtime_ns for run in runs} == written


@pytest.mark.slow
def test_killed_grid_continues_and_leaves_no_orphan(config: Path, tmp_path: Path) -> None:
    changes = {"train.steps": 100, "train.validations": 50}
    table = write_table(tmp_path / "t.yaml", short={}, long=changes)
    out = tmp_path / "grid"
    command = [sys.executable, "-m", "samantic", "ablate", str(table), "--config", str(config)]
    command += ["--seeds", "0", "--jobs", "2", "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120

    def unfinished() -> list[Path]:
        return [
            p for p in out.glob("cells/*/last.ckpt") if not (p.parent / "metrics.json").exists()
        ]

    while not (list(out.glob("cells/*/metrics.json")) and unfinished()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
    finished = next(out.glob("cells/*/metrics.json"))
    written = finished.stat().st_mtime_ns
    stopped = unfinished()[0].parent
    cell = json.loads((stopped / ".lock").read_text())["process"]
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait(lambda: not Path(f"/proc/{cell}").exists(), 30)  # the cell does not outlive its grid
    assert main(["ablate", *command[4:]]) == 0
    assert finished.stat().st_mtime_ns == written
    assert len(list((out / "cells").iterdir())) == 2
    history = read_history(stopped)
    assert history[-1]["step"] == 99
    assert len(list((stopped / "logs").iterdir())) == 2, "the cell was resumed, not begun anew"
    assert "| long |" in (out / "t.md").read_text()


@pytest.mark.slow
def test_ctrl_c_ends_the_cells_and_begins_no_other(config: Path, tmp_path: Path) -> None:
    """The one that runs saves its state, and a second start goes on with it."""
    table = write_table(tmp_path / "one.yaml", base={}, none={"model.auxiliary": "none"})
    long = ["--train.steps", "5000", "--train.save-minutes", "0"]
    words = ["ablate", str(table), "--config", str(config), "--seeds", "0", *long]
    out, log = tmp_path / "grid", tmp_path / "log"
    process = start([*words, "--out", str(out)], log)
    wait(lambda: any(out.glob("cells/*/last.ckpt")), 120)
    os.kill(process.pid or 0, signal.SIGINT)
    assert ended(process) == 1
    assert "Traceback" not in log.read_text()
    assert log.read_text().count("samantic: interrupted; written files are complete") == 1
    (cell,) = (out / "cells").iterdir()
    assert "samantic: terminated (SIGTERM) after step" in (cell / "log.txt").read_text()
    assert not (cell / ".lock").exists()


def test_cells_are_shared_and_named_by_their_settings(config: Path, tmp_path: Path) -> None:
    rows = (
        Row("a", {}, {}),
        Row("b", {"model.fusion": "late"}, {}),
        Row("c", {"model.fusion": "paper"}, {}),
    )
    one, two = Table("one", "", "", rows), Table("two", "", "", rows[1:])
    grid = Grid([one, two], config, ["--train.steps", "3"], [0, 1], tmp_path)
    outs = {key: cell.out for key, cell in grid.cells.items()}
    assert len(set(outs.values())) == 4
    assert outs["one", "a", 0] == outs["one", "c", 0] == outs["two", "c", 0]
    assert outs["one", "b", 1] == outs["two", "b", 1] != outs["one", "b", 0]
    assert all(cell.train.steps == 3 for cell in grid.cells.values())
    assert grid.cells["two", "b", 1].model.fusion == "late"


@pytest.mark.slow
def test_a_grid_of_distillations(trained: Path, mfnet: Path, tmp_path: Path) -> None:
    """Rows change keys of a distillation; cells share the masks; teachers stand beside."""
    config = tmp_path / "distill.yaml"
    values = {
        "out": "unused",
        "data": {"root": str(mfnet), "workers": 0, "val": "val", "test": "test"},
        "teacher": {"model": str(trained)},
        "masks": {"source": "instances"},
        "student": {"base": "segformer-micro"},
        "train": {"steps": 1, "batch_size": 2, "validations": 1},
    }
    config.write_text(yaml.safe_dump(values))
    table = write_table(tmp_path / "t.yaml", all={}, alone={"loss.window": 0.0})
    out = tmp_path / "grid"
    words = ["ablate", str(table), "--config", str(config), "--seeds", "4", "--out", str(out)]
    assert main(words) == 0
    known = json.loads((trained / "metrics.json").read_text())["miou"]
    for row in csv.DictReader((out / "t.csv").read_text().splitlines()):
        assert float(row["teacher"]) == pytest.approx(known, abs=1e-9)
        assert 0 <= float(row["ensemble"]) <= 1
    page = (out / "t.md").read_text()
    assert f"| {100 * known:.2f} |" in page
    assert "Student `segformer-micro` of teacher" in page
    kept = sorted(path.name.startswith("targets") for path in (out / "masks").iterdir())
    assert kept == [False, False, True], "masks of train and of test, targets of train"
    assert not list(out.glob("cells/*/masks"))


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
@pytest.mark.parametrize("base", ["scenes", "mfnet"])
def test_shipped_tables_change_keys_that_exist(path: Path, base: str, tmp_path: Path) -> None:
    table = read_table(path)
    if path.stem.startswith("goodsam"):
        base = {"scenes": "goodsam_rgbt", "mfnet": "goodsam_panorama"}[base]
    config = Path(__file__).parents[2] / "configs" / f"{base}.yaml"
    grid = Grid([table], config, [], [0], tmp_path)
    distinct = {cell.out for cell in grid.cells.values()}
    assert len(distinct) >= len(table.rows) - 1  # the configuration may be one of the rows


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rows: {a: {}, b: {}}", "needs `title` and `rows`"),
        ("title: x", "needs `title` and `rows`"),
        ("title: x\nrows: {a: {}}", "two rows or more"),
        ("title: x\nrows: {a: {}, b: {steps: 3}}", "each with `set` and `published`"),
        ("title: [", "not valid YAML"),
    ],
)
def test_broken_tables(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "table.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_table(path)
    with pytest.raises(InputError, match="no such table"):
        read_table(tmp_path / "nowhere.yaml")


def test_unknown_key_and_bad_options(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = write_table(tmp_path / "t.yaml", a={}, b={"model.fuzion": "late"})
    assert main(["ablate", str(table), "--config", str(config)]) == 2
    assert "fuzion" in capsys.readouterr().err
    good = write_table(tmp_path / "g.yaml", a={}, b={"model.fusion": "late"})
    for option, value in (("--jobs", "0"), ("--seeds", "one")):
        with pytest.raises(SystemExit) as stopped:
            main(["ablate", str(good), "--config", str(config), option, value])
        assert stopped.value.code == 2
        assert f"{option}: '{value}' is not a whole number" in capsys.readouterr().err


def finished_cells(grid: Grid) -> None:
    """Write figures as a run would, drawn by row and seed."""
    for (_, row, seed), cell in grid.cells.items():
        run = Path(cell.out)
        run.mkdir(parents=True, exist_ok=True)
        hits = {"a": 6, "b": 9}[row] + seed
        matrix = np.array([[hits, 2], [1, 3]])
        np.savez(run / "confusion.npz", names=np.array(["x", "y"]), matrices=np.stack([matrix] * 2))
        metrics = {
            "miou": hits / 20, "miou_present": hits / 20, "macc": 0.5, "f1": 0.25,
            "miou_interval": [0.1, 0.2], "robustness": {"rgb missing": {"miou": 0.125}},
            "text_alignment": {"spearman": 0.5, "pairs": 3},
        }  # fmt: skip
        (run / "metrics.json").write_text(json.dumps(metrics))


def test_table_of_results(config: Path, tmp_path: Path) -> None:
    rows = (Row("a", {}, {"MFNet": 60.03}), Row("b", {"model.fusion": "late"}, {}))
    table = Table("t", "Title", "A note.", rows, robustness=True)
    grid = Grid([table], config, [], [0, 2], tmp_path / "cells")
    finished_cells(grid)
    results = collect(grid, table)
    header, lines = columns(table, results)
    assert header == [
        "", "mIoU", "to a (95 %)", "mAcc", "F1", "text alignment", "rgb missing",
        "thermal missing", "paper: MFNet",
    ]  # fmt: skip
    assert lines[0][:2] == ["a", "35.00 ± 7.07"]
    assert lines[0][5:] == ["0.50 ± 0.00", "12.50 ± 0.00", "", "60.03"]
    difference = [(h / (h + 3) + 3 / 6) / 2 for h in (9, 11)]
    reference = [(h / (h + 3) + 3 / 6) / 2 for h in (6, 8)]
    expected = 50 * (sum(difference) - sum(reference))
    assert lines[1][2].startswith(f"{expected:+.2f} (")
    alone = [replace(one, matrices=cast(Tensor, one.matrices)[:, :1]) for one in results]
    assert "(" not in columns(table, alone)[1][1][2], "one image has no interval"
    others = [results[0], replace(results[1], names=("x", "z"))]
    assert columns(table, others)[1][1][2] == "other images", "a pair is two answers to one image"
    page = markdown(table, header, lines, ["A fact."])
    assert page.startswith("# Title\n\nA fact.\n\nA note.\n\n|  | mIoU |")
    rows_of_csv = list(csv.reader(to_csv(results).splitlines()))
    assert rows_of_csv[1] == [
        "a", "0", "0.3", "0.1", "0.2", "0.3", "0.5", "0.25", "0.5", "0.125", "", "", "", "",
    ]  # fmt: skip
    shutil.rmtree(grid.cells["t", "b", 2].out)
    assert columns(table, collect(grid, table))[1][1][1] == "45.00"  # one seed is left: no spread


def test_a_grid_asks_again_where_robustness_is_missing(config: Path, tmp_path: Path) -> None:
    rows = (Row("a", {}, {}), Row("b", {"model.fusion": "late"}, {}))
    grid = Grid([Table("t", "", "", rows)], config, [], [0], tmp_path)
    finished_cells(grid)
    cell = grid.cells["t", "a", 0]
    path = Path(cell.out) / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"robustness": None}))
    assert grid.finished(cell)
    robust = Grid([Table("t", "", "", rows, robustness=True)], config, [], [0], tmp_path)
    assert not robust.finished(cell)


def test_finished_cells_of_other_data_are_refused(
    mfnet: Path, write_config: WriteConfig, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(mfnet, tmp_path / "data"))
    rows = (Row("a", {}, {}), Row("b", {"data.thermal_scaling": "frame"}, {}))
    grid = Grid([Table("t", "", "", rows)], write_config(root), [], [0], tmp_path / "cells")
    finished_cells(grid)
    assert grid.run(1) == {}, "cells of an earlier version do not tell"
    for cell in grid.cells.values():
        write_text(Path(cell.out) / "config.yaml", to_yaml(cell))
        write_inputs(Path(cell.out), data_inputs(open_splits(cell.data)))
    assert grid.run(1) == {}
    name = (root / "test.txt").read_text().split()[0]
    Image.new("L", (64, 48)).save(root / "labels" / f"{name}.png")
    with pytest.raises(InputError, match=rf"1 of 2 in test differ, first {name}"):
        grid.run(1)


def test_finished_cells_of_another_teacher_are_refused(
    trained: Path, mfnet: Path, write_config: WriteConfig, tmp_path: Path
) -> None:
    config = write_config(mfnet, train={"teacher": str(trained), "start": str(trained)})
    grid = Grid([Table("t", "", "", (Row("a", {}, {}),))], config, [], [0], tmp_path / "cells")
    (cell,) = grid.cells.values()
    matrices = np.array([[[6, 2], [1, 3]]])
    write_json(Path(cell.out) / "metrics.json", {"robustness": None})
    np.savez(Path(cell.out) / "confusion.npz", names=np.array(["x"]), matrices=matrices)
    write_text(Path(cell.out) / "config.yaml", to_yaml(cell))
    start = {"train.start": fingerprint(trained / "model")}
    teacher = {"train.teacher": load_teacher(str(trained)).fingerprint()}
    data = data_inputs(open_splits(cell.data))
    write_inputs(Path(cell.out), data | {"teacher": teacher, "start": start})
    assert grid.run(1) == {}
    for changed in ("teacher", "start"):
        other = {"teacher": teacher, "start": start} | {changed: {f"train.{changed}": "0123"}}
        write_inputs(Path(cell.out), data | other)
        with pytest.raises(InputError, match=f"1 of 1 in {changed} differ"):
            grid.run(1)


def test_rows_of_several_classes_are_refused(config: Path, tmp_path: Path) -> None:
    rows = (Row("a", {}, {}), Row("b", {"data.layout": "fmb"}, {}))
    with pytest.raises(
        InputError, match=r"table t, row b: other classes than the row a \(9 and 15,"
    ):
        Grid([Table("t", "", "", rows)], config, [], [0], tmp_path)
