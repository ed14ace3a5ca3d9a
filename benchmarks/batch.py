"""`samantic batch`: no pair is lost or done twice, the speed of one machine, and the scaling.

Each part is a separate command that prints a Markdown table:

export OMP_NUM_THREADS=1  # sums of several threads differ in their last digits
python benchmarks/batch.py --kill node --pairs 2000 --corrupt 50     # one of two nodes, SIGKILL
python benchmarks/batch.py --kill driver --pairs 2000 --corrupt 50   # and the command repeated
python benchmarks/batch.py --pairs 200 2000                          # beside `samantic predict`
python benchmarks/batch.py --simulate 1 2 4 8 16 32 64               # models that sleep
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
from PIL import Image

from samantic.cli import main as samantic
from samantic.files import read_json

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_BACKEND_LOG_LEVEL"] = "fatal"
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # Ray does not replace 127.0.0.1

LOOPBACK = {"include_dashboard": False, "object_store_memory": 200 * 2**20}
"""Options of every Ray that is started here."""


@contextmanager
def folder() -> Iterator[Path]:
    """A folder with a short path: socket paths have at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="sb", dir="/tmp", ignore_cleanup_errors=True) as name:
        os.environ["RAY_TMPDIR"] = name
        yield Path(name)


def write_pairs(folder: Path, count: int, size: tuple[int, int], corrupt: int) -> None:
    """Random pairs; some thermal files are cut off."""
    rng = np.random.default_rng(0)
    bad = set(rng.choice(count, corrupt, replace=False).tolist())
    for kind in ("rgb", "thermal"):
        (folder / kind).mkdir(parents=True)
    for i in range(count):
        for kind, shape in (("rgb", (*size, 3)), ("thermal", size)):
            path = folder / kind / f"{i:06d}.png"
            Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(path)
            if kind == "thermal" and i in bad:
                path.write_bytes(path.read_bytes()[:100])


def commands(options: argparse.Namespace, root: Path) -> tuple[list[str], list[str]]:
    """The words of `predict` and of `batch` for the pairs below a folder."""
    images = [f"--{kind}={root / 'in' / kind}" for kind in ("rgb", "thermal")]
    one = ["predict", options.model, *images, "--save", "labels", "--out", f"{root}/one"]
    many = ["batch", options.model, "--input", f"{root}/in", "--output", f"{root}/many"]
    return [*one, "--device", "cpu"], [*many, "--block", str(options.block)]


class Run(NamedTuple):
    """The result of a command.

    Attributes:
        status: Its exit status.
        labels: Number of labels that it wrote.
        rate: Pairs/s between the first tenth and the last tenth of its labels.
        seconds: Time from its start to its end.
        peak: Peak memory of the process itself in MB, without its children.
    """

    status: int
    labels: int
    rate: float
    seconds: float
    peak: float


def timed(words: list[str], labels: Path, threads: int) -> Run:
    """Run a command.

    Args:
        words: Words of the command.
        labels: Folder of the labels that it writes.
        threads: OMP_NUM_THREADS.
    """
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    start, peak = time.perf_counter(), 0.0
    with subprocess.Popen([sys.executable, "-m", "samantic", *words], env=environment) as process:
        own = psutil.Process(process.pid)
        while process.poll() is None:
            with suppress(psutil.NoSuchProcess):
                peak = max(peak, own.memory_info().rss / 1e6)
            time.sleep(0.05)
    seconds = time.perf_counter() - start
    times = sorted(path.stat().st_mtime for path in labels.glob("*.png"))
    low, high = len(times) // 10, len(times) - 1 - len(times) // 10
    rate = (high - low) / max(1e-9, times[high] - times[low])
    return Run(process.returncode, len(times), rate, seconds, peak)


