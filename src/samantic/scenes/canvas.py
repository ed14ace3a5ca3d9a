"""Render a scene to face numbers: each pixel of one integer image holds the number of its face.

Objects are lists of flat faces in metres. They are projected through a ground-plane camera and
drawn from far to near. Colour, heat, label and instance of a pixel follow from its face number by
table look-up. They are therefore aligned, and the labels are exact by construction.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from samantic.scenes.things import Face, Paint, Point, Thing

NEAR = 0.5
"""Distance in metres of the clipping plane in front of the camera."""

Vectors = NDArray[np.float64]


class Viewpoint(NamedTuple):
    """A camera that looks along z, level with the ground; image lengths are in image heights.

    Attributes:
        height: Height above the ground in metres.
        focal: Focal length divided by image height.
        horizon: Row of the horizon divided by image height.
    """

    height: float
    focal: float
    horizon: float

    def project(self, points: Vectors, size: tuple[int, int]) -> Vectors:
        """Return the (N, 2) column and row, in pixels, of (N, 3) points in front of the camera."""
        depth = np.maximum(points[:, 2], NEAR)
        scale = self.focal * size[0] / depth
        columns = size[1] / 2 + points[:, 0] * scale
        rows = self.horizon * size[0] + (self.height - points[:, 1]) * scale
        return np.stack([columns, rows], axis=1) - 0.5  # Pillow counts from pixel centres


class Drawing(NamedTuple):
    """A scene rendered to face numbers.

    Attributes:
        face: (H, W) int32 face number of each pixel, 0 for sky.
        paints: (F, 9) float32 rows: red, green, blue, heat, grain, solar, retro, glow, ground.
        depth: (F,) float32 distance of the face's centre in metres.
        lit: (F,) float32 share of direct sun on the face, 0..1.
        labels: (F,) uint8 class of each face.
        instances: (F,) uint16 instance of each face.
        shade: (H, W) float32 shadow on the ground, 0..1.
    """

    face: NDArray[np.int32]
    paints: NDArray[np.float32]
    depth: NDArray[np.float32]
    lit: NDArray[np.float32]
    labels: NDArray[np.uint8]
    instances: NDArray[np.uint16]
    shade: NDArray[np.float32]


class _Mesh:
    """All faces of all things in one set of arrays, in the coordinates of the camera.

    Attributes:
        points: (N, 3) corners; face f owns ``points[starts[f]:starts[f + 1]]``.
        owner: (F,) number of each face's thing.
        base: (F,) number of the face on which each face is painted, itself included.
        paints: F paints.
    """

    def __init__(self, things: Sequence[Thing], sky: Thing) -> None:
        faces: list[Face] = []
        owner: list[int] = []
        base: list[int] = []
        for number, thing in enumerate([sky, *things]):
            for group in thing.groups:
                base += [len(faces)] * len(group)
                faces += group
                owner += [number] * len(group)
        lengths = np.array([len(corners) for corners, _ in faces])
        self.paints = [paint for _, paint in faces]
        self.owner, self.base = np.array(owner), np.array(base)
        self.starts = np.concatenate([[0], np.cumsum(lengths)])
        of_point = np.repeat(self.owner, lengths)
        local = np.array([point for corners, _ in faces for point in corners], dtype=np.float64)
        poses = np.array([(t.x, t.z, np.cos(t.yaw), np.sin(t.yaw)) for t in [sky, *things]])
        x, z, cos, sin = poses[of_point].T
        self.points = np.stack(
            [
                x + cos * local[:, 0] + sin * local[:, 2],
                local[:, 1],
                z - sin * local[:, 0] + cos * local[:, 2],
            ],
            axis=1,
        )

    def centres(self) -> Vectors:
        """Return the (F, 3) mean corner of each face."""
        return np.asarray(
            np.add.reduceat(self.points, self.starts[:-1]) / np.diff(self.starts)[:, None]
        )

    def normals(self) -> Vectors:
        """Return the (F, 3) unit normal of each face, of either sign (Newell's method)."""
        after = np.arange(1, len(self.points) + 1)
        after[self.starts[1:] - 1] = self.starts[:-1]
        a, b = self.points, self.points[after]
        crossed = a[:, [1, 2, 0]] * b[:, [2, 0, 1]] - a[:, [2, 0, 1]] * b[:, [1, 2, 0]]
        summed = np.add.reduceat(crossed, self.starts[:-1])
        return np.asarray(summed / (np.linalg.norm(summed, axis=1, keepdims=True) + 1e-12))


def draw_things(
    things: Sequence[Thing], sky: Paint, camera: Viewpoint, sun: Point, size: tuple[int, int]
) -> Drawing:
    """Draw things far to near over the sky, which is face 0 and instance 1.

    Args:
        things: What to draw; of equally far things the first is drawn first.
        sky: Paint of what no thing covers.
        camera: The camera.
        sun: Unit vector towards the sun; a zero vector casts no shadow.
        size: Height and width in pixels.

    Returns:
        The drawing.
    """
    things = sorted(things, key=lambda thing: -(thing.z if thing.far is None else thing.far))
    mesh = _Mesh(things, Thing(0, 1, [[([(0.0, 0.0, 1e3)] * 3, sky)]]))
    centres, normals = mesh.centres(), mesh.normals()
    eye = centres - (0.0, camera.height, 0.0)
    solid = np.array([False, *(thing.solid for thing in things)])[mesh.owner]
    counts = np.bincount(mesh.owner)[:, None]
    middles = np.add.reduceat(centres, np.searchsorted(mesh.owner, np.arange(len(counts)))) / counts
    outward = np.where(solid[:, None], centres - middles[mesh.owner], -eye)
    normals *= np.where((normals * outward).sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
    hidden = solid & ((normals * eye).sum(axis=1) > 0)[mesh.base]
    nearness = np.where(solid, -np.linalg.norm(eye, axis=1)[mesh.base], 0.0)
    order = np.lexsort((np.arange(len(solid)), nearness, mesh.owner))[1:]
    owners = np.array([(0, 1), *((thing.label, thing.instance) for thing in things)])[mesh.owner]
    return Drawing(
        _paint_numbers(mesh, order[~hidden[order]], camera, size),
        np.array([(*paint.color, *paint[1:]) for paint in mesh.paints], dtype=np.float32),
        np.maximum(centres[:, 2], NEAR).astype(np.float32),
        np.clip(normals @ np.array(sun), 0.0, 1.0).astype(np.float32),
        owners[:, 0].astype(np.uint8),
        owners[:, 1].astype(np.uint16),
        _cast_shadows(mesh, camera, sun, size),
    )


def _paint_numbers(
    mesh: _Mesh, order: NDArray[np.int64], camera: Viewpoint, size: tuple[int, int]
) -> NDArray[np.int32]:
    """Draw the faces in this order and return the (H, W) face numbers."""
    picture = Image.new("I", (size[1], size[0]), 0)
    pen = ImageDraw.Draw(picture)
    pixels = camera.project(mesh.points, size)
    reach = np.minimum.reduceat(mesh.points[:, 2], mesh.starts[:-1])
    for face in order.tolist():
        span = slice(mesh.starts[face], mesh.starts[face + 1])
        corners = pixels[span]
        if reach[face] < NEAR:
            corners = camera.project(_clip(mesh.points[span]), size)
        if len(corners) > 2:
            pen.polygon(corners.ravel().tolist(), fill=face)
    return np.array(picture, dtype=np.int32)


def _clip(corners: Vectors) -> Vectors:
    """Return the part of a polygon beyond the near plane, (M, 3) with M possibly 0."""
    kept: list[Vectors] = []
    for here, there in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if here[2] >= NEAR:
            kept.append(here)
        if (here[2] >= NEAR) != (there[2] >= NEAR):
            share = (NEAR - here[2]) / (there[2] - here[2])
            kept.append(here + share * (there - here))
    return np.array(kept).reshape(-1, 3)


def _cast_shadows(
    mesh: _Mesh, camera: Viewpoint, sun: Point, size: tuple[int, int]
) -> NDArray[np.float32]:
    """Return the (H, W) shadow on the ground: the outline of each thing's points moved there."""
    picture = Image.new("L", (size[1], size[0]), 0)
    if sun[1] > 0:
        pen = ImageDraw.Draw(picture)
        fallen = mesh.points - mesh.points[:, 1:2] * np.array(sun) / sun[1]
        pixels = camera.project(fallen, size)
        tops = np.maximum.reduceat(mesh.points[:, 1], mesh.starts[:-1])
        angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        ways = np.stack([np.cos(angles), np.sin(angles)])
        firsts = np.searchsorted(mesh.owner, np.arange(1, mesh.owner[-1] + 2))
        for first, last in pairwise(firsts.tolist()):
            if tops[first:last].max() > 0.05:
                spots = pixels[mesh.starts[first] : mesh.starts[last]]
                outline = spots[np.argmax(spots @ ways, axis=0)]
                pen.polygon(outline.ravel().tolist(), fill=255)
    return np.asarray(picture, dtype=np.float32) / 255.0
