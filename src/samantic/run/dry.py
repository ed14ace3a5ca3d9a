"""A few steps of a training, to estimate the memory and time of the whole; nothing is kept."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, NamedTuple

import lightning as L  # L is the name that Lightning's documentation uses
import torch

from samantic.config.train import Config, TrainConfig
from samantic.data.loading import Draws, Source, train_loader
from samantic.learn.fit import fit
from samantic.learn.steps import ends_step
from samantic.models.devices import available_gpus
from samantic.run.train import lessons, prepare

STEPS, WARM = 4, 1
"""Number of measured steps, and of steps before them, in which memory is first allocated."""

SECONDS = 10.0
"""Longest time in seconds for which the loading of pairs is measured."""

FULL, EMPTY = 0.85, 0.4
"""Shares of a device's memory: above the first a step is too large, below the second small."""


class Need(NamedTuple):
    """Memory of a step as a function of its pairs, estimated from a step with one pair.

    The memory that a step adds grows with the pairs, except for the gradients and AdamW's two
    moments: three float32 numbers for each trained weight.

    Attributes:
        fixed: Bytes without pairs: libraries, weights, gradients and moments.
        pair: Bytes for each pair.
    """

    fixed: int
    pair: int

    @classmethod
    def of(cls, before: int, peak: int, trained: int) -> Need:
        """Estimate from the bytes before and at the peak of a step, and the trained weights."""
        fixed = min(before + 12 * trained, peak)
        return cls(fixed, peak - fixed)

    def at(self, batch: int) -> int:
        """Bytes at the peak of a step with `batch` pairs in each pass."""
        return self.fixed + batch * self.pair


class Measured(NamedTuple):
    """What a step of a training needs.

    Attributes:
        steps: Number of steps of the whole training.
        seconds: Duration of a step, without the loading of its pairs.
        peak: Bytes of memory at the peak of a step: of the GPU, else of the whole process.
        total: Bytes of memory of the device.
        pairs: Pairs in a step on one device.
        loaded: Pairs that the loading processes deliver in a second.
        workers: Number of loading processes.
        device: Device of the measurement.
        need: The estimate of memory by pairs.
        fits: Whether the steps were completed; if not, `seconds` and `peak` are estimates.
    """

    steps: int
    seconds: float
    peak: int
    total: int
    pairs: int
    loaded: float
    workers: int
    device: str
    need: Need = Need(0, 0)
    fits: bool = True

    @property
    def hours(self) -> float:
        """Hours of the whole training, without its validations."""
        return self.steps * max(self.seconds, self.pairs / self.loaded) / 3600


def dry_run(config: Config) -> Measured:
    """Run a few steps of a training, print what they need and what to change, and keep nothing.

    The first step has one pair. If the estimate from it exceeds the available memory, no other step
    follows, because a system that runs out of memory ends programs without a message.

    Raises:
        InputError: The data, the base or an option cannot be used.
        StoppedError: Memory runs out; the line says which options reduce its use.
    """
    job = prepare(config, resume=False, quiet=False, dry=True)
    task, source = lessons(job)
    loaded = _load(source, config.train)
    options = replace(config.train, devices=1, log=None)
    pairs = options.batch_size * options.accumulate
    first = options if pairs == 1 else replace(options, batch_size=1, accumulate=1, steps=1)
    meter = _measure(task, source, first)
    need, total = _need(meter, task), _total(task.device)
    peak, seconds = need.at(options.batch_size), pairs * meter.middle
    if fits := peak < total:
        meter = meter if pairs == 1 else _measure(task, source, options)
        peak, seconds = meter.peak, meter.middle
    devices = max(1, len(available_gpus()))
    if config.train.devices != "auto":
        devices = int(config.train.devices)
    steps = options.total_steps(len(source), pairs * devices)
    about = source.workers, _name(task.device), need, fits
    found = Measured(steps, seconds, peak, total, pairs, loaded, *about)
    print("\n".join([*_facts(found), *(f"change: {line}" for line in changes(found, options))]))
    return found


def _measure(task: L.LightningModule, source: Source, options: TrainConfig) -> _Meter:
    """Run the first steps of a training."""
    meter = _Meter()
    with TemporaryDirectory() as folder, suppress(_EnoughError):
        fit(task, Path(folder), options, source, None, [meter])
    return meter


