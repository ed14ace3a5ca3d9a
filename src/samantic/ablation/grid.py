"""The grid of an ablation: each cell is an ordinary run in its own process."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from samantic.ablation.tables import Table
from samantic.config.distill import DistillConfig
from samantic.config.read import read_any_config, to_yaml
from samantic.config.train import Config
from samantic.data.camera import ALIGNED_8_BIT
from samantic.data.cards.catalog import CATALOG
from samantic.data.class_names import difference
from samantic.distill.teacher import load_teacher
from samantic.errors import InputError, StoppedError, Terminated
from samantic.files import read_json
from samantic.learn.resume import checkpoints
from samantic.predict.model_folder import find_model, fingerprint
from samantic.progress import open_progress
from samantic.provenance import INPUTS, digest
from samantic.run.data import open_splits
from samantic.run.folder import Inputs, check_inputs, data_inputs
from samantic.run.processes import training_processes
from samantic.strings import of_seed

Run = Config | DistillConfig
"""Configuration of a cell."""


class Grid:
    """The runs of some tables, trainings or distillations; each setting and seed occurs once.

    The name of a cell's folder holds its seed and a digest of its configuration. Tables therefore
    share cells, and a later start finds finished cells.

    Args:
        tables: The tables.
        config: YAML configuration that their rows change.
        overrides: `--key value` words that change it for all rows.
        seeds: Seeds of the training.
        out: Folder for the cells.

    Raises:
        InputError: A row sets a key that does not exist, rows of a table have different classes, or
            there are no seeds.
    """

    def __init__(
        self, tables: list[Table], config: Path, overrides: list[str], seeds: list[int], out: Path
    ) -> None:
        if not seeds:
            raise InputError("ablate: no seeds; give some, e.g. --seeds 0,1,2")
        if read_any_config(config, overrides).data.test is None:
            raise InputError("ablate: data.test is null; name the split for the tables")
        self.tables, self.seeds = tables, seeds
        self.robustness = any(table.robustness for table in tables)
        self.cells: dict[tuple[str, str, int], Run] = {}
        for table in tables:
            for row in table.rows:
                changes = [_word(key, value) for key, value in row.changes.items()]
                for seed in seeds:
                    words = [*overrides, *changes, f"--train.seed={seed}"]
                    self.cells[table.name, row.name, seed] = _cell(
                        read_any_config(config, words), out
                    )
        for table in tables:
            self._check_classes(table)

    def _check_classes(self, table: Table) -> None:
        """Refuse rows whose classes differ from the first row's, since they cannot be compared."""
        first = None
        for row in table.rows:
            data = self.cells[table.name, row.name, self.seeds[0]].data
            classes = tuple(CATALOG[data.layout].classes or data.classes or ())
            first = first or classes
            if classes and (problem := difference(first, classes)):
                raise InputError(
                    f"table {table.name}, row {row.name}: other classes than the row "
                    f"{table.rows[0].name} ({problem}); rows are compared, give them the same"
                )

    def run(self, jobs: int) -> dict[str, str]:
        """Run the cells that are not finished, `jobs` at a time, under one progress bar.

        Returns:
            The errors of cells that failed, by folder.

        Raises:
            InputError: Inputs of finished cells have changed since.
        """
        folders = {config.out: config for config in self.cells.values()}
        waiting = [config for config in folders.values() if not self.finished(config)]
        _check_finished([config for config in folders.values() if self.finished(config)])
        failed: dict[str, str] = {}
        threads = max(1, (os.cpu_count() or 1) // jobs)
        bar = open_progress(
            "cells", "cell", total=len(folders), initial=len(folders) - len(waiting)
        )
        running = _Running()
        with bar, ThreadPoolExecutor(jobs) as pool:
            tasks = {
                pool.submit(running.run, config, threads, self.robustness): config
                for config in waiting
            }
            try:
                for task in as_completed(tasks):
                    problem, config = task.result(), tasks[task]
                    if problem:
                        failed[config.out] = problem
                        bar.set_postfix(failed=len(failed))
                    bar.update()
            except BaseException:  # Ctrl-C: end the cells, which save, and start no others
                pool.shutdown(wait=False, cancel_futures=True)
                running.end()
                raise
        return failed

    def finished(self, config: Run) -> bool:
        """Whether a cell is finished: metrics.json is the last file that a run writes."""
        path = Path(config.out) / "metrics.json"
        return path.exists() and not (self.robustness and read_json(path)["robustness"] is None)


def _check_finished(cells: Sequence[Run]) -> None:
    """Refuse finished cells whose data, or whose start models, have changed."""
    known: dict[str, Inputs] = {}
    models: dict[str, str] = {}
    for cell in cells:
        out = Path(cell.out)
        if not (out / INPUTS).exists():  # written by an earlier version
            continue
        run = read_any_config(out / "config.yaml")  # it holds the teacher's classes
        teacher = run.teacher.model if isinstance(run, DistillConfig) else None
        key = digest([asdict(run.data), teacher])
        if key not in known:
            camera = ALIGNED_8_BIT if teacher is None else load_teacher(teacher).info.camera
            labelled = teacher is None
            known[key] = data_inputs(open_splits(run.data, camera=camera, labelled=labelled))
        check_inputs(out, known[key] | _models(run, models))


def _models(run: Run, known: dict[str, str]) -> Inputs:
    """Digests of the models from which a run learns; `known` caches them."""
    teacher = {"train.teacher": run.train.teacher}
    if isinstance(run, DistillConfig):
        teacher = {"teacher.model": run.teacher.model}
    start = run.train.start and of_seed(run.train.start, run.train.seed)
    found: Inputs = {}
    for part, names in (("teacher", teacher), ("start", {"train.start": start})):
        for key, name in names.items():
            if name is None:
                continue
            if (part + name) not in known:
                teaches = part == "teacher"
                known[part + name] = (
                    load_teacher(name).fingerprint() if teaches else fingerprint(find_model(name))
                )
            found[part] = {key: known[part + name]}
    return found


def _word(key: str, value: object) -> str:
    return f"--{key}={value if isinstance(value, str) else json.dumps(value)}"


def _cell(config: Run, out: Path) -> Run:
    """The configuration of a cell, which trains on one device: cells run side by side."""
    config = replace(config, train=replace(config.train, devices="1"))
    digest = hashlib.sha256(to_yaml(replace(config, out="cell")).encode()).hexdigest()[:10]
    config = replace(config, out=str(out / f"seed{config.train.seed}-{digest}"))
    if isinstance(config, DistillConfig) and config.masks.cache is None:  # cells share masks
        config = replace(config, masks=replace(config.masks, cache=str(out.parent / "masks")))
    return config


class _Running:
    """The running processes of cells."""

    def __init__(self) -> None:
        self.context = training_processes()
        self.lock = threading.Lock()
        self.processes: set[Any] = set()
        self.ended = False

    def run(self, config: Run, threads: int, robustness: bool) -> str | None:
        """Train a cell in a new process; return its error if it failed."""
        process = self.context.Process(target=_train, args=(config, threads, robustness))
        with self.lock:
            if self.ended:
                return "not begun"
            process.start()
            self.processes.add(process)
        process.join()
        with self.lock:
            self.processes.remove(process)
        return None if process.exitcode == 0 else _problem(config, process.exitcode)

    def end(self) -> None:
        """End them by SIGTERM, at which a training saves its state, and start no others."""
        with self.lock:
            self.ended = True
            for process in self.processes:
                process.terminate()


def _problem(config: Run, status: int | None) -> str:
    """The error of a cell: the last line of its log."""
    log = _log(config)
    lines = log.read_text(encoding="utf-8").replace("\r", "\n").split("\n") if log.exists() else []
    last = next((line.strip() for line in reversed(lines) if line.strip()), "no output")
    return f"exit status {status}: {last}"


def _log(config: Run) -> Path:
    return Path(config.out) / "log.txt"


def _train(config: Run, threads: int, robustness: bool) -> None:
    """The process of one cell: it writes to log.txt, and ends when its parent ends."""
    threading.Thread(target=_follow_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the parent ends this
    _log(config).parent.mkdir(parents=True, exist_ok=True)
    with _log(config).open("a", encoding="utf-8") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    import torch

    from samantic.measure.disturbances import MISSING
    from samantic.run.distill import distill
    from samantic.run.train import train

    torch.set_num_threads(min(threads, torch.get_num_threads()))  # the user may have set fewer
    resume = bool(checkpoints(Path(config.out)))
    try:
        options: Any = {"resume": resume, "quiet": True}
        options["disturbances"] = MISSING if robustness else ()
        if isinstance(config, DistillConfig):
            distill(config, **options)
        else:
            train(config, **options)
    except (InputError, StoppedError) as error:
        sys.exit(f"samantic: {error}")
    except Terminated as error:
        print(f"samantic: {error}", file=sys.stderr)
        sys.exit(128 + signal.SIGTERM)


def _follow_parent() -> None:
    """Wait for the parent's end, then exit at once: another process may resume the same run."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
