"""Seeded street scenes as an RGB and a thermal camera see them, with labels and instances.

From `scene` (what stands where) over `street`, `backdrop`, `cars`, `objects` (things made of flat
faces) to `canvas` (which face is seen where) and `light` (what each camera makes of it).
"""

from samantic.scenes.scene import Scene, draw_scene

__all__ = ["Scene", "draw_scene"]
