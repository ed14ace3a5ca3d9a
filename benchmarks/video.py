r"""The numbers of docs/video.md: a generated recording, cameras that fail, labels that flicker.

    python benchmarks/video.py videos --frames 600 --height 120 --out video
    python benchmarks/video.py faults flicker --height 240
    python benchmarks/video.py --real mfnet_mini msrs roadscene llvip

A camera moves over larger generated scenes with moving bright objects; both cameras add their own
noise. `videos` prints a pair of videos at two frame rates: frames, pairing, memory, real time
factor. `faults` prints for five faults of each camera whether and after how many frames they are
found, and the mIoU with and without the gate. `flicker` prints flicker and mIoU with and without
`--smooth`. `--real FOLDER` prints the gate's alarms over real pairs (rgb/ and thermal/ below it, or
MFNet's images/).
"""

from __future__ import annotations

import argparse
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
import torch
from numpy.typing import NDArray

import samantic
from samantic.data.images import read_rgbt, rgb_array, thermal_array
from samantic.data.video import VideoWriter
from samantic.metrics import iou
from samantic.predict.health import WELL, Gate
from samantic.predict.recording import Recording
from samantic.predict.saving import Look
from samantic.predict.sources import open_sources
from samantic.predict.videos import Order, predict_recording
from samantic.scenes import draw_scene

FAULTS = ("frozen", "black", "saturated", "shifted rows", "dropped")
LENGTH, EVERY = 15, 30  # frames of a fault, and frames from one fault to the next
CLASSES = 9


class Shot(NamedTuple):
    """The images of both cameras at one time, and the ground truth."""

    rgb: NDArray[np.uint8]
    thermal: NDArray[np.uint8]
    labels: NDArray[np.uint8]


