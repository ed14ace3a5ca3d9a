"""The command `ablate`: run a grid, then write its tables and one page with figures."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import torch
from markupsafe import Markup

from samantic.ablation.grid import Grid, Run
from samantic.ablation.results import collect, columns, markdown, to_csv
from samantic.ablation.tables import Table, read_table
from samantic.config.distill import DistillConfig
from samantic.config.read import read_any_config
from samantic.config.train import EPOCHS, STEPS
from samantic.data.cards.catalog import dataset_spec
from samantic.data.pairs import PairedFolder
from samantic.errors import InputError
from samantic.files import write_text
from samantic.measure.evaluation import Evaluation, evaluate_predictor
from samantic.predict.info import ModelInfo
from samantic.predict.predictor import load
from samantic.report.figures import tsne
from samantic.report.pages import Section, refuse_foreign, write_sections
from samantic.report.pictures import Panel, side_by_side
from samantic.strings import code, printable


def ablate(
    tables: list[Path],
    config: Path,
    overrides: list[str],
    *,
    seeds: list[int],
    jobs: int,
    out: Path,
) -> dict[str, str]:
    """Train the unfinished cells of tables; write the tables of the finished ones.

    Writes `out/cells/`, a TABLE.md and a TABLE.csv for each table, and `out/report.html` with t-SNE
    of the class features and predictions side by side, both for the first seed's models.

    Args:
        tables: YAML files of tables; see `read_table`.
        config: YAML configuration that their rows change.
        overrides: `--key value` words that change it for all rows.
        seeds: Seeds of the training.
        jobs: Number of runs at a time.
        out: Folder to write to.

    Returns:
        The errors of cells that failed, by folder.

    Raises:
        InputError: A table or the configuration cannot be used.
    """
    if jobs < 1:
        raise InputError(f"ablate: {jobs} jobs; give 1 or more")
    asked = [read_table(path) for path in tables]
    _refuse_others(out, asked)
    grid = Grid(asked, config, overrides, seeds, out / "cells")
    failed = grid.run(jobs)
    for folder, problem in failed.items():
        print(printable(f"failed: {folder}: {problem}"))
    words = ["samantic", "ablate", *map(str, tables), "--config", str(config), *overrides]
    words += ["--seeds", ",".join(map(str, seeds))]
    _write(out, grid, asked, _facts(read_any_config(config, overrides), words))
    return failed


def _write(out: Path, grid: Grid, tables: list[Table], facts: list[str]) -> None:
    """Write and print the tables of the cells that are finished, and the page."""
    sections, seen = [], dict[str, tuple[ModelInfo, Evaluation]]()
    for table in tables:
        results = collect(grid, table)
        header, lines = columns(table, results)
        text = markdown(table, header, lines, facts)
        write_text(out / f"{table.name}.md", text)
        write_text(out / f"{table.name}.csv", to_csv(results))
        print(text)
        figures, panels = _pictures(grid, table, seen)
        sections.append(Section(table.title, table.note, header, lines, figures, panels))
    write_sections(out / "report.html", "Ablations", facts, sections)
    print(f"report: {out / 'report.html'}")


def _refuse_others(out: Path, tables: list[Table]) -> None:
    """Refuse a folder with other files that the tables and the page would overwrite.

    Raises:
        InputError: There is such a file.
    """
    written = [f"{table.name}{ending}" for table in tables for ending in (".md", ".csv")]
    if not (out / "cells").is_dir() and (found := [n for n in written if (out / n).exists()]):
        raise InputError(
            f"{out}: holds {found[0]}, but no cells of an ablation; give another --out"
        )
    refuse_foreign(out / "report.html")


def _facts(config: Run, words: list[str]) -> list[str]:
    train = config.train
    length = f"{train.steps} steps" if train.steps else f"{train.epochs} epochs"
    if not (train.steps or train.epochs):
        length = f"{EPOCHS} epochs, or {STEPS} steps where these are more"
    if isinstance(config, DistillConfig):
        what = f"Student {code(config.student.base)} of teacher {code(config.teacher.model)}"
        size = "whole images"
    else:
        what = f"Base {code(config.model.base)}, adapt {config.adapt.method}"
        size = f"crops of {config.augment.crop[0]}x{config.augment.crop[1]}"
    val = config.data.val
    chosen = "the last state" if val is None else f"selected on the split {code(val)}"
    return [
        code(shlex.join(words)),
        f"{what}, {length} of {config.train.batch_size} {size}; "
        f"{chosen}, measured on {code(config.data.test)} of {code(config.data.root)}. "
        "Per cent; mean and standard deviation over the seeds. Differences are paired by image and "
        "seed, with a 95 % bootstrap interval over the images.",
    ]


def _pictures(
    grid: Grid, table: Table, seen: dict[str, tuple[ModelInfo, Evaluation]]
) -> tuple[list[Markup], list[Panel]]:
    """t-SNE and predictions of a table's models of the first seed; `seen` caches shared cells."""
    shown: dict[str, Evaluation] = {}
    info = None
    for row in table.rows:
        config = grid.cells[table.name, row.name, grid.seeds[0]]
        if grid.finished(config):
            if config.out not in seen:
                seen[config.out] = _evaluate(config)
            info, shown[row.name] = seen[config.out]
    if info is None:
        return [], []
    vectors = {name: _class_features(evaluation) for name, evaluation in shown.items()}
    frames = {name: evaluation.frames for name, evaluation in shown.items()}
    return [tsne(vectors, info.classes)], side_by_side(frames, info)


def _evaluate(config: Run) -> tuple[ModelInfo, Evaluation]:
    panorama = True if isinstance(config, DistillConfig) and config.window is not None else None
    predictor, data = load(config.out, panorama=panorama), config.data
    spec = dataset_spec(data)
    split = PairedFolder(data.root, spec, str(data.test), camera=predictor.camera)
    return predictor.info, evaluate_predictor(predictor, split, features=True, pictures=6)


def _class_features(evaluation: Evaluation) -> tuple[np.ndarray, np.ndarray]:
    """One feature per class and frame (n, D), and their classes (n,)."""
    vectors, pixels = evaluation.vectors()
    frames, classes = torch.nonzero(pixels, as_tuple=True)
    return vectors[frames, classes].numpy(), classes.numpy()
