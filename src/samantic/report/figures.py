"""Figures as SVG for a page: curves, disturbances, similarity of classes, t-SNE.

They have no background, and black lines take the colour of the page's text, so that they suit a
light and a dark page.
"""

from __future__ import annotations

import io
import warnings
from html import escape
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from samantic.data.lists import even_places
from samantic.display.palette import display_colours
from samantic.report.trend import Trend, trend_of

Floats = NDArray[np.floating[Any]]

WIDTH = 4.5
"""Size of a chart in inches; a phone shows it at 4/5 of that."""

_BLUE, _ORANGE = "#4a86c5", "#d9822b"  # visible on a light and on a dark page


def curves(history: list[dict[str, float]]) -> list[Markup]:
    """Training curves: the loss terms, and the validation mIoU of each head.

    Of equal curves, such as a student's mIoU and that of its only head, one is drawn. A line marks
    the start of a plateau, of overfitting or of divergence; see `trend_of`.
    """
    figures, trend = [], trend_of(history)
    for prefix, label in (("train/", "loss"), ("val/miou", "validation mIoU")):
        keys = {key for row in history for key in row if key.startswith(prefix)}
        courses: dict[tuple[tuple[float, float], ...], str] = {}
        for key in sorted(keys, key=lambda key: (len(key), key)):
            course = tuple((row["step"], row[key]) for row in history if key in row)
            courses.setdefault(course, key.split("/")[1])
        if courses:
            figures.append(_curves({name: c for c, name in courses.items()}, label, trend))
    return figures


def _curves(
    courses: dict[str, tuple[tuple[float, float], ...]], label: str, trend: Trend
) -> Markup:
    """A chart of curves; each has its points, (step, value), by its name."""
    figure = _figure(WIDTH, 3.0)
    axes = figure.subplots()
    for name in sorted(courses):
        axes.plot(*zip(*courses[name], strict=True), label=name, linewidth=1.2)
    marked = ""
    if trend.step is not None:
        axes.axvline(trend.step, color="gray", linestyle="--", linewidth=1.2, label=trend.kind)
        marked = f", {trend.kind} since step {trend.step}"
    axes.set_xlabel("step")
    axes.set_ylabel(label)
    axes.legend(frameon=False, fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)
    return _svg(figure, f"{label} by training step{marked}")


def misalignment_curve(miou: dict[int, float | None]) -> Markup:
    """The mIoU over the misalignment of thermal and RGB.

    Args:
        miou: mIoU in 0..1 by pixels of misalignment; None, for no value, breaks the line.
    """
    pixels = sorted(miou)
    values = [float("nan") if (value := miou[x]) is None else 100 * value for x in pixels]
    figure = _figure(WIDTH, 3.0)
    axes = figure.subplots()
    points = {"marker": "o", "markersize": 4, "clip_on": False}
    axes.plot(pixels, values, linewidth=1.2, color=_BLUE, **points)
    axes.set_xticks(pixels)
    axes.set_xlabel("misalignment, pixels")
    axes.set_ylabel("mIoU, %")
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    return _svg(figure, "mIoU by pixels of misalignment")


