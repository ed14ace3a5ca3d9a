"""A server under load on loopback: response times, and whether its memory stays constant.

Each client sends its next pair after its last answer. A 503 with Retry-After is counted, and
obeyed. Any answer other than 200 and 503 ends the run with status 1.

    OMP_NUM_THREADS=1 python benchmarks/serve.py nano
    OMP_NUM_THREADS=1 python benchmarks/serve.py nano.onnx --data data/mfnet_mini
"""

from __future__ import annotations

import argparse
import asyncio
import io
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from statistics import mean
from typing import TextIO, cast

import httpx
import numpy as np
import psutil
from PIL import Image

from samantic.cli.options import sides
from samantic.data.pairs import PairedFolder
from samantic.scenes import draw_scene

ENDS = 200
"""Number of answers at the start, and at the end, whose memory is compared."""

PARTS = 10
"""Number of parts of a run whose mean memory is printed."""

PAIRS = 16
"""Number of different pairs that are sent in turn."""

MB = 1e6

Pair = dict[str, bytes]


@dataclass
class Seen:
    """The clients' record.

    Attributes:
        statuses: Number of answers by status.
        seconds: Time from the first byte of a request to its answer, for status 200.
        memory: Bytes of the server's memory after each answer.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)


def generated(size: tuple[int, int]) -> list[Pair]:
    scenes = [draw_scene(4, index, size) for index in range(PAIRS)]
    return [{"rgb": png(scene.rgb), "thermal": png(scene.thermal)} for scene in scenes]


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def real(root: Path, layout: str, split: str) -> list[Pair]:
    files = PairedFolder(root, layout, split, labelled=False).files
    found = []
    for one in files[:: max(1, len(files) // PAIRS)]:
        same = len(set(one.images.values())) == 1
        paths = {"rgbt": one.images["rgb"]} if same else one.images
        found.append({name: path.read_bytes() for name, path in paths.items()})
    return found


async def client(
    url: str, todo: asyncio.Queue[tuple[Pair, str]], form: str, seen: Seen, server: psutil.Process
) -> None:
    async with httpx.AsyncClient(timeout=120) as http:
        while not todo.empty():
            pair, model = todo.get_nowait()
            while True:
                start = time.perf_counter()
                answer = await http.post(
                    f"{url}/predict", files=pair, data={"model": model, "format": form}
                )
                seen.statuses[answer.status_code] += 1
                if answer.status_code != 503:
                    break
                await asyncio.sleep(float(answer.headers["Retry-After"]))
            seen.seconds.append(time.perf_counter() - start)
            seen.memory.append(server.memory_info().rss)


async def load(url: str, options: argparse.Namespace, pairs: list[Pair], pid: int) -> Seen:
    async with httpx.AsyncClient() as http:
        while (await http.get(f"{url}/ready")).status_code != 200:
            await asyncio.sleep(0.1)
        told = (await http.get(f"{url}/models")).json()["models"]
    names = cycle(model["name"] for model in told)
    todo: asyncio.Queue[tuple[Pair, str]] = asyncio.Queue()
    for _, pair, name in zip(range(options.requests), cycle(pairs), names, strict=False):
        todo.put_nowait((pair, name))
    seen, server = Seen(), psutil.Process(pid)
    work = [client(url, todo, options.format, seen, server) for _ in range(options.clients)]
    await asyncio.gather(*work)
    return seen


def report(seen: Seen, seconds: float) -> None:
    p50, p95 = np.percentile(seen.seconds, (50, 95))
    first, last = mean(seen.memory[:ENDS]) / MB, mean(seen.memory[-ENDS:]) / MB
    statuses = ", ".join(f"{count} of {status}" for status, count in sorted(seen.statuses.items()))
    print(f"answers           {statuses}")
    print(f"pairs a second    {len(seen.seconds) / seconds:.1f}")
    print(f"seconds           p50 {p50:.3f}, p95 {p95:.3f}")
    print(f"memory of server  first {ENDS}: {first:.0f} MB, last {ENDS}: {last:.0f} MB")
    means = [f"{part.mean() / MB:.0f}" for part in np.array_split(np.array(seen.memory), PARTS)]
    print(f"of each tenth     {' '.join(means)} MB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--size", type=sides, default=(480, 640), metavar="HxW")
    parser.add_argument("--data", type=Path, help="real pairs in place of generated ones")
    parser.add_argument("--layout", default="mfnet")
    parser.add_argument("--split", default="test")
    parser.add_argument("--format", default="labels")
    parser.add_argument("--queue", default="64")
    parser.add_argument("--batch-size", help="default: what suits the device")
    options = parser.parse_args()
    pairs = (
        generated(options.size)
        if options.data is None
        else real(options.data, options.layout, options.split)
    )
    words = ["--port", "0", "--queue", options.queue]
    words += ["--batch-size", options.batch_size] if options.batch_size else []
    command = [sys.executable, "-m", "samantic", "serve", *options.models, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        printed = cast(TextIO, process.stdout)
        try:
            url = printed.readline().split()[2]
            start = time.perf_counter()
            seen = asyncio.run(load(url, options, pairs, process.pid))
            report(seen, time.perf_counter() - start)
        finally:
            process.terminate()
        print(printed.read().splitlines()[-1])
    print(f"exit status       {process.returncode}")
    return 0 if set(seen.statuses) <= {200, 503} and process.returncode == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
