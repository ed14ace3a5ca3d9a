"""Seeded street scenes for an RGB and a thermal camera, with labels and instances.

The steps are `scene` (the layout), `street`, `backdrop`, `cars` and `objects` (things made of flat
faces), `canvas` (which face each pixel shows) and `light` (the values that each camera measures).
"""

from samantic.scenes.scene import Scene, draw_scene

__all__ = ["Scene", "draw_scene"]