def _need(meter: _Meter, task: L.LightningModule) -> Need:
    """Estimate the memory from the measured steps of one pair."""
    trained = sum(p.numel() for p in task.parameters() if p.requires_grad)
    return Need.of(meter.before, meter.peak, trained)


class _EnoughError(Exception):
    """The measurement is complete."""


class _Meter(L.Callback):
    """Measures time and memory of the first steps, and then ends the training."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.before, self.peak, self.start = 0, 0, 0.0

    @property
    def middle(self) -> float:
        """The median duration of the steps in seconds."""
        return sorted(self.seconds)[len(self.seconds) // 2]

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx % trainer.accumulate_grad_batches == 0:
            forget_peak(pl_module.device)
            self.before = self.before or peak_of(pl_module.device)
            self.start = perf_counter()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        if not ends_step(trainer, index):
            return
        peak = peak_of(pl_module.device)  # this waits for a GPU
        self.seconds.append(perf_counter() - self.start)
        if trainer.global_step > min(WARM, trainer.max_steps - 1):
            self.peak = max(self.peak, peak)
        if trainer.global_step >= min(WARM + STEPS, trainer.max_steps):
            self.seconds = self.seconds[WARM:] or self.seconds
            raise _EnoughError


def _load(source: Source, options: TrainConfig) -> float:
    """Pairs that are loaded in a second, measured after the first batch of each process."""
    count, first = 0, max(1, source.workers)
    draws = Draws(len(source), options.batch_size, options.seed, 10_000)
    batches = iter(train_loader(source, draws))
    for _ in islice(batches, first):
        pass
    start = perf_counter()
    for _ in _until(batches, start + SECONDS / 2, 4 * first):
        count += options.batch_size
    return count / (perf_counter() - start)


def _until(batches: Iterator[Any], end: float, most: int) -> Iterator[Any]:
    for batch in islice(batches, most):
        yield batch
        if perf_counter() > end:
            return


def _facts(found: Measured) -> list[str]:
    eaten, need = found.pairs / found.seconds, found.need
    told = "" if found.fits else "; this does not fit: estimated from one step with one pair"
    return [
        f"device: {found.device}",
        f"memory: {found.peak / 1e9:.2f} GB at the peak of a step, of {found.total / 1e9:.1f} GB"
        f"{told}",
        f"estimate: {need.fixed / 1e9:.2f} GB, and {need.pair / 1e9:.3f} GB for each pair of "
        "train.batch_size",
        f"step: {found.seconds:.3g} s for {found.pairs} pairs, {eaten:.3g} pairs/s; loading gives "
        f"{found.loaded:.3g} pairs/s with data.workers {found.workers}",
        f"to the end: {found.steps} steps, {found.hours:.3g} hours, validations apart",
    ]


def changes(found: Measured, options: TrainConfig) -> list[str]:
    """Changes to the options that suit the device of the measurement, a line each."""
    lines, share = [], found.peak / found.total
    if share > FULL:
        half = -(-options.batch_size // 2)
        if options.batch_size > 1:
            lines.append(
                f"train.batch_size {half} and train.accumulate {2 * options.accumulate}: the same "
                "pairs in a step, about half of the memory"
            )
        if not options.checkpointing:
            lines.append("train.checkpointing true: less memory, about a third more time")
    elif share < EMPTY and options.accumulate > 1:
        lines.append("train.accumulate 1 and a larger train.batch_size: the memory is large enough")
    if found.loaded < found.pairs / found.seconds:
        cores = os.cpu_count() or 1
        wanted = max(1, round(found.workers * found.pairs / found.seconds / found.loaded))
        if found.workers < cores:
            lines.append(
                f"data.workers {min(cores, max(wanted, found.workers + 1))}: loading is "
                "slower than the step"
            )
        else:
            lines.append(
                "smaller images on the disk, or more cores: loading is slower than the step"
            )
    return lines


def forget_peak(device: torch.device) -> None:
    """Reset the peak that `peak_of` returns."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")  # Linux then resets VmHWM


def peak_of(device: torch.device) -> int:
    """Peak memory in bytes since `forget_peak`: of a GPU, else of this process."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return int(torch.cuda.max_memory_allocated(device))
    status = Path("/proc/self/status")
    if status.exists() and (match := re.search(r"VmHWM:\s+(\d+) kB", status.read_text())):
        return 1024 * int(match[1])
    import resource

    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _total(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[1])
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {torch.get_num_threads()} threads"
