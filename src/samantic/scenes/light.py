"""Weather, light and the two cameras of a scene: from face numbers to RGB and thermal images.

By day, the sun and the sky light everything, and the sun warms what it shines on. By night, the
light comes from the car's own headlights, street lamps and lit windows; only retro-reflective
surfaces (road paint, reflective bands) are bright. The thermal camera sees everything that has its
own heat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from samantic.scenes.canvas import Drawing, Viewpoint
from samantic.scenes.things import Color, Point

FloatMap = NDArray[np.float32]

HEATS: Mapping[str, tuple[float, float, float, float]] = MappingProxyType(
    {
        # substance: lowest and highest by night, lowest and highest by day; levels above air
        "road": (-4, 12, -6, 22),
        "walk": (-10, 10, -8, 20),
        "earth": (-10, 6, -14, 8),
        "leaf": (-8, 8, -22, -4),
        "bark": (-4, 10, -16, 4),
        "wall": (-8, 14, -10, 14),
        "concrete": (-20, -10, -24, -10),
        "metal": (-24, -12, -26, -12),
        "body": (-20, -8, -10, 16),
        "glass": (-30, -14, -26, -6),
        "tyre": (10, 24, 4, 26),
        "engine": (30, 70, 24, 60),
        "cloth": (26, 60, 24, 50),
        "skin": (60, 95, 38, 68),
        "hot": (35, 110, 30, 80),
        "sky": (-62, -34, -70, -30),
    }
)
"""Range of heat of each substance; every scene draws one value per substance from it."""

_QUANTILES = np.array(
    [NormalDist().inv_cdf((step + 0.5) / 256) for step in range(256)], dtype=np.float32
)


@dataclass(frozen=True, slots=True)
class Climate:
    """Time of day, weather and camera settings of one scene.

    Attributes:
        night: True by night.
        heat: Grey level of each substance of ``HEATS``.
        solar: Grey levels by which full sun warms a surface; 0 by night.
        sun: Unit vector towards the sun, zero when there is none.
        sunlight: Strength of the direct sun.
        ambient: Strength of the light from everywhere.
        headlight: Strength of the own headlights on dull things and on retro-reflective ones.
        tint: Gain of red, green and blue.
        gamma: Exponent of the tone curve.
        rgb_noise: Standard deviation in grey levels.
        thermal_level: Mean grey level to which the camera tunes itself.
        thermal_gain: Contrast about that level.
        thermal_noise: Standard deviation in grey levels.
    """

    night: bool
    heat: Mapping[str, float]
    solar: float
    sun: Point
    sunlight: float
    ambient: float
    headlight: tuple[float, float]
    tint: Color
    gamma: float
    rgb_noise: float
    thermal_level: float
    thermal_gain: float
    thermal_noise: float

    @property
    def road(self) -> float:
        """Heat of the road in the sun, and of all that is as warm as the road."""
        return self.heat["road"] + self.solar * self.sun[1]


def draw_climate(rng: np.random.Generator, night: bool) -> Climate:
    """Draw the weather of one scene; the same draws are made by day and by night."""
    air = rng.uniform(72, 100)
    half = 0 if night else 2
    heat = {
        name: float(air + rng.uniform(span[half], span[half + 1])) for name, span in HEATS.items()
    }
    azimuth, height = rng.uniform(0, 2 * np.pi), rng.uniform(0.45, 1.1)
    clouds, tints, spread = rng.random(), rng.uniform(-1, 1, 3), rng.random(5)
    sunny = not night and clouds > 0.35
    flat = np.cos(height)
    sun = (flat * np.cos(azimuth), np.sin(height), flat * np.sin(azimuth))
    return Climate(
        night=night,
        heat=MappingProxyType(heat),
        solar=float(4 + 16 * spread[0]) if sunny else 0.0,
        sun=(float(sun[0]), float(sun[1]), float(sun[2])) if sunny else (0.0, 0.0, 0.0),
        sunlight=0.65 if sunny else 0.0,
        ambient=float(0.008 + 0.012 * spread[1]) if night else (0.5 if sunny else 0.85),
        headlight=(float(0.05 + 0.04 * spread[2]), float(0.75 + 0.4 * spread[2])),
        tint=_triple(1 + tints * (0.2 if night else 0.06)),
        gamma=1.0 if night else float(0.75 + 0.4 * spread[3]),
        rgb_noise=float(3.5 + 2.5 * spread[3]) if night else 2.0,
        thermal_level=float(air),
        thermal_gain=float(0.8 + (0.5 if night else 0.7) * spread[4]),
        thermal_noise=float(1.0 + 1.2 * spread[3]),
    )


def _triple(values: NDArray[np.float64]) -> Color:
    return (float(values[0]), float(values[1]), float(values[2]))


def render(
    drawing: Drawing,
    camera: Viewpoint,
    climate: Climate,
    lamps: Sequence[Point],
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Look at a drawing with both cameras.

    Args:
        drawing: The painted scene.
        camera: The camera it was drawn for.
        climate: Light and temperatures.
        lamps: Places of the street lamps, which burn by night only.
        rng: Source of textures and noise.

    Returns:
        RGB (H, W, 3) uint8 and thermal (H, W) uint8.
    """
    face, paints = drawing.face, drawing.paints
    ground = paints[:, 8][face]
    sunny = drawing.lit[face] * (1 - drawing.shade * ground)
    where = _positions(drawing, camera, ground)
    texture = _texture(where, ground, rng) * paints[:, 4][face]
    rgb = np.take(paints[:, :3], face, axis=0)
    if climate.night:
        rgb *= ((1 + texture) * _night_light(drawing, where, climate, lamps))[..., None]
        rgb += _glow(drawing)
    else:
        light = np.where(face > 0, climate.ambient + climate.sunlight * sunny, 1.0)
        haze = np.where(face > 0, 1 - np.exp(-where[2] / 260), 0)
        rgb *= ((1 + texture) * light * (1 - haze))[..., None]
        rgb += haze[..., None] * (0.8 * paints[0, :3])
    heat = paints[:, 3][face] + paints[:, 5][face] * sunny - 22 * texture
    return expose(rgb, climate, rng), sense(heat, climate, rng)