def compare(options: argparse.Namespace) -> None:
    """Both commands with the same threads, in turn, for each number of pairs."""
    print("| pairs | command | status | labels | pairs/s | of predict | seconds | peak, MB |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    peaks = []
    for count in options.pairs:
        with folder() as root:
            write_pairs(root / "in", count, tuple(options.size), options.corrupt)
            one, many = commands(options, root)
            many += ["--concurrency", f"{options.threads}:{options.threads}"]
            found = [
                timed(one, root / "one" / "labels", options.threads),
                timed(many, root / "many" / "labels", 1),
            ]
            for name, run in zip(("predict", "batch"), found, strict=True):
                share = f"{100 * run.rate / found[0].rate:.0f} %"
                row = f"{run.status} | {run.labels} | {run.rate:.1f} | {share}"
                print(f"| {count} | {name} | {row} | {run.seconds:.0f} | {run.peak:.0f} |")
            print(f"\n{sums_of(root)}\n", flush=True)
        peaks.append(found[1].peak)
    print(f"memory of the driver, most over least: {max(peaks) / min(peaks):.3f}")


def same_labels(root: Path) -> str:
    """Whether both commands have written equal files, as models with equal threads do."""
    one, many = (
        {path.name: path.read_bytes() for path in (root / name / "labels").iterdir()}
        for name in ("one", "many")
    )
    return f"{len(many)} labels, equal byte for byte to predict: {one == many}"


def sums_of(root: Path) -> str:
    """The totals of a job."""
    totals = read_json(root / "many" / "summary.json")
    found = {key: totals[key] for key in ("pairs", "done", "skipped", "failed")}
    found |= {f"output {key}": totals["output"][key] for key in ("labels", "done", "failed")}
    return ", ".join(f"{key} {value}" for key, value in found.items())


def kill(options: argparse.Namespace) -> None:
    """Kill a node or the driver when half of the labels are written, and check the output."""
    print("| killed | pairs | corrupt | after | written | twice | exit status |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for count in options.pairs:
        with folder() as root:
            write_pairs(root / "in", count, tuple(options.size), options.corrupt)
            one, many = commands(options, root)
            log = root / "log"
            many += ["--write-log", str(log)]
            lose = lose_node if options.kill == "node" else lose_driver
            after, status = lose(many, log, (count - options.corrupt) // 2)
            times = Counter(line.split(" ", 2)[2] for line in lines(log))
            twice = sum(number > 1 for number in times.values())
            cells = f"{options.corrupt} | {after} | {len(times)} | {twice} | {status}"
            print(f"| {options.kill} | {count} | {cells} |", flush=True)
            samantic(one)
            print(f"\n{same_labels(root)}; {sums_of(root)}\n", flush=True)


def lines(log: Path) -> list[str]:
    """A log of writes."""
    return log.read_text().splitlines() if log.exists() else []


def lose_node(words: list[str], log: Path, least: int) -> tuple[int, int]:
    """Run a job on two nodes of this machine; kill one of them with all its processes.

    Returns:
        Number of labels at the kill, and the exit status.
    """
    import ray
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "node_ip_address": "127.0.0.1", **LOOPBACK}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    second = cluster.add_node(**node)
    ray.init(address=cluster.address, log_to_driver=False, _node_ip_address="127.0.0.1")
    raylet = psutil.Process(second.all_processes["raylet"][0].process.pid)
    after = []

    def lose() -> None:
        while len(lines(log)) < least:
            time.sleep(0.05)
        end([raylet, *raylet.children(recursive=True)])
        after.append(len(lines(log)))

    threading.Thread(target=lose, daemon=True).start()
    status = samantic(words)
    ray.shutdown()
    cluster.shutdown()
    return after[0] if after else 0, status


def lose_driver(words: list[str], log: Path, least: int) -> tuple[int, int]:
    """Start a job, kill it with all its processes, and repeat the command.

    Returns:
        Number of labels at the kill, and the exit status of the second run.
    """
    command = [sys.executable, "-m", "samantic", *words]
    with subprocess.Popen(command) as process:
        while process.poll() is None and len(lines(log)) < least:
            time.sleep(0.05)
        end([psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)])
    after = len(lines(log))
    return after, subprocess.run(command, check=False).returncode


def end(processes: list[psutil.Process]) -> None:
    """Kill processes at once."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


WARM = 2
"""Number of a model's first blocks that are not counted."""


class Sleeper:
    """Replaces a model: takes the same time for each block, and no CPU."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self, block: Any) -> Any:
        start = time.time()
        time.sleep(self.seconds)
        for name, value in (("pid", os.getpid()), ("start", start), ("end", time.time())):
            block = block.append_column(name, [[value] * block.num_rows])
        return block


def simulate(options: argparse.Namespace) -> None:
    """Print the blocks/s of models that sleep, and the ratio to models that never wait."""
    import logging

    import ray
    import ray.data

    with folder():
        quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
        cpus = max(options.simulate) + 4
        ray.init(num_cpus=cpus, _node_ip_address="127.0.0.1", **LOOPBACK, **quiet)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = context.print_on_execution_start = False
        context.target_max_block_size = 1  # bytes, as in `samantic batch`
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        context.wait_for_min_actors_s = 600  # starting processes would take CPU from the others
        print(f"blocks of {options.block} pairs, {options.seconds:g} s each\n")
        print("| models | pairs/s | ideal | efficiency | driver, ms of CPU a block | full at |")
        print("|---|---|---|---|---|---|", flush=True)
        for models in options.simulate:
            print(f"| {models} | {' | '.join(sleep(options, models))} |", flush=True)
        ray.shutdown()


def sleep(options: argparse.Namespace, models: int) -> list[str]:
    """A row of the table: one stream through `models` models.

    Each model is timed from its own third block to its last, because processes start before. The
    driver handles one block after the other. It is saturated at as many models as finish a block in
    the CPU time that the driver needs for one.
    """
    import pyarrow as pa
    import ray.data

    count = models * options.rounds
    share = {"batch_size": None, "batch_format": "pyarrow"}
    light = share | {"num_cpus": 0.1, "compute": ray.data.TaskPoolStrategy(size=2)}
    stream = (
        ray.data.from_arrow([pa.table({"block": [i]}) for i in range(count)])
        .map_batches(pa.Table.combine_chunks, **light)  # as decoding
        .map_batches(
            Sleeper,
            fn_constructor_args=(options.seconds,),
            compute=ray.data.ActorPoolStrategy(size=models),
            num_cpus=1,
            **share,
        )
        .map_batches(pa.Table.combine_chunks, **light)  # as writing
    )
    tables, busy = [], []
    for block in stream.iter_batches(**share):
        tables.append(block)
        busy.append(time.process_time())
    cpu = (busy[-1] - busy[count // 4]) / (count - 1 - count // 4)
    found = pa.concat_tables(tables).to_pandas().sort_values("start")
    found = found[found.groupby("pid").cumcount() >= WARM]
    spans = found.groupby("pid").agg({"start": "min", "end": "max", "block": "size"})
    rate = float((spans["block"] / (spans["end"] - spans["start"])).sum())
    ideal = models / options.seconds  # includes models that got no third block
    return [
        f"{rate * options.block:.0f}",
        f"{ideal * options.block:.0f}",
        f"{100 * rate / ideal:.0f} %",
        f"{1000 * cpu:.1f}",
        f"{options.seconds / cpu:.0f} models",
    ]


def main() -> None:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--pairs", type=int, nargs="+", default=[200, 2000])
    parser.add_argument("--size", type=int, nargs=2, default=[96, 128], metavar=("H", "W"))
    parser.add_argument("--corrupt", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--block", type=int, default=64, help="as of `samantic batch`")
    parser.add_argument("--kill", choices=("node", "driver"))
    parser.add_argument("--simulate", type=int, nargs="+", metavar="MODELS")
    parser.add_argument("--seconds", type=float, default=2.0, help="of a block, when simulated")
    parser.add_argument("--rounds", type=int, default=8, help="blocks of each model")
    options = parser.parse_args()
    (simulate if options.simulate else kill if options.kill else compare)(options)


if __name__ == "__main__":
    main()
