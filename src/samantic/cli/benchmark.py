"""The verb `benchmark`."""

from __future__ import annotations

import argparse

from samantic.cli.options import MODEL, file, sides, whole

HELP = "time models against each other and against the peak of this machine"


def add_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("model", metavar="MODEL", help=f"{MODEL}; others are compared with it")
    sub.add_argument(
        "--against",
        nargs="+",
        default=[],
        metavar="MODEL",
        help="models to compare with it, given as MODEL",
    )
    sub.add_argument(
        "--backend",
        nargs="+",
        choices=("torch", "onnx", "openvino"),
        default=["torch"],
        help="runtime of models that are not exported files (default torch); several are timed in "
        "turn",
    )
    sub.add_argument(
        "--precision",
        nargs="+",
        choices=("fp32", "fp16", "bf16", "int8"),
        default=["fp32"],
        help="precision of these models (default fp32); an exported file has its own",
    )
    _timing_options(sub)
    sub.add_argument("--out", type=file, metavar="FILE", help="write all figures as JSON")
    sub.add_argument("--plot", type=file, metavar="FILE", help="draw latency against mIoU as SVG")


def _timing_options(sub: argparse.ArgumentParser) -> None:
    """Options for what is timed, how often and on which device."""
    group = sub.add_argument_group("timing")
    group.add_argument(
        "--size",
        type=sides,
        metavar="HxW",
        help="image size (default: that of the first exported file, or 480x640)",
    )
    group.add_argument(
        "--batch", type=whole(1, 1024), default=1, metavar="N", help="pairs at a time (default 1)"
    )
    group.add_argument(
        "--threads",
        type=whole(1, 1024),
        metavar="N",
        help="threads (default OMP_NUM_THREADS, or the CPUs that this process may use)",
    )
    group.add_argument(
        "--device", default="cpu", help="device of PyTorch: cpu (default), cuda, cuda:1, ..."
    )
    group.add_argument(
        "--rounds",
        type=whole(1, 100_000),
        default=20,
        metavar="N",
        help="how many times each model is timed (default 20)",
    )
    group.add_argument(
        "--include-io",
        action="store_true",
        help="include the time for reading images and for writing labels and overlays",
    )


def run(options: argparse.Namespace) -> None:
    from samantic.benchmark.job import Plan, benchmark
    from samantic.benchmark.plot import check_plot, write_plot
    from samantic.benchmark.table import benchmark_table
    from samantic.files import write_json

    if options.plot is not None:
        check_plot(options.plot)
    found = benchmark(
        Plan(
            [options.model, *options.against],
            tuple(dict.fromkeys(options.backend)),
            tuple(dict.fromkeys(options.precision)),
            options.size,
            options.batch,
            options.threads,
            options.device,
            options.rounds,
            options.include_io,
        )
    )
    print(benchmark_table(found))
    if options.out is not None:
        write_json(options.out, found)
    if options.plot is not None:
        write_plot(options.plot, found)
