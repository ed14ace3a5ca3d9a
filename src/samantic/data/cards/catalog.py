"""Every layout's data card. A new data set is a new constant in `rgb.py` or `rgbt.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from samantic.config.classes import colours_of
from samantic.config.data import DataConfig, Layout
from samantic.data.cards.card import DatasetSpec, Projection, named
from samantic.data.cards.rgb import CITYSCAPES, DENSEPASS, STANFORD2D3D, WILDPASS
from samantic.data.cards.rgbt import CART, FMB, MFNET, MSRS, PAIRS, PST900
from samantic.errors import InputError

CATALOG: dict[Layout, DatasetSpec] = {
    "mfnet": MFNET,
    "pst900": PST900,
    "fmb": FMB,
    "msrs": MSRS,
    "cart": CART,
    "pairs": PAIRS,
    "cityscapes": CITYSCAPES,
    "densepass": DENSEPASS,
    "wildpass": WILDPASS,
    "stanford2d3d": STANFORD2D3D,
}
"""Every layout by the name that `data.layout` and `--layout` take."""


def dataset_spec(config: DataConfig) -> DatasetSpec:
    """The data card of a configuration: the layout's card, changed by the user's own settings.

    Raises:
        InputError: There are no or too many classes, a colour is invalid, the numbers of colours
            and classes differ, or files or classes are given for a layout that has its own.
    """
    if config.layout != "pairs" and config.colors:
        raise InputError(f"data.colors: layout {config.layout} has its own; use layout pairs")
    spec = own_files(config.layout, config.rgb, config.thermal, config.labels, config.rgbt)
    spec = replace(spec, unpaired=config.allow_unpaired)
    if config.panorama is not None:
        around: Projection = "equirectangular" if config.panorama else "perspective"
        if spec.projection not in (None, around):
            raise InputError(
                f"data.panorama: images of layout {config.layout} are {spec.projection}; leave it "
                "out, or use layout pairs"
            )
        spec = replace(spec, projection=around)
    if config.layout != "pairs":
        check_layout_classes(config.layout, config.classes, "data.classes")
        return spec
    return with_colours(named(spec, config.classes), config.colors, "data.colors")


def with_colours(spec: DatasetSpec, colors: Sequence[str] | None, key: str) -> DatasetSpec:
    """A data card whose label images may hold the given colours.

    Args:
        spec: A data card with class names.
        colors: Colour of each class as #rrggbb; None where there are none.
        key: The user's name of this option, for errors.

    Raises:
        InputError: An entry is no colour, or their number is not that of the classes.
    """
    if colors is None:
        return spec
    return replace(spec, palette=colours_of(colors, spec.classes, key), colours=True)


def check_layout_classes(layout: Layout, classes: Sequence[str] | None, key: str) -> None:
    """Refuse class names for a layout that has other ones of its own.

    Raises:
        InputError: The names differ from the layout's.
    """
    if classes is not None and CATALOG[layout].classes not in ((), tuple(classes)):
        raise InputError(f"{key}: layout {layout} has its own classes; use layout pairs")


def own_files(
    layout: Layout,
    rgb: str | None = None,
    thermal: str | None = None,
    labels: str | None = None,
    rgbt: str | None = None,
    prefix: str = "data.",
) -> DatasetSpec:
    """A layout's data card, with the user's own folders or patterns for the layout pairs.

    With `rgb` alone there are no thermal images. `prefix` precedes the option names in errors.

    Raises:
        InputError: Folders are given for a layout that has its own.
    """
    spec = CATALOG[layout]
    own = {"rgb": rgb, "thermal": thermal, "labels": labels, "rgbt": rgbt}
    for key, given in own.items():
        if given and layout != "pairs":
            raise InputError(f"{prefix}{key}: layout {layout} has its own; use layout pairs")
    if rgbt and (rgb or thermal):
        raise InputError(
            f"{prefix}rgbt: replaces {prefix}rgb and {prefix}thermal; give it or those two"
        )
    return replace(
        spec,
        images=rgbt or spec.images,
        rgb=rgb or spec.rgb,
        thermal=thermal or ("" if rgb else spec.thermal),
        labels=labels or spec.labels,
    )
