"""`samantic batch` against `samantic predict`, in pairs a second and memory; and its law of scale.

python benchmarks/batch.py --pairs 200 2000        # both commands, the same threads
python benchmarks/batch.py --corrupt 50 --pairs 2000
python benchmarks/batch.py --simulate 1 2 4 8 16 32 64 --seconds 0.5
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from samantic.files import read_json


def write_pairs(folder: Path, count: int, size: tuple[int, int], corrupt: int) -> None:
    """Random pairs, of which some thermal files end too early."""
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


def timed(words: list[str], labels: Path, threads: int, tmp: Path) -> tuple[int, float, float, int]:
    """Run a command: its status, the pairs/s from its first label to its last, its peak in MB.

    Args:
        words: Of the command.
        labels: Folder of the labels that it writes.
        threads: OMP_NUM_THREADS.
        tmp: Folder for Ray; a short path.

    Returns:
        Status, pairs/s, MB of the process itself without its children, labels.
    """
    environment = os.environ | {
        "OMP_NUM_THREADS": str(threads),
        "RAY_TMPDIR": str(tmp),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    process = subprocess.Popen([sys.executable, "-m", "samantic", *words], env=environment)
    peak = [0.0]

    def watch() -> None:
        own = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                peak[0] = max(peak[0], own.memory_info().rss / 1e6)
            except psutil.NoSuchProcess:
                return
            time.sleep(0.1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    status = process.wait()
    watcher.join()
    times = sorted(path.stat().st_mtime for path in labels.glob("*.png"))
    rate = (len(times) - 1) / max(1e-9, times[-1] - times[0])
    return status, rate, peak[0], len(times)


def compare(options: argparse.Namespace) -> None:
    """Print a line for each command and number of pairs."""
    print("| pairs | command | status | labels | pairs/s | peak of the main process, MB |")
    print("|---|---|---|---|---|---|")
    for count in options.pairs:
        with tempfile.TemporaryDirectory(prefix="sb", dir="/tmp") as folder:
            root = Path(folder)
            write_pairs(root / "in", count, tuple(options.size), options.corrupt)
            images = [f"--{kind}={root / 'in' / kind}" for kind in ("rgb", "thermal")]
            one = ["predict", options.model, *images, "--save", "labels", "--out", f"{root}/one"]
            many = ["batch", options.model, "--input", f"{root}/in", "--output", f"{root}/many"]
            many += ["--block", str(options.block)]
            many += ["--concurrency", f"1:{options.threads}"]
            for name, words, threads, out in (
                ("predict", one, options.threads, "one"),
                ("batch", many, 1, "many"),
            ):
                found = timed(words, root / out / "labels", threads, root)
                row = f"{found[0]} | {found[3]} | {found[1]:.1f} | {found[2]:.0f}"
                print(f"| {count} | {name} | {row} |", flush=True)
            same = all(
                path.read_bytes() == (root / "many" / "labels" / path.name).read_bytes()
                for path in (root / "one" / "labels").iterdir()
            )
            totals = read_json(root / "many" / "summary.json")
            sums = ", ".join(f"{key} {totals[key]}" for key in ("pairs", "done", "failed"))
            print(f"\nlabels equal byte for byte: {same}; {sums}\n", flush=True)


class Sleeper:
    """In the place of a model: takes the time of one for each pair, and no CPU."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self, block: Any) -> Any:
        start = time.time()
        time.sleep(self.seconds * block.num_rows)
        for name, value in (("pid", os.getpid()), ("start", start), ("end", time.time())):
            block = block.append_column(name, [[value] * block.num_rows])
        return block


def simulate(options: argparse.Namespace) -> None:
    """Print how many pairs/s models do that sleep, over what they would without any waiting."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # 127.0.0.1 stays 127.0.0.1
    import logging

    import pyarrow as pa
    import ray
    import ray.data

    most = max(options.simulate)
    with tempfile.TemporaryDirectory(prefix="sb", dir="/tmp") as folder:
        ray.init(
            num_cpus=most + 4,
            include_dashboard=False,
            object_store_memory=200 * 2**20,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _node_ip_address="127.0.0.1",
            _temp_dir=folder,
        )
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = context.print_on_execution_start = False
        share = {"batch_size": None, "batch_format": "pyarrow"}
        print("| models | at work | pairs/s | ideal | efficiency |")
        print("|---|---|---|---|---|")
        for models in options.simulate:
            count = models * options.block * options.rounds
            table = pa.table({"pair": np.arange(count)})
            stream = (
                ray.data.from_arrow(table)
                .repartition(target_num_rows_per_block=options.block)
                .map_batches(
                    Sleeper,
                    fn_constructor_args=(options.seconds,),
                    compute=ray.data.ActorPoolStrategy(size=models),
                    num_cpus=1,
                    **share,
                )
                .map_batches(pa.Table.combine_chunks, num_cpus=0.1, **share)
            )
            table = pa.concat_tables(stream.iter_batches(**share)).to_pandas()
            spans = table.groupby("pid").agg({"start": "min", "end": "max", "pair": "size"})
            # each model from its own first block to its last: starting processes is not counted
            rate = float((spans["pair"] / (spans["end"] - spans["start"])).sum())
            ideal = len(spans) / options.seconds
            cells = f"{models} | {len(spans)} | {rate:.1f} | {ideal:.1f} | {100 * rate / ideal:.0f}"
            print(f"| {cells} % |", flush=True)
        ray.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="nano")
    parser.add_argument("--pairs", type=int, nargs="+", default=[200, 2000])
    parser.add_argument("--size", type=int, nargs=2, default=[96, 128], metavar=("H", "W"))
    parser.add_argument("--corrupt", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--block", type=int, default=16)
    parser.add_argument("--simulate", type=int, nargs="+", metavar="MODELS")
    parser.add_argument("--seconds", type=float, default=0.5, help="of a pair, when simulated")
    parser.add_argument("--rounds", type=int, default=6, help="blocks of each model")
    options = parser.parse_args()
    simulate(options) if options.simulate else compare(options)


if __name__ == "__main__":
    main()