def _positions(
    drawing: Drawing, camera: Viewpoint, ground: FloatMap
) -> tuple[FloatMap, FloatMap, FloatMap]:
    """Return x, y and z in metres of what each pixel shows, (H, W) each."""
    rows, columns = drawing.face.shape
    focal = camera.focal * rows
    down = (np.arange(rows, dtype=np.float32) + 0.5 - camera.horizon * rows)[:, None] / focal
    right = (np.arange(columns, dtype=np.float32) + 0.5 - columns / 2)[None] / focal
    floor = camera.height / np.maximum(down, camera.height / 300)
    z = np.where(ground > 0, floor, drawing.depth[drawing.face]).astype(np.float32)
    return right * z, camera.height - down * z, z


def _texture(
    where: tuple[FloatMap, FloatMap, FloatMap], ground: FloatMap, rng: np.random.Generator
) -> FloatMap:
    """Return (H, W) texture of unit spread: in perspective on the ground, else across the image."""
    rows, columns = ground.shape
    x, z = where[0], where[2]
    tile = noise_tile(rng)
    floor = tile[(x * 30).astype(np.int32) & 511, (z * 14).astype(np.int32) & 511]
    upright = np.zeros_like(ground)
    for cells, share in ((10, 0.5), (44, 0.6), (130, 0.7)):
        grid = _normals(rng, cells, cells * 4 // 3)
        spread = Image.fromarray(grid).resize((columns, rows), Image.Resampling.BILINEAR)
        upright += share * np.asarray(spread)
    return np.where(ground > 0, floor, 1.3 * upright).astype(np.float32)


def noise_tile(rng: np.random.Generator) -> FloatMap:
    """Return a (512, 512) texture of fine and coarse parts."""
    coarse = Image.fromarray(_normals(rng, 32, 32)).resize((512, 512), Image.Resampling.BICUBIC)
    return np.asarray(0.7 * _normals(rng, 512, 512) + 1.1 * np.asarray(coarse), np.float32)


def _night_light(
    drawing: Drawing,
    where: tuple[FloatMap, FloatMap, FloatMap],
    climate: Climate,
    lamps: Sequence[Point],
) -> FloatMap:
    """Return (H, W) light that reaches the camera per unit of albedo."""
    x, y, z = where
    ground = drawing.paints[:, 8][drawing.face]
    rough = 1 + 0.3 * ground
    beam = np.exp(-((x / z / 0.75) ** 2)) / (1 + (z / 16) ** 2)
    cutoff = np.where(y < 0.7, np.float32(1), np.float32(0.2))
    dull, bright = climate.headlight
    light = climate.ambient + beam * rough * cutoff * dull * np.minimum(1, 6 / z)
    light += beam * bright * drawing.paints[:, 6][drawing.face]
    for lamp in lamps:
        away = (x - lamp[0]) ** 2 + (y - lamp[1]) ** 2 + (z - lamp[2]) ** 2
        light += 1.0 / (8 + away)
    light[drawing.face == 0] = climate.ambient
    return np.asarray(light, dtype=np.float32)


def _glow(drawing: Drawing) -> FloatMap:
    """Return (H, W, 3) light of what shines by itself, and its halo."""
    rows, columns = drawing.face.shape
    light = drawing.paints[:, :3] * drawing.paints[:, 7:8]
    shining = np.take((light * 255).astype(np.uint8), drawing.face, axis=0)
    small = Image.fromarray(shining).resize((64, 48), Image.Resampling.BOX)
    halo = small.filter(ImageFilter.GaussianBlur(2.0))
    wide = np.asarray(halo.resize((columns, rows), Image.Resampling.BILINEAR))
    return np.divide(shining + np.float32(0.8) * wide, 255, dtype=np.float32)


def _normals(rng: np.random.Generator, *shape: int) -> FloatMap:
    """Return normal numbers of 256 values, which are many times faster to draw than others."""
    draws = np.frombuffer(rng.bytes(int(np.prod(shape))), dtype=np.uint8)
    return _QUANTILES[draws].reshape(shape)


def _add_noise(picture: Image.Image, spread: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a picture with sensor noise."""
    noisy = np.asarray(picture, dtype=np.float32)
    noisy = noisy + np.float32(spread) * _normals(rng, *noisy.shape)
    return np.asarray(np.clip(noisy, 0, 255, out=noisy), dtype=np.uint8)


def expose(rgb: FloatMap, climate: Climate, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8: white balance, optics, tone curve, sensor noise."""
    rgb *= np.array(climate.tint, dtype=np.float32) * 255
    picture = Image.fromarray(np.clip(rgb, 0, 255, out=rgb).astype(np.uint8))
    picture = picture.filter(ImageFilter.BoxBlur(0.5 * rgb.shape[0] / 480))
    curve = 255 * (np.arange(256) / 255) ** climate.gamma
    picture = picture.point(curve.round().astype(int).tolist() * 3)
    return _add_noise(picture, climate.rgb_noise, rng)


def sense(heat: FloatMap, climate: Climate, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return (H, W) uint8: own gain and level, uneven corners, soft optics, sensor noise."""
    rows, columns = heat.shape
    down = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
    right = np.linspace(-1, 1, columns, dtype=np.float32)[None]
    gain, level = np.float32(climate.thermal_gain), np.float32(climate.thermal_level)
    levels = level + gain * (heat - heat.mean())
    levels += np.float32(rng.uniform(-6, 6)) * (down**2 + right**2)
    picture = Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))
    picture = picture.filter(ImageFilter.BoxBlur(0.8 * rows / 480))
    return _add_noise(picture, climate.thermal_noise, rng)
