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
from samantic.evaluation import Evaluation
from samantic.figures import curves, similarity_matrices
from samantic.files import write_text
from samantic.frames import Frame
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


class Section(NamedTuple):
    """A table of text with what illustrates it."""

    title: str
    note: str
    header: list[str]
    lines: list[list[str]]
    figures: list[Markup]
    panels: list[Panel]


def write_report(
    out: Path,
    info: ModelInfo,
    metrics: dict[str, Any],
    evaluation: Evaluation,
    history: list[dict[str, float]],
    similarity: dict[str, np.ndarray],
) -> None:
    """Write report.html: the headline, per-class table, figures of the training and panels.

    Args:
        out: Folder of the report.
        info: The model's options, classes and colours.
        metrics: Content of metrics.json.
        evaluation: Its frames are shown.
        history: Logged figures of the training; may be empty.
        similarity: Similarity of the classes at each validation; may be empty.
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
        figures=[*curves(history), *similarity_matrices(similarity, info.classes)],
        facts={
            "base": info.model.base,
            "adaptation": info.adapt.method,
            "fusion": info.model.fusion,
            "auxiliary head": info.model.auxiliary,
            "class names from": info.language or "nowhere",
            "seed": metrics["seed"],
            "git": metrics["git"],
            **metrics["versions"],
        },
    )


def write_page(path: Path, *, columns: dict[str, Any], info: ModelInfo, **content: Any) -> None:
    """Render the page of a run; `columns` are metrics to stand side by side, by title."""
    legend = list(zip(info.classes, info.palette, strict=True))
    _render("report.html", path, columns=columns, legend=legend, **content)


def write_sections(path: Path, title: str, facts: list[str], sections: list[Section]) -> None:
    """Render a page of tables with figures and panels, led by sentences on how they came about."""
    _render("sections.html", path, title=title, facts=facts, sections=sections)


def _render(template: str, path: Path, **content: Any) -> None:
    pages = Environment(
        loader=PackageLoader("samantic", "templates"), autoescape=True, trim_blocks=True
    )
    write_text(path, pages.get_template(template).render(**content))


def side_by_side(frames: dict[str, list[Frame]], info: ModelInfo) -> list[Panel]:
    """The same frames as several models see them (SARTM Figs. 4 to 6).

    Args:
        frames: By model, all of the same pairs.
        info: Classes and colours, which the models share.
    """
    panels = []
    for shown in zip(*frames.values(), strict=True):
        named = list(zip(frames, shown, strict=True))
        panels.append(
            Panel(
                shown[0].name,
                ", ".join(f"{name} {frame.miou:.2f}" for name, frame in named),
                [
                    *inputs(shown[0], info),
                    *(picture(name, coloured(f, f.prediction, info)) for name, f in named),
                ],
            )
        )
    return panels


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