def disturbance_dots(
    undisturbed: float, disturbed: dict[str, tuple[float, float, float] | None]
) -> Markup:
    """The mIoU under each disturbance with its interval; a line marks the undisturbed mIoU.

    Args:
        undisturbed: mIoU in 0..1.
        disturbed: By name: mIoU and the bounds of its interval; None where the model cannot
            predict.
    """
    figure = _figure(WIDTH, 0.8 + 0.24 * len(disturbed))
    axes = figure.subplots()
    axes.axvline(100 * undisturbed, color=_ORANGE, linewidth=1.2, label="undisturbed")
    for row, value in enumerate(disturbed.values()):
        if value is None:
            axes.text(0.5, row, "cannot answer", va="center", fontsize="small", style="italic")
        else:
            miou, low, high = (100 * part for part in value)
            axes.hlines(row, low, high, color=_BLUE, linewidth=1.2)
            axes.plot(miou, row, marker="o", markersize=5, color=_BLUE)
    axes.set_yticks(range(len(disturbed)), list(disturbed), fontsize="small")
    axes.set_ylim(len(disturbed) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.set_xlabel("mIoU, %")
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.legend(loc="outside upper right", frameon=False, fontsize="small")
    return _svg(figure, "mIoU under each disturbance")


def latency_dots(points: dict[str, tuple[float, float]]) -> Markup:
    """The latency and the mIoU of models.

    Args:
        points: By name: milliseconds, and mIoU in per cent.
    """
    figure = _figure(6.2, 3.6)
    axes = figure.subplots()
    for number, (name, (milliseconds, miou)) in enumerate(points.items()):
        colour = _ORANGE if number == 0 else _BLUE
        axes.plot(milliseconds, miou, marker="o", markersize=5, color=colour)
        axes.annotate(
            _plain(name),
            (milliseconds, miou),
            xytext=(5, 4 if number % 2 else -10),
            textcoords="offset points",
            fontsize="x-small",
        )
    axes.set_xscale("log")
    axes.margins(x=0.25, y=0.2)
    axes.set_xlabel("milliseconds, median (log)")
    axes.set_ylabel("mIoU on the card, %")
    axes.spines[["top", "right"]].set_visible(False)
    return _svg(figure, "latency against mIoU")


def published_bars(published: dict[str, float], ours: tuple[str, float]) -> Markup:
    """The mIoU of published methods and of the user's model (SARTM Fig. 1).

    Args:
        published: mIoU in per cent by method.
        ours: Name of the model, and its mIoU in per cent.
    """
    values = dict(sorted((published | dict([ours])).items(), key=lambda item: item[1]))
    figure = _figure(WIDTH, 0.6 + 0.24 * len(values))
    axes = figure.subplots()
    colours = [_ORANGE if name == ours[0] else _BLUE for name in values]
    bars = axes.barh(list(values), list(values.values()), color=colours, height=0.7)
    axes.bar_label(bars, fmt="%.1f", fontsize="small", padding=3)
    axes.set_xlabel("mIoU, %")
    axes.tick_params(axis="y", length=0, labelsize="small")
    axes.spines[["top", "right", "left"]].set_visible(False)
    return _svg(figure, "published mIoU and ours")


def similarity_matrices(
    matrices: dict[str, Floats], classes: tuple[str, ...], most: int = 3
) -> list[Markup]:
    """Cosines of class names, and of class features during training (SARTM Fig. 8).

    Args:
        matrices: `text` and `step_N`, (K, K) each, NaN where a class has no vector.
        classes: Class names by label id.
        most: Number of steps to show: the first, the last and evenly spaced ones between.
    """
    steps = sorted((key for key in matrices if key.startswith("step_")), key=_step)
    if not steps:
        return []
    chosen = even_places(len(steps), most)
    titles = {"text": "text"} | {steps[i]: f"step {_step(steps[i])}" for i in chosen}
    known = ~np.isnan(np.diagonal(matrices["text"]))
    names = [_plain(name) for name, has in zip(classes, known, strict=True) if has]
    figure = _figure(2.4 * len(titles) + 1.4, 3.4)
    panels = figure.subplots(1, len(titles), squeeze=False)[0]
    for axes, (key, title) in zip(panels, titles.items(), strict=True):
        shown = matrices[key][np.ix_(known, known)]
        low = np.nanmin(shown) if np.isfinite(shown).any() else 0.0
        image = axes.imshow(shown, vmin=low, vmax=1.0, cmap="viridis")
        axes.set_title(title, fontsize="small")
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize="x-small")
        axes.set_yticks(range(len(names)), names if axes is panels[0] else [], fontsize="x-small")
        figure.colorbar(image, ax=axes, shrink=0.5).ax.tick_params(labelsize="x-small")
    return [_svg(figure, "similarity of the classes: " + ", ".join(titles.values()))]


def tsne(
    vectors: dict[str, tuple[Floats, NDArray[np.integer[Any]]]],
    classes: tuple[str, ...],
    most: int = 400,
) -> Markup:
    """Class features of several models in the plane, side by side (SARTM Fig. 7).

    Args:
        vectors: By model: one feature per class and frame (n, D), and their classes (n,).
        classes: Class names by label id.
        most: Largest number of features to show, evenly spaced.
    """
    from sklearn.manifold import TSNE

    colours = display_colours(classes)
    figure = _figure(3.2 * len(vectors) + 1.2, 3.4)
    panels = figure.subplots(1, len(vectors), squeeze=False)[0]
    for axes, (title, (features, ids)) in zip(panels, vectors.items(), strict=True):
        chosen = even_places(len(ids), most)
        features, ids = features[chosen], ids[chosen]
        perplexity = min(30.0, (len(ids) - 1) / 3)
        places = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(features)
        for label in np.unique(ids):
            x, y = places[ids == label].T
            colour = np.array(colours[label]) / 255
            axes.scatter(x, y, s=7, color=colour, label=_plain(classes[label]), linewidths=0)
        axes.set_title(_plain(title), fontsize="small")
        axes.set_xticks([])
        axes.set_yticks([])
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right", fontsize="x-small", frameon=False)
    return _svg(figure, "t-SNE of class features: " + ", ".join(vectors))


def _step(key: str) -> int:
    return int(key.removeprefix("step_"))


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _plain(text: str) -> str:
    """Text that matplotlib takes neither for a formula nor for a hidden label."""
    text = text.replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def _saved(figure: Any, fonts: str = "path") -> str:
    """The figure's SVG, with letters as paths or, with the fonts `none`, as text."""
    from matplotlib import rc_context

    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with rc_context({"svg.fonttype": fonts}):
        figure.savefig(buffer, format="svg", metadata=nothing, transparent=True)
    return buffer.getvalue()


def _svg(figure: Any, label: str) -> Markup:
    """The figure as an SVG element with a text alternative."""
    with warnings.catch_warnings(record=True) as told:
        warnings.filterwarnings("always", "Glyph", UserWarning)
        svg = _saved(figure)
        if any(str(warning.message).startswith("Glyph") for warning in told):
            svg = _saved(figure, "none")  # the browser's fonts draw letters that the font lacks
    svg = svg[svg.index("<svg") :].replace("#000000", "currentColor")
    least = f"min-width: {0.8 * 96 * figure.get_figwidth():.0f}px"  # narrower is not readable
    said = f'<svg role="img" aria-label="{escape(label)}" fill="currentColor" style="{least}"'
    return Markup(said + svg.removeprefix("<svg"))  # noqa: S704  # drawn here, from numbers
