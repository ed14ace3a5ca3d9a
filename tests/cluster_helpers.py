"""Ray for tests: bound to this machine, small, and stopped by the processes that it is made of."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

STORE = 80 * 2**20
"""Bytes of shared memory of each node."""


QUICK = {
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "300",
    "RAY_health_check_failure_threshold": "3",
}
"""A dead node refuses to be asked and is noticed within a second, not within twenty; one that is
only slow has as long to answer as ever."""


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder with a short path: sockets have at most 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="sr", dir="/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def two_nodes() -> Iterator[tuple[Any, Any]]:
    """A head with one CPU and a second node with another, and this process connected to them."""
    import ray
    from ray.cluster_utils import Cluster

    with short_folder() as folder, pytest.MonkeyPatch.context() as patch:
        for name, value in {"RAY_TMPDIR": str(folder), **QUICK}.items():
            patch.setenv(name, value)
        node: dict[str, Any] = {"num_cpus": 1, "object_store_memory": STORE}
        head = node | {"include_dashboard": False, "node_ip_address": "127.0.0.1"}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        second = cluster.add_node(**node, node_ip_address="127.0.0.1")
        ray.init(
            address=cluster.address,
            log_to_driver=False,
            logging_level="ERROR",
            _node_ip_address="127.0.0.1",
        )
        try:
            cluster.wait_for_nodes()
            yield cluster, second
        finally:
            ray.shutdown()
            cluster.shutdown()


def write_pairs(folder: Path, count: int, size: tuple[int, int] = (32, 48), seed: int = 0) -> Path:
    """Random pairs FOLDER/rgb/00000.png and FOLDER/thermal/00000.png."""
    rng = np.random.default_rng(seed)
    for kind in ("rgb", "thermal"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for i in range(count):
        for kind, shape in (("rgb", (*size, 3)), ("thermal", size)):
            pixels = rng.integers(0, 256, shape, np.uint8)
            Image.fromarray(pixels).save(folder / kind / f"{i:05d}.png")
    return folder


def label_bytes(folder: Path) -> dict[str, bytes]:
    """The content of all label files, by their names."""
    return {path.name: path.read_bytes() for path in (folder / "labels").rglob("*.png")}


def written(log: Path) -> list[str]:
    """The names in a log of writes, in their order."""
    return [line.split(" ", 2)[2] for line in log.read_text().splitlines()]
