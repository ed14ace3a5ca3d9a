"""Pages from the templates: of several networks, and of tables with figures."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from samantic.display.confidence import STOPS
from samantic.display.palette import display_colours
from samantic.errors import InputError
from samantic.files import write_text
from samantic.predict.info import ModelInfo
from samantic.report.pictures import HATCH, RIGHT, WRONG, Panel


class Section(NamedTuple):
    """A table of text with its figures and panels.

    If it has a kind, `error` or `warning`, its lines have one cell each and are shown as findings.
    """

    title: str
    note: str
    header: list[str]
    lines: list[list[str]]
    figures: list[Markup]
    panels: list[Panel]
    kind: str = ""


def write_page(path: Path, *, columns: dict[str, Any], info: ModelInfo, **content: Any) -> None:
    """Render the page of several networks; `columns` are metrics to stand side by side."""
    render("comparison.html", path, columns=columns, legend=legend(info), **content)


def write_sections(path: Path, title: str, facts: list[str], sections: list[Section]) -> None:
    """Render a page of tables with figures and panels; it starts with sentences on their origin."""
    render("sections.html", path, title=title, facts=facts, sections=sections)


def legend(info: ModelInfo) -> list[tuple[str, tuple[int, int, int] | None]]:
    """Name and colour of each class, by label id; None for class 0, which is not coloured."""
    colours = display_colours(info.classes)
    return [(info.classes[0], None), *zip(info.classes[1:], colours[1:], strict=True)]


OURS = (
    '<meta name="generator" content="samantic">',
    "/* Type, colours and tables of every page. */",
)
"""Texts that identify a page of this package; older versions wrote only the second."""


def refuse_foreign(path: Path) -> None:
    """Refuse to overwrite a file that this package has not written.

    Raises:
        InputError: The file was written by something else.
    """
    if path.is_file() and not any(mark in path.read_text("utf-8", "replace") for mark in OURS):
        raise InputError(
            f"{path}: not written by samantic, and would be overwritten; give another --out, or "
            "move it"
        )


def render(template: str, path: Path, **content: Any) -> None:
    """Write a page from a template; all inserted text is escaped.

    Raises:
        InputError: The file exists and was written by something else.
    """
    refuse_foreign(path)
    page = _templates().get_template(template).render(**content)
    # file names that are not valid text get question marks
    write_text(path, page.encode("utf-8", "replace").decode())


@cache
def _templates() -> Environment:
    """The templates, each compiled once."""
    templates = Environment(
        loader=PackageLoader("samantic.report", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(percent=percent, interval=interval, slug=slug)
    templates.globals.update(errors=[("wrong", WRONG), ("right", RIGHT)], hatch=HATCH, ramp=STOPS)
    return templates


def slug(title: str) -> str:
    """The anchor of a section.

    Example:
        >>> slug("Share of the pixels, %")
        'share-of-the-pixels'
    """
    return re.sub("[^a-z0-9]+", "-", title.lower()).strip("-")


def percent(value: float | None, without: str = "absent") -> str:
    """A share in per cent with one decimal, or `without` if there is none."""
    return without if value is None else f"{100 * value:.1f}"


def interval(bounds: list[float] | None) -> str:
    """An interval in per cent; "" if there is none."""
    return "" if bounds is None else f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f}"