class World:
    """Scenes over which a camera moves: a new one every ten seconds, by day and by night."""

    def __init__(self, height: int, seed: int = 7) -> None:
        self.size, self.seed = (height, height * 4 // 3), seed
        self.scenes: dict[int, Any] = {}

    def shot(self, seconds: float, noise: float = 2.0) -> Shot:
        """The images at a time; noise depends only on the time."""
        tall, wide = self.size
        index, phase = int(seconds // 10), seconds % 10 / 10
        if index not in self.scenes:
            self.scenes = {index: draw_scene(self.seed, index, (tall * 5 // 4, wide * 5 // 4))}
        scene = self.scenes[index]
        turn = 2 * np.pi * phase
        y = round((tall // 4) * (0.5 + 0.4 * np.sin(3 * turn)))
        x = round((wide // 4) * (0.5 - 0.5 * np.cos(turn)))
        window = slice(y, y + tall), slice(x, x + wide)
        rgb, thermal, labels = (
            image[window].copy() for image in (scene.rgb, scene.thermal, scene.labels)
        )
        _walk(scene, (rgb, thermal, labels), phase)
        rng = np.random.default_rng(round(1000 * seconds))
        for image in (rgb, thermal):
            image[:] = (image + rng.normal(0, noise, image.shape)).clip(0, 255).round()
        return Shot(rgb, thermal, labels)


def _walk(scene: Any, into: tuple[NDArray[np.uint8], ...], phase: float) -> None:
    """Paste the largest person or car of a scene a second time, moving across the image."""
    ids, counts = np.unique(scene.instances[np.isin(scene.labels, (1, 2))], return_counts=True)
    if not len(ids):
        return
    mask = scene.instances == ids[counts.argmax()]
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    tall, wide = into[2].shape
    height, width = min(len(rows), tall), min(np.ptp(columns) + 1, wide)
    box = slice(rows[-1] + 1 - height, rows[-1] + 1), slice(columns[0], columns[0] + width)
    shape = mask[box]
    top, left = min(rows[0], tall - shape.shape[0]), round(phase * (wide - shape.shape[1]))
    place = slice(top, top + shape.shape[0]), slice(left, left + shape.shape[1])
    for target, source in zip(into, (scene.rgb, scene.thermal, scene.labels), strict=True):
        target[place][shape] = source[box][shape]


def record(world: World, folder: Path, frames: int, rates: tuple[float, float]) -> list[Path]:
    """Write both cameras' videos: RGB in H.264, thermal in FFV1."""
    paths = [folder / "rgb.mp4", folder / "thermal.mkv"]
    seconds = frames / min(rates)
    for path, rate, name in zip(paths, rates, ("rgb", "thermal"), strict=True):
        like = getattr(world.shot(0.0), name)
        with VideoWriter(path, like, rate) as video:
            for i in range(round(seconds * rate)):
                video.write(getattr(world.shot(i / rate), name), i / rate)
    return paths


class Watched(Recording):
    """A recording that records the memory in use at each pair, in MiB."""

    def __iter__(self) -> Iterator[Any]:
        self.memory: list[float] = []
        process = psutil.Process()
        for meeting in super().__iter__():
            self.memory.append(process.memory_info().rss / 2**20)
            yield meeting


def videos(model: Any, world: World, folder: Path, frames: int) -> None:
    """Two frame rates through `predict`."""
    for rates in ((30.0, 9.0), (25.0, 25.0)):
        paths = record(world, folder, frames, rates)
        recording = Watched(*open_sources(paths[0], paths[1], None))
        order = Order(("overlay", "labels"), Look())
        out = folder / f"out_{rates[0]:g}_{rates[1]:g}"
        summary = predict_recording(model, recording, out, order, [str(path) for path in paths])
        memory = recording.memory
        tenth = max(1, len(memory) // 10)
        print(
            f"{rates[0]:g} and {rates[1]:g} frames a second: {summary['count']} pairs of "
            f"{[part['frames'] for part in summary['frames'].values()]} frames, at most "
            f"{1000 * recording.apart:.1f} ms apart ({recording.apart * max(rates):.2f} frames of "
            f"the faster camera); resident memory, second and last tenth: "
            f"{np.mean(memory[tenth : 2 * tenth]):.0f} and {np.mean(memory[-tenth:]):.0f} MiB; "
            f"{summary['seconds']:.1f} s in {summary['took']:.1f} s, "
            f"{summary['seconds'] / summary['took']:.2f} x real time",
            flush=True,
        )


def spoiled(image: Any, fault: str, frozen: Any, wide: int) -> Any:
    """An image with a fault; None for a lost image."""
    if fault == "dropped":
        return None
    if fault == "frozen":
        return frozen
    if fault == "shifted rows":
        image = image.copy()
        third = len(image) // 3
        image[third:] = np.roll(image[third:], wide // 5, axis=1)
        return image
    return np.zeros_like(image) if fault == "black" else np.full_like(image, 255)


def faulty(shots: list[Shot], camera: str) -> Iterator[tuple[Any, Any]]:
    """The pairs of shots; one camera has every fault in turn."""
    frozen = None
    for i, shot in enumerate(shots):
        part, place = divmod(i, EVERY)
        images = {"rgb": shot.rgb, "thermal": shot.thermal}
        if place >= EVERY - LENGTH and part < len(FAULTS):
            wide = shot.labels.shape[1]
            images[camera] = spoiled(images[camera], FAULTS[part], frozen, wide)
        else:
            frozen = images[camera]
        yield images["rgb"], images["thermal"]


def score(matrix: NDArray[np.int64]) -> float:
    return 100 * float(np.nanmean(iou(torch.from_numpy(matrix)).numpy()))


def count(matrix: NDArray[np.int64], truth: NDArray[Any], found: NDArray[Any]) -> None:
    known = found < CLASSES
    pairs = CLASSES * truth[known].astype(int) + found[known]
    matrix += np.bincount(pairs, minlength=CLASSES**2).reshape(CLASSES, CLASSES)


def faults(model: Any, world: World) -> None:
    """Whether each fault is found, and the benefit of the gate."""
    shots = [world.shot(10 * (i // EVERY) + i % EVERY / 25) for i in range(EVERY * len(FAULTS))]
    for camera in ("rgb", "thermal"):
        results = {}
        for gated in (True, False):
            gate = Gate(model.camera, act=gated)
            matrices = {fault: np.zeros((CLASSES, CLASSES), int) for fault in FAULTS}
            states: list[str] = []
            for i, found in enumerate(model.stream(faulty(shots, camera), gate=gate)):
                states.append(found.cameras[camera])
                part, place = divmod(i, EVERY)
                if place >= EVERY - LENGTH:
                    count(matrices[FAULTS[part]], shots[i].labels, found.labels)
            results[gated] = matrices
        for part, fault in enumerate(FAULTS):
            there = states[EVERY * (part + 1) - LENGTH : EVERY * (part + 1)]
            sick = [state not in WELL for state in there]
            first = sick.index(True) if any(sick) else None
            print(
                f"{camera} {fault}: told as {Counter(there).most_common(1)[0][0]} in {sum(sick)} "
                f"of {LENGTH} frames, first after {first}; mIoU {score(results[True][fault]):.1f} "
                f"with the gate, {score(results[False][fault]):.1f} without",
                flush=True,
            )
        well = [s for i, s in enumerate(states) if i % EVERY < EVERY - LENGTH and i % EVERY >= 3]
        alarms = sum(state not in WELL for state in well)
        print(f"{camera}: {alarms} alarms over {len(well)} frames that are well", flush=True)


def flicker(model: Any, world: World, frames: int) -> None:
    """The mIoU, and the share of pixels whose label changes between frames of a static camera."""
    for smooth in (0.0, 0.3, 0.5, 0.7, 0.85):
        matrix, changes = np.zeros((CLASSES, CLASSES), int), []
        shots = [world.shot(i / 25, noise=6.0) for i in range(frames)]
        before: Any = None
        pairs = ((shot.rgb, shot.thermal) for shot in shots)
        for shot, found in zip(shots, model.stream(pairs, smooth=smooth), strict=True):
            count(matrix, shot.labels, found.labels)
            if before is not None:
                still = shot.labels == before[0].labels
                changes.append(float((found.labels != before[1])[still].mean()))
            before = shot, found.labels
        print(
            f"smooth {smooth}: mIoU {score(matrix):.1f}, {100 * np.mean(changes):.2f} % of the "
            "pixels whose class stays change their label from frame to frame",
            flush=True,
        )


def alarms(model: Any, folder: Path) -> None:
    """Alarms over real, healthy pairs; frames that only the hysteresis adds are not counted."""
    counts: dict[str, Counter[str]] = {"rgb": Counter(), "thermal": Counter()}
    paths = sorted((folder / "images").glob("*.png"))
    others = [] if paths else sorted((folder / "rgb").iterdir())
    for path in [*paths, *others]:
        gate = Gate(model.camera)
        heat = folder / "thermal" / path.name
        pair = read_rgbt(path) if paths else (rgb_array(path), thermal_array(heat))
        for name, state in gate.check(pair).items():
            counts[name][state] += 1
    print(f"{folder.name}: { ({name: dict(c) for name, c in counts.items()}) }", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("steps", nargs="*", help="videos, faults, flicker")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--frames", type=int, default=600)
    parser.add_argument("--height", type=int, default=120)
    parser.add_argument("--out", type=Path, default=Path("video"))
    parser.add_argument("--real", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    logging.getLogger("samantic").setLevel(logging.ERROR)
    model, world = samantic.load(options.model, device="cpu"), World(options.height)
    for folder in options.real:
        alarms(model, folder)
    if "faults" in options.steps:
        faults(model, world)
    if "flicker" in options.steps:
        flicker(model, world, min(options.frames, 250))
    if "videos" in options.steps:
        options.out.mkdir(parents=True, exist_ok=True)
        videos(model, world, options.out, options.frames)


if __name__ == "__main__":
    main()
