"""Seeded worlds in three dimensions for panoramas and pinhole images, with labels.

The steps are `solids` (bodies that rays meet), `things` and `street`, or `room` (the layout),
`cameras` (the direction of each pixel), `view` (what the pixels show) and `pictures` (the images).
"""

from samantic.scenes.worlds.pictures import draw_panorama, draw_pinhole, draw_room

__all__ = ["draw_panorama", "draw_pinhole", "draw_room"]
