"""The command line: verbs to functions. Heavy imports happen inside the verb that needs them."""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import samantic
from samantic.config import TILE, Layout
from samantic.errors import InputError

if TYPE_CHECKING:
    from samantic.data.spec import DatasetSpec

LAYOUTS = get_args(Layout)

MOST_LINES = 10
"""So many bad pairs are told one by one."""


def entry() -> None:
    """Entry point of the `samantic` command."""
    sys.exit(main(sys.argv[1:]))


def main(words: list[str]) -> int:
    """Run one command.

    Returns:
        Exit status: 0 done, 2 bad arguments or bad input (one line on stderr), 1 anything else.
    """
    parser = build_parser()
    options, rest = parser.parse_known_args(words)
    if rest and options.run not in (_train, _ablate):
        parser.error(f"unrecognised arguments: {' '.join(rest)}")
    options.overrides = rest
    try:
        return options.run(options) or 0
    except InputError as error:
        print(f"samantic: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"samantic: {place}{error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("samantic: interrupted; what is written is whole", file=sys.stderr)
        return 1


def build_parser() -> argparse.ArgumentParser:
    """The parser of all verbs."""
    parser = argparse.ArgumentParser(
        prog="samantic",
        description="RGB-thermal semantic segmentation with SAM2.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=samantic.__version__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    for name, run, options, text in (
        ("demo", _demo, _demo_options, "the whole story on generated scenes, in minutes"),
        ("synthesize", _synthesize, _synthesize_options, "write generated labelled scenes"),
        ("check", _check, _check_options, "look at a data set before training on it"),
        ("train", _train, _train_options, "train on labelled pairs, select on val, report on test"),
        ("evaluate", _evaluate, _evaluate_options, "measure a model on a labelled split"),
        ("predict", _predict, _predict_options, "segment pairs: label PNGs and overlays"),
        ("ablate", _ablate, _ablate_options, "train the settings of tables, write the tables"),
    ):
        sub = verbs.add_parser(name, help=text, description=text, allow_abbrev=False)
        sub.set_defaults(run=run)
        options(sub)
    return parser


def _demo_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--out", type=Path, default=Path("runs/demo"), help="folder (default runs/demo)"
    )
    sub.add_argument("--seed", type=int, default=0, help="seed of the training scenes and weights")
    sub.add_argument("--eval-seed", type=int, default=2000, help="seed of the unseen scenes")
    sub.add_argument("--steps", type=int, default=1000, help="optimiser steps of each network")


def _synthesize_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--layout", choices=LAYOUTS, required=True, help="data set to imitate")
    sub.add_argument("--out", type=Path, required=True, help="folder to write to")
    sub.add_argument(
        "--count", type=int, required=True, help="scenes: 70 %% train, 10 %% val, 20 %% test"
    )
    sub.add_argument("--seed", type=int, required=True)
    sub.add_argument(
        "--size",
        type=_size,
        metavar="HxW",
        help="default 480x640; panoramas 400x2048, cityscapes and stanford2d3d 512x1024",
    )


def _check_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--data", type=Path, required=True, help="folder of the data set")
    sub.add_argument("--layout", choices=LAYOUTS, required=True)
    sub.add_argument(
        "--split", action="append", help="split to look at, may be repeated (default: all of them)"
    )
    sub.add_argument("--classes", help="names by label id for the layout pairs, as car,person")
    _file_options(sub)
    _rig_option(sub)
    sub.add_argument("--strict", action="store_true", help="exit with 1 on warnings")
    sub.add_argument("--out", type=Path, help="default runs/check/NAME")


def _file_options(sub: argparse.ArgumentParser) -> None:
    for kind in ("rgb", "thermal", "labels", "rgbt"):
        sub.add_argument(f"--{kind}", help=f"folder or pattern of {kind} files, layout pairs")


def _train_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "config", type=Path, metavar="CONFIG", help="YAML file; --key value overrides a key"
    )
    sub.add_argument("--resume", action="store_true", help="continue a stopped run")
    sub.format_help = partial(_train_help, sub)  # type: ignore[method-assign]


def _evaluate_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "models",
        nargs="+",
        metavar="MODEL",
        help="run folder, model folder or hub id; several are compared with the first",
    )
    sub.add_argument("--data", type=Path, required=True, help="folder of the data set")
    sub.add_argument("--layout", choices=LAYOUTS, required=True)
    sub.add_argument("--split", required=True)
    sub.add_argument(
        "--robustness",
        action="store_true",
        help="measure with missing, noisy, badly exposed and misaligned images too (takes 15 times "
        "as long)",
    )
    sub.add_argument(
        "--skip-bad",
        action="store_true",
        help="go on past pairs that cannot be read, and name them",
    )
    sub.add_argument("--out", type=Path, help="default runs/evaluate/NAME-SPLIT")
    _file_options(sub)
    _camera_options(sub)


def _predict_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("model", metavar="MODEL", help="run folder, model folder or hub id")
    sub.add_argument("--rgb", type=Path, help="RGB image or folder")
    sub.add_argument("--thermal", type=Path, help="thermal image or folder")
    sub.add_argument(
        "--rgbt", type=Path, help="4-channel image or folder, instead of the other two"
    )
    sub.add_argument("--out", type=Path, required=True, help="folder to write to")
    sub.add_argument("--device", default="auto")
    sub.add_argument(
        "--tile",
        type=_side,
        default=TILE,
        metavar="N",
        help=f"predict images with a longer side in overlapping tiles of N pixels (default {TILE})",
    )
    _camera_options(sub)


