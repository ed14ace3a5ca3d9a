"""Seeded worlds in three dimensions, seen all around or through a pinhole, with labels.

From `solids` (what rays meet) over `things` and `street`, or `room` (what stands where) and
`cameras` (which way pixels look) to `view` (what they see) and `pictures` (what is photographed).
"""

from samantic.scenes.worlds.pictures import draw_panorama, draw_pinhole, draw_room

__all__ = ["draw_panorama", "draw_pinhole", "draw_room"]
