"""The verb `check`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from samantic.cli.options import (
    LAYOUTS,
    class_options,
    data_card,
    file_options,
    folder,
    inverted_option,
    place,
    rig_option,
)
from samantic.errors import InputError
from samantic.spelling import remedy

if TYPE_CHECKING:
    from samantic.data.cards.card import DatasetSpec

HELP = "check a data set before training on it"


def add_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--data", type=place, required=True, help="folder of the data set")
    sub.add_argument(
        "--layout",
        choices=LAYOUTS,
        help="how the files lie, see docs/datasets.md; not needed for the export of a tool",
    )
    sub.add_argument(
        "--split", action="append", help="split to check; may be repeated (default: all splits)"
    )
    class_options(sub)
    file_options(sub)
    sub.add_argument(
        "--thermal-scaling",
        metavar="LOW,HIGH",
        help="check whether the thermal values lie in this range, in the unit of the files",
    )
    inverted_option(sub)
    rig_option(sub)
    sub.add_argument(
        "--strict", action="store_true", help="exit with status 1 if there are warnings"
    )
    sub.add_argument("--out", type=folder, help="folder to write to (default runs/check/NAME)")


def run(options: argparse.Namespace) -> int:
    from samantic.check import check, findings_table, write_check
    from samantic.convert.advice import conversion_advice
    from samantic.data.camera import ALIGNED_8_BIT
    from samantic.provenance import check_folder, write_inputs
    from samantic.report.pages import refuse_foreign

    if options.layout is None or options.data.is_file():
        refuse_without_layout(options)
    spec = data_card(options)
    camera = ALIGNED_8_BIT.changed(options.thermal_scaling, options.rig, options.thermal_inverted)
    out = options.out or Path("runs", "check", options.data.resolve().name or "root")
    made = {"data": str(options.data.resolve())}
    check_folder(out, made, "a check", ("check.json", "check.html"))
    refuse_foreign(out / "check.html")
    findings = check(options.data, spec, options.split, camera)
    findings.warnings.extend(_unread(options, spec))
    if findings.errors:
        advice = conversion_advice(options.data, spec.labels)
        findings.errors.extend({advice} - {"", *findings.errors})
    write_inputs(out, made)
    write_check(out, options.data, spec, findings, camera)
    print(findings_table(findings))
    print(f"pictures: {out / 'check.html'}")
    return 2 if findings.errors else int(options.strict and bool(findings.warnings))


def _unread(options: argparse.Namespace, spec: DatasetSpec) -> list[str]:
    """What was said, or lies there, of thermal images that are not read."""
    if "thermal" in spec.modalities:
        return []
    words = [
        f"--{name.replace('_', '-')}"
        for name in ("thermal_scaling", "thermal_inverted", "rig")
        if getattr(options, name) is not None
    ]
    there = options.layout == "pairs" and (options.data / "thermal").is_dir()
    if not words and not there:
        return []
    found = f"{options.data / 'thermal'} is not read" if there else "no thermal images are read"
    idle = f", so {' and '.join(words)} {'does' if len(words) == 1 else 'do'} nothing" * bool(words)
    return [f"{found}{idle}; add --thermal {'thermal' if there else 'FOLDER'}"]


def refuse_without_layout(options: argparse.Namespace) -> None:
    """Say how a tool's labels become a data set, or that a layout is needed.

    Raises:
        InputError: The data need a conversion, or --layout is missing.
    """
    from samantic.convert.advice import conversion_advice

    if advice := conversion_advice(options.data, "labels"):
        raise InputError(advice)
    if options.layout is None:
        own = all((options.data / kind).is_dir() for kind in ("rgb", "thermal"))
        hint = f" ({options.data} looks like pairs: {remedy({'layout': 'pairs'})})" * own
        raise InputError(f"--layout: say how the files lie, one of {', '.join(LAYOUTS)}{hint}")
