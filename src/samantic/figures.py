"""Figures as SVG, to be put into a page: training curves, similarity of classes, t-SNE."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def curves(history: list[dict[str, float]]) -> list[Markup]:
    """Training curves: the loss terms, and the validation mIoU of each head."""
    figures = []
    for prefix, label in (("train/", "loss"), ("val/miou", "validation mIoU")):
        keys = sorted({key for row in history for key in row if key.startswith(prefix)})
        if keys:
            figures.append(_curves(history, keys, label))
    return figures


def _curves(history: list[dict[str, float]], keys: list[str], label: str) -> Markup:
    figure = _figure(5.2, 3.0)
    axes = figure.subplots()
    for key in keys:
        points = [(row["step"], row[key]) for row in history if key in row]
        axes.plot(*zip(*points, strict=True), label=key.split("/")[1], linewidth=1.2)
    axes.set_xlabel("step")
    axes.set_ylabel(label)
    axes.legend(frameon=False, fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)
    return _svg(figure)


def similarity_matrices(
    matrices: dict[str, Floats], classes: tuple[str, ...], most: int = 3
) -> list[Markup]:
    """Cosines of class names beside those of class features as training goes on (SARTM Fig. 8).

    Args:
        matrices: `text` and `step_N`, (K, K) each, NaN where a class has no vector.
        classes: Class names by label id.
        most: Steps to show: the first, the last and evenly spaced ones between.
    """
    steps = sorted((key for key in matrices if key.startswith("step_")), key=_step)
    if not steps:
        return []
    chosen = np.unique(np.linspace(0, len(steps) - 1, most).round().astype(int))
    titles = {"text": "text"} | {steps[i]: f"step {_step(steps[i])}" for i in chosen}
    known = ~np.isnan(np.diagonal(matrices["text"]))
    names = [name for name, has in zip(classes, known, strict=True) if has]
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
    return [_svg(figure)]


def tsne(
    vectors: dict[str, tuple[Floats, NDArray[np.integer[Any]]]],
    classes: tuple[str, ...],
    palette: tuple[tuple[int, int, int], ...],
    most: int = 400,
) -> Markup:
    """Class features of several models in the plane, side by side (SARTM Fig. 7).

    Args:
        vectors: By model: features (n, D) of a class in a frame each, and their classes (n,).
        classes: Class names by label id.
        palette: RGB colour of each class, 0..255.
        most: Features to show; of more, an even choice is taken.
    """
    from sklearn.manifold import TSNE

    figure = _figure(3.2 * len(vectors) + 1.2, 3.4)
    panels = figure.subplots(1, len(vectors), squeeze=False)[0]
    for axes, (title, (features, ids)) in zip(panels, vectors.items(), strict=True):
        chosen = np.linspace(0, len(ids) - 1, min(most, len(ids))).round().astype(int)
        features, ids = features[chosen], ids[chosen]
        perplexity = min(30.0, (len(ids) - 1) / 3)
        places = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(features)
        for label in np.unique(ids):
            x, y = places[ids == label].T
            colour = np.array(palette[label]) / 255
            axes.scatter(x, y, s=7, color=colour, label=classes[label], linewidths=0)
        axes.set_title(title, fontsize="small")
        axes.set_xticks([])
        axes.set_yticks([])
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right", fontsize="x-small", frameon=False)
    return _svg(figure)


def _step(key: str) -> int:
    return int(key.removeprefix("step_"))


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _svg(figure: Any) -> Markup:
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=nothing)
    svg = buffer.getvalue()
    return Markup(svg[svg.index("<svg") :])  # noqa: S704  # drawn here, from numbers