def _camera_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--thermal-scaling",
        metavar="8-bit|frame|LOW,HIGH",
        help="how thermal values become 0..1, if their unit is another than in training",
    )
    _rig_option(sub)


def _rig_option(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--rig",
        metavar="FILE|resize",
        help="calibration of cameras that are not aligned: YAML with a matrix thermal_to_rgb",
    )


def _ablate_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("tables", type=Path, nargs="+", metavar="TABLE", help="YAML file of a table")
    sub.add_argument(
        "--config",
        type=Path,
        required=True,
        help="configuration that the rows change; --key value changes it for all of them",
    )
    sub.add_argument(
        "--seeds", type=_seeds, default=[0, 1, 2], metavar="N,N,...", help="default 0,1,2"
    )
    sub.add_argument("--jobs", type=int, default=1, help="runs at a time (default 1)")
    sub.add_argument(
        "--out", type=Path, default=Path("runs/ablate"), help="folder (default runs/ablate)"
    )


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not HEIGHTxWIDTH, e.g. 480x640")
    return int(match[1]), int(match[2])


def _side(text: str) -> int:
    if not text.isdigit() or int(text) < 64:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of pixels from 64 on")
    return int(text)


def _seeds(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list such as 0,1,2") from None


def _train_help(parser: argparse.ArgumentParser) -> str:
    from samantic.config_files import config_help

    return argparse.ArgumentParser.format_help(parser) + "\nconfiguration keys:\n" + config_help()


def _demo(options: argparse.Namespace) -> None:
    from samantic.demo import demo

    demo(options.out, seed=options.seed, eval_seed=options.eval_seed, steps=options.steps)


def _synthesize(options: argparse.Namespace) -> None:
    from samantic.data.synthetic import split_indices, write_scenes

    try:
        splits = split_indices(options.count)
        write_scenes(options.out, options.layout, splits, seed=options.seed, size=options.size)
    except ValueError as error:
        raise InputError(f"synthesize: {error}") from None
    print(
        ", ".join(f"{name} {len(part)}" for name, part in splits.items()),
        f"scenes in {options.out}",
    )


def _data_card(options: argparse.Namespace) -> DatasetSpec:
    """What `_file_options` and --layout say of the files."""
    from samantic.data.catalog import own_files

    return own_files(options.layout, options.rgb, options.thermal, options.labels, options.rgbt)


def _check(options: argparse.Namespace) -> int:
    from samantic.check import check, table, write_check
    from samantic.data.camera import ALIGNED_8_BIT

    spec = _data_card(options)
    if options.classes:
        spec = replace(spec, classes=tuple(options.classes.split(",")))
    camera = ALIGNED_8_BIT.changed(None, options.rig)
    findings = check(options.data, spec, options.split, camera)
    out = options.out or Path("runs", "check", options.data.resolve().name)
    write_check(out, options.data, spec, findings, camera)
    print(table(findings))
    print(f"pictures: {out / 'check.html'}")
    return 2 if findings.errors else int(options.strict and bool(findings.warnings))


def _train(options: argparse.Namespace) -> None:
    from samantic.config_files import read_config

    config = read_config(options.config, options.overrides)
    from samantic.run import train

    train(config, resume=options.resume)


def _evaluate(options: argparse.Namespace) -> None:
    from samantic.disturbances import SUITE
    from samantic.run import Split, compare, evaluate

    if options.out is not None and (options.out / "last.ckpt").exists():
        raise InputError(f"{options.out}: holds a run and its own metrics; give another --out")
    alone = len(options.models) == 1
    job, models = (evaluate, options.models[0]) if alone else (compare, options.models)
    job(
        models,
        Split(
            options.data,
            _data_card(options),
            options.split,
            options.thermal_scaling,
            options.rig,
        ),
        out=options.out,
        disturbances=tuple(SUITE) if options.robustness else (),
        skip_bad=options.skip_bad,
    )


def _predict(options: argparse.Namespace) -> int:
    from samantic.batch import find_files, predict_files
    from samantic.checkpoint import find_model, fingerprint
    from samantic.predict import load

    files = find_files(options.rgb, options.thermal, options.rgbt)
    folder = find_model(options.model)
    predictor = load(folder, options.device, options.thermal_scaling, options.rig, options.tile)
    summary = predict_files(predictor, files, options.out, fingerprint(folder))
    problems = list(summary["failed"].values())
    for line in problems[:MOST_LINES]:
        print(f"samantic: {line}", file=sys.stderr)
    if len(problems) > MOST_LINES:
        rest = len(problems) - MOST_LINES
        print(f"samantic: {rest} more in {options.out / 'summary.json'}", file=sys.stderr)
    if not summary["count"]:
        return 2
    print(f"{summary['count']} pairs: label PNGs, overlays and summary.json in {options.out}")
    return 1 if summary["failed"] else 0


def _ablate(options: argparse.Namespace) -> int:
    from samantic.ablation import ablate

    failed = ablate(
        options.tables,
        options.config,
        options.overrides,
        seeds=options.seeds,
        jobs=options.jobs,
        out=options.out,
    )
    return 1 if failed else 0
