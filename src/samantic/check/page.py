"""The result of a check on the terminal, as check.json and as check.html."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from samantic.check.facts import PairFacts, SplitFacts
from samantic.check.findings import Findings
from samantic.config.scaling import Scaling
from samantic.data.camera import Camera
from samantic.data.cards.card import DatasetSpec
from samantic.data.samples import read_images
from samantic.files import write_json
from samantic.measure.tables import pair_count
from samantic.report.pages import Section, write_sections
from samantic.report.pictures import Panel, picture
from samantic.strings import aligned, printable

WORST = 6
"""Number of pairs of a split that the page shows: those with the largest misalignment."""

HEADER = ["split", "pairs", "unreadable", "sizes", "thermal", "1 % to 99 %", "hot is", "night"]
MISALIGNED = "misalignment (px)"


def findings_table(findings: Findings) -> str:
    """The result as text for a terminal."""
    text = aligned(_table(findings))
    text += [f"note: {line}" for line in _notes(findings)]
    shares = _shares(findings)
    if len(shares) > 1:
        text += ["", "share of the pixels, %", *aligned(shares)]
    text += ["", *(f"error: {printable(line)}" for line in findings.errors)]
    text += [f"warning: {printable(line)}" for line in findings.warnings]
    if not findings.errors and not findings.warnings:
        text.append("no errors, no warnings")
    return "\n".join(line.rstrip() for line in text)


def _table(findings: Findings) -> list[list[str]]:
    """A header, and a line for each split; columns on thermal only if there are thermal images."""
    two = any(pair.depth for split in findings.splits for pair in split.pairs)
    header = [*HEADER, MISALIGNED]
    keep = [True, True, True, True, two, two, two, True, two]
    header[1] = "pairs" if two else "images"
    lines = [header, *(_line(split) for split in findings.splits)]
    return [[cell for cell, kept in zip(line, keep, strict=True) if kept] for line in lines]


def _line(split: SplitFacts) -> list[str]:
    facts = split.summary()
    span = facts["thermal_range"]
    return [
        split.name,
        str(facts["pairs"]),
        str(len(split.broken)),
        ", ".join(facts["sizes"]) if len(facts["sizes"]) < 4 else f"{len(facts['sizes'])} sizes",
        ", ".join(facts["thermal_depth"]),
        f"{span[0]:g} to {span[1]:g}" if span else "",
        split.polarity.hot,
        str(facts["night"]),
        _misaligned(facts["misalignment"]),
    ]


def _notes(findings: Findings) -> list[str]:
    """Why something in the table is not known."""
    return [
        f"{split.name}: whether hot is bright or dark is unknown ({split.polarity.doubt}); look at "
        "a thermal image"
        for split in findings.splits
        if split.polarity.doubt
    ]


def _misaligned(apart: dict[str, Any]) -> str:
    """Median and worst misalignment, and the number of pairs with a reliable estimate."""
    if not apart["estimated"]:
        return ""
    of = f"{apart['confident']} of {pair_count(apart['estimated'])}"
    if not apart["confident"]:
        return f"unknown, reliable for {of}"
    return f"median {apart['median_px']:g}, worst {apart['worst_px']:g}, reliable for {of}"


def _shares(findings: Findings) -> list[list[str]]:
    """A line of split names, and a line of shares for each class."""
    known = [(s.name, shares) for s in findings.splits if (shares := s.shares()) is not None]
    if not known:
        return [["class"]]
    lines = [["class", *(name for name, _ in known)]]
    for label, name in enumerate(findings.classes):
        lines.append([name, *(f"{100 * shares[label]:.3f}" for _, shares in known)])
    ignored = [split.ignored() for split in findings.splits]
    lines.append(
        ["of all pixels, do not count", *(f"{100 * s:.3f}" for s in ignored if s is not None)]
    )
    return lines


def write_check(
    out: Path, root: Path, spec: DatasetSpec, findings: Findings, camera: Camera
) -> None:
    """Write out/check.html and out/check.json."""
    header, *lines = _table(findings)
    notes = " ".join(f"{note}." for note in _notes(findings))
    sections = [Section("Splits", notes, header, lines, [], [])]
    if findings.errors:
        errors = [[line] for line in findings.errors]
        note = "A training would fail."
        sections.append(Section("Errors", note, [], errors, [], [], "error"))
    warnings = [[line] for line in findings.warnings]
    note = "" if warnings else "None."
    sections.append(Section("Warnings", note, [], warnings, [], [], "warning"))
    header, *shares = _shares(findings)
    if shares:
        sections.append(Section("Share of the pixels, %", "", header, shares, [], []))
    for split in findings.splits if "thermal" in spec.modalities else ():
        panels = [_panel(pair, camera) for pair in _furthest(split)]
        note = (
            "The pairs with the largest misalignment. In the image `both`, RGB is red and thermal "
            "cyan. Move the slider, or let the two blink: whatever jumps is misaligned."
        )
        if not panels:
            note = "No estimate of the misalignment is reliable."
        sections.append(Section(f"Alignment of {split.name}", note, [], [], [], panels))
    facts = [f"{root.name}, layout {spec.title}."]
    write_sections(out / "check.html", f"Check of {root.name}", facts, sections)
    write_json(out / "check.json", findings.to_json())


def _furthest(split: SplitFacts) -> list[PairFacts]:
    sure = [pair for pair in split.pairs if pair.shift is not None and pair.shift.confident]
    return sorted(sure, key=lambda p: -p.shift.distance if p.shift else 0.0)[:WORST]


def _panel(pair: PairFacts, camera: Camera) -> Panel:
    rgb, thermal = read_images(pair.files, camera._replace(scaling=Scaling("frame")))
    if rgb is None or thermal is None or pair.shift is None:  # pragma: no cover
        raise ValueError(pair.name)
    heat = (255 * thermal).astype(np.uint8)
    gray = rgb.mean(axis=2).astype(np.uint8)
    both = np.stack([gray, heat, heat], axis=-1)
    note = f"thermal {pair.shift.x:+d} right, {pair.shift.y:+d} down"
    pictures = [picture("RGB", rgb), picture("thermal", heat), picture("both", both)]
    return Panel(pair.name, note, pictures, compare=True)
