"""How often `samantic calibrate` finds a rig, and what it claims if there is none to find.

    OMP_NUM_THREADS=1 python benchmarks/rig.py --seeds 6

Rigs are drawn (`samantic.scenes.rigs`): thermal sizes from 80x60 to 640x512, a view 0.5 to 1.15
times as wide as RGB's, rotated, shifted, stretched and tilted. The scenes are flat streets and
streets in three dimensions. `plain` has the scenes' own temperatures with noise; `contrast` maps
gray levels at random in every image, with more noise. The other cases have no rig: RGB and thermal
of different scenes, each thermal image one pair late, noise, mirrored thermal, thermal upside down,
and different scenes with one logo in both cameras' images. `--real FOLDER` uses pairs of FOLDER/rgb
and FOLDER/thermal in place of scenes, as many in a row as a rig has; their own misalignment is then
part of the error.

The error is the median distance in RGB pixels to the true position, over the part of thermal that
RGB sees. `found`: claimed, and within 2 pixels. `wrong`: claimed, and not within 2 pixels.
`unknown`: nothing claimed.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from samantic.calibrate.estimate import estimate
from samantic.calibrate.geometry import apart
from samantic.data.images import rgb_array, thermal_array
from samantic.scenes import draw_scene
from samantic.scenes.rigs import draw_rig, other_contrast, seen_by_rig
from samantic.scenes.worlds import draw_pinhole

SIZES = ((120, 160), (240, 320), (512, 640), (60, 80))
TRUE = ("plain", "contrast")
FALSE = ("unrelated", "late", "noise", "mirror", "upside-down", "logo")

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def scenes(kind: str, seed: int, count: int, other: bool) -> list[Pair]:
    """RGB and thermal of scenes, or of different scenes if `other` is set."""
    draw = {"flat": draw_scene, "street": draw_pinhole}[kind]
    drawn = [draw(seed, index, (480, 640)) for index in range(count)]
    heat = [draw(seed + 1000, i, (480, 640)) for i in range(count)] if other else drawn
    return [(a.rgb, b.thermal) for a, b in zip(drawn, heat, strict=True)]


def real(folder: Path, seed: int, count: int, other: bool) -> list[Pair]:
    """Pairs of a folder, from a start that the seed determines."""
    files = sorted((folder / "rgb").iterdir())
    start = (seed * 53) % max(1, len(files) - count)
    late = len(files) // 2 if other else 0
    heat = [folder / "thermal" / files[(i + late) % len(files)].name for i in range(len(files))]
    return [
        (rgb_array(files[i]), np.asarray(thermal_array(heat[i]), np.uint8))
        for i in range(start, min(start + count, len(files)))
    ]


def one(case: str, pairs: list[Pair], seed: int) -> tuple[float, str, float]:
    """Error of an estimate, why it is doubted, and its time in seconds."""
    rng = np.random.default_rng(seed)
    size = SIZES[seed % len(SIZES)]
    rgb = [image for image, _ in pairs]
    matrix = draw_rig(rng, (rgb[0].shape[0], rgb[0].shape[1]), size)
    seen = [seen_by_rig(heat, matrix, size) for _, heat in pairs]
    if case == "contrast":
        seen = [other_contrast(rng, image, 6.0) for image in seen]
    else:
        seen = [image + rng.normal(0, 2, size) for image in seen]
    if case == "late":
        seen = seen[1:] + seen[:1]
    elif case == "noise":
        seen = [rng.normal(0, 1, size) for _ in seen]
    elif case == "mirror":
        seen = [image[:, ::-1] for image in seen]
    elif case == "upside-down":
        seen = [image[::-1, ::-1] for image in seen]
    elif case == "logo":
        h, w = size
        stripes = 60.0 * (np.add.outer(np.arange(h // 8), np.arange(w // 4)) // 4 % 2)
        for image in seen:
            image[2 : 2 + h // 8, 2 : 2 + w // 4] = stripes
        mark = (200 * (np.add.outer(np.arange(60), np.arange(160)) // 16 % 2)).astype(np.uint8)
        rgb = [image.copy() for image in rgb]
        for image in rgb:
            image[10:70, 10:170] = mark[..., None]
    gray = [(image @ np.array([0.299, 0.587, 0.114])).astype(np.float32) for image in rgb]
    start = perf_counter()
    found = estimate(gray, [image.astype(np.float32) for image in seen])
    error = float(np.median(apart(found.matrix, matrix, size, rgb[0].shape)))
    return error, found.doubt, perf_counter() - start


def main() -> None:
    """Print a line for each rig, and a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=6, help="rigs of each case")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--cases", nargs="+", default=[*TRUE, *FALSE])
    parser.add_argument("--kinds", nargs="+", default=["flat", "street"])
    parser.add_argument("--real", type=Path)
    parser.add_argument("--within", type=float, default=2.0, help="pixels that count as found")
    options = parser.parse_args()
    counts: dict[tuple[str, str], Counter[str]] = {}
    for kind in ["real"] if options.real else options.kinds:
        for case in options.cases:
            tally = counts.setdefault((kind, case), Counter())
            for seed in range(options.first, options.first + options.seeds):
                other = case in ("unrelated", "logo")
                drawn = (
                    real(options.real, seed, options.pairs, other)
                    if options.real
                    else scenes(kind, seed, options.pairs, other)
                )
                error, doubt, seconds = one(case, drawn, seed)
                right = case in TRUE and error <= options.within
                said = "unknown" if doubt else "found" if right else "wrong"
                tally[said] += 1
                print(
                    f"{kind} {case} {seed}: {error:.2f} px, {said}, {seconds:.0f} s {doubt}",
                    flush=True,
                )
    print(f"{'scenes':8}{'case':14}{'found':>8}{'unknown':>8}{'wrong':>8}")
    for (kind, case), tally in counts.items():
        cells = "".join(f"{tally[word]:8}" for word in ("found", "unknown", "wrong"))
        print(f"{kind:8}{case:14}{cells}")


if __name__ == "__main__":
    main()
