"""The report of a run: one HTML page that needs no network and no other file."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, PackageLoader
from markupsafe import Markup
from PIL import Image

from samantic.checkpoint import ModelInfo
from samantic.evaluation import Evaluation, Frame
from samantic.files import write_text
from samantic.predict import overlay

THUMBNAIL = 320
"""Width of the pictures, pixels; smaller images are enlarged by whole factors."""


class Picture(NamedTuple):
    """One image of a panel, as a data URI."""

    title: str
    uri: str


class Panel(NamedTuple):
    """The pictures of one frame, in a row."""

    name: str
    note: str
    pictures: list[Picture]


def write_report(
    out: Path,
    info: ModelInfo,
    metrics: dict[str, Any],
    evaluation: Evaluation,
    history: list[dict[str, float]],
) -> None:
    """Write report.html: the headline, per-class table, training curves and panels.

    Args:
        out: Folder of the report.
        info: The model's options, classes and colours.
        metrics: Content of metrics.json.
        evaluation: Its frames are shown.
        history: Logged figures of the training, from `run.read_history`; may be empty.
    """
    panels = [
        Panel(
            frame.name,
            f"mIoU {frame.miou:.2f} over the classes present",
            [*inputs(frame, info), picture("prediction", coloured(frame, frame.prediction, info))],
        )
        for frame in evaluation.frames
    ]
    write_page(
        out / "report.html",
        title=f"{out.name}: {info.model.fusion} on {info.dataset}",
        lead=f"{metrics['frames']} pairs of the split '{metrics['split']}', one confusion matrix "
        "over all of them; classes that are absent count as 0 in mIoU.",
        columns={"all": metrics, **metrics["per_subset"]},
        info=info,
        panels=panels,
        curves=curves(history),
        facts={
            "base": info.model.base,
            "adaptation": info.adapt.method,
            "fusion": info.model.fusion,
            "auxiliary head": info.model.auxiliary,
            "seed": metrics["seed"],
            "git": metrics["git"],
            **metrics["versions"],
        },
    )


def write_page(path: Path, *, columns: dict[str, Any], info: ModelInfo, **content: Any) -> None:
    """Render the page template; `columns` are metrics to stand side by side, by title."""
    template = Environment(
        loader=PackageLoader("samantic", "templates"), autoescape=True, trim_blocks=True
    ).get_template("report.html")
    legend = list(zip(info.classes, info.palette, strict=True))
    write_text(path, template.render(columns=columns, legend=legend, **content))


def inputs(frame: Frame, info: ModelInfo) -> list[Picture]:
    """RGB, thermal and truth of a frame."""
    return [
        picture("RGB", frame.rgb),
        picture("thermal", frame.thermal),
        picture("truth", coloured(frame, frame.truth, info)),
    ]


def coloured(frame: Frame, labels: np.ndarray, info: ModelInfo) -> np.ndarray:
    """Class colours over a dimmed gray mean of RGB and thermal, which shows things at night too."""
    gray = (frame.rgb.mean(axis=2) + frame.thermal) / 4
    background = np.repeat(gray[..., None], 3, axis=2).astype(np.uint8)
    return np.asarray(overlay(background, labels, info.palette, opacity=0.85))


def picture(title: str, pixels: np.ndarray) -> Picture:
    """Encode (H, W) or (H, W, 3) uint8 pixels as a thumbnail."""
    image = Image.fromarray(pixels)
    width = THUMBNAIL if image.width > THUMBNAIL else THUMBNAIL // image.width * image.width
    height = round(image.height * width / image.width)
    shrink = Image.Resampling.LANCZOS if image.width > width else Image.Resampling.NEAREST
    buffer = io.BytesIO()
    image.resize((width, height), shrink).save(buffer, "PNG", optimize=True)
    return Picture(title, "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode())


def curves(history: list[dict[str, float]]) -> list[Markup]:
    """Training curves as SVG: the loss terms, and the validation mIoU of each head."""
    figures = []
    for prefix, label in (("train/", "loss"), ("val/", "validation mIoU")):
        keys = sorted({key for row in history for key in row if key.startswith(prefix)})
        if keys:
            figures.append(_figure(history, keys, label))
    return figures


def _figure(history: list[dict[str, float]], keys: list[str], label: str) -> Markup:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3.0), layout="constrained")
    axes = figure.subplots()
    for key in keys:
        points = [(row["step"], row[key]) for row in history if key in row]
        axes.plot(*zip(*points, strict=True), label=key.split("/")[1], linewidth=1.2)
    axes.set_xlabel("step")
    axes.set_ylabel(label)
    axes.legend(frameon=False, fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)
    buffer = io.StringIO()
    figure.savefig(
        buffer, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type"))
    )
    svg = buffer.getvalue()
    return Markup(svg[svg.index("<svg") :])  # noqa: S704  # drawn here, from numbers
