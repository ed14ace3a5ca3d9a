"""The verb `batch`."""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from samantic.cli.options import (
    MODEL,
    camera_choice,
    camera_options,
    class_choice,
    prediction_options,
    view_options,
    whole,
)
from samantic.strings import printable

if TYPE_CHECKING:
    from samantic.cluster.order import Order

HELP = "segment pairs on all CPUs and GPUs of a machine or a Ray cluster, each pair once"


def add_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("model", metavar="MODEL", help=MODEL)
    _place_options(sub)
    _machine_options(sub)
    _trial_options(sub)
    prediction_options(sub)
    camera_options(sub)
    view_options(sub)


def _place_options(sub: argparse.ArgumentParser) -> None:
    """Options for the input pairs and the output."""
    group = sub.add_argument_group("input and output")
    group.add_argument(
        "--input",
        required=True,
        metavar="URI",
        help="folder with rgb and thermal in it at any depth, pattern '*/{rgb,thermal}/*.png', "
        "manifest (.csv or .parquet with columns rgb, thermal and perhaps name), or WebDataset "
        "shards ('*.tar'); a path, s3://, gs:// or hdfs://",
    )
    group.add_argument("--output", required=True, metavar="URI", help="folder to write to")
    group.add_argument(
        "--form",
        choices=("png", "shards", "parquet"),
        default="png",
        help="how labels are written: a tree of PNGs, WebDataset shards, or Parquet with run "
        "lengths (default png)",
    )
    group.add_argument(
        "--write-log",
        type=Path,
        metavar="FILE",
        help="append a line for each written label to this file, which all machines must see",
    )


def _machine_options(sub: argparse.ArgumentParser) -> None:
    """Options for the machines, and for the number of models on each."""
    group = sub.add_argument_group("machines")
    group.add_argument(
        "--address",
        type=_address,
        default="local",
        metavar="local|auto|HOST:PORT",
        help="start Ray on this machine, join the cluster that this machine belongs to, or name "
        "the head of that (default local)",
    )
    group.add_argument(
        "--concurrency",
        type=_range,
        metavar="A:B",
        help="least and most models at work (default: as many as there is room for)",
    )
    group.add_argument(
        "--batch-size",
        type=whole(1, 1024),
        metavar="N",
        help="pairs that go through the network together (default: 1 on CPUs, 8 on GPUs)",
    )
    group.add_argument(
        "--gpus-per-actor",
        type=_share,
        metavar="G",
        help="GPUs, or a share of one, for each model (default 1 where there are GPUs, else 0)",
    )
    group.add_argument(
        "--cpus-per-actor",
        type=whole(1, 256),
        default=1,
        metavar="K",
        help="threads of each model (default 1)",
    )
    group.add_argument(
        "--block",
        type=whole(1, 10_000),
        default=64,
        metavar="N",
        help="pairs that are sent to a model, and written, together (default 64)",
    )


def _trial_options(sub: argparse.ArgumentParser) -> None:
    """Options for a trial that estimates the job."""
    group = sub.add_argument_group("estimate")
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="time a few pairs; print hours, cost and the bottleneck, and write nothing",
    )
    group.add_argument(
        "--price",
        type=_price,
        default=1.0,
        metavar="P",
        help="price of a node for an hour, for --dry-run (default 1)",
    )
    group.add_argument(
        "--nodes",
        type=whole(1, 100_000),
        default=1,
        metavar="N",
        help="number of nodes, for --dry-run (default 1)",
    )
    group.add_argument(
        "--pairs",
        type=whole(1, 10**15),
        metavar="N",
        help="number of pairs, for --dry-run (default: those of --input)",
    )


def _address(text: str) -> str:
    if text.startswith("ray://"):
        raise argparse.ArgumentTypeError(
            f"{text[:80]!r} is of Ray's client, which a job must not outlive; run the command on a "
            "machine of the cluster with --address auto, or submit it as a Ray job"
        )
    port = text.rpartition(":")[2]
    if text not in ("local", "auto") and not (port.isdecimal() and 0 < int(port) < 2**16):
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is not local, auto or HOST:PORT")
    return text


def _range(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,6})(?::(\d{1,6}))?", text)
    low, high = (0, 0) if match is None else (int(match[1]), int(match[2] or match[1]))
    if not 1 <= low <= high:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not A:B with 1 <= A <= B, as in 2:8")
    return low, high


def _share(text: str) -> float:
    value = float(text) if re.fullmatch(r"\d{1,3}(\.\d{1,6})?", text) else -1.0
    if value < 0 or (value > 1 and value != int(value)):
        raise argparse.ArgumentTypeError(
            f"{text[:40]!r} is neither a whole number of GPUs nor a share below 1"
        )
    return value


def _price(text: str) -> float:
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a price of 0 or more, as in 4.60")
    return float(text)


def run(options: argparse.Namespace) -> int:
    from samantic.cluster.session import import_ray, resources, session

    import_ray(options.address)  # its error comes before any reading
    from samantic.cluster.inputs import open_source
    from samantic.cluster.job import run_job
    from samantic.cluster.labelling import pack_model

    source = open_source(options.input)
    order = _order(options)
    model = pack_model(options.model)
    if options.dry_run:
        from samantic.cluster.dryrun import dry_run, gpus_here

        if options.gpus_per_actor is None:
            order = replace(order, gpus=gpus_here(options.model))
        print(dry_run(order, source, model, options.nodes, options.price, options.pairs))
        return 0
    with session(options.address) as ray:
        if options.gpus_per_actor is None and resources(ray)[1] >= 1:
            order = replace(order, gpus=1.0)
        totals = run_job(ray, order, source, model, grows=options.address != "local")
    for line in totals.first:
        print(f"samantic: {printable(line)}", file=sys.stderr)
    rest = totals.failed - len(totals.first)
    place = order.output.shown
    if rest > 0:
        print(f"samantic: {rest} more in {place}/summary.parquet", file=sys.stderr)
    if totals.problem:
        print(f"samantic: {totals.problem}", file=sys.stderr)
    before = f", {totals.skipped} before" if totals.skipped else ""
    failed = f", {totals.failed} failed" if totals.failed else ""
    print(f"{totals.done} pairs labelled{before}{failed}: labels and summary in {place}")
    return 1 if totals.failed or totals.problem else 0


def _order(options: argparse.Namespace) -> Order:
    """The description of the job; the model is loaded once for its facts."""
    from samantic.cluster.order import Order
    from samantic.cluster.storage import open_place
    from samantic.predict.asking import made_with
    from samantic.predict.saving import Look
    from samantic.predict.selection import selection_of
    from samantic.runtime.load import load

    views = {name: getattr(options, name) for name in ("tile", "size", "tta")}
    cameras, chosen = camera_choice(options), class_choice(options)
    output = open_place(options.output, "--output")
    predictor = load(options.model, "cpu", **cameras, **views)
    predictor.selection = selection_of(predictor.classes, **chosen, prefix="--")
    if options.rig is not None and options.rig != "resize":
        cameras["rig"] = predictor.camera.stored()["rig"]  # the file exists on this machine only
    return Order(
        model=str(options.model),
        options={**cameras, **views, **chosen},
        made=made_with(predictor, Look()._asdict()),
        classes=predictor.classes,
        output=output,
        form=options.form,
        block=options.block,
        batch_size=options.batch_size,
        cpus=options.cpus_per_actor,
        gpus=options.gpus_per_actor or 0.0,
        concurrency=options.concurrency,
        write_log=None if options.write_log is None else str(options.write_log.absolute()),
    )
