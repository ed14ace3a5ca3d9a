"""Start Ray on this machine, or connect to a running Ray."""

from __future__ import annotations

import logging
import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import samantic
from samantic.errors import InputError, StoppedError

STORE = 2**30
"""Bytes of shared memory on this machine for blocks in transit; 64 pairs of 480x640 take 0.1 GB."""


def import_ray(address: str = "auto") -> Any:
    """Import Ray with Ray Data.

    Args:
        address: The address to connect to; see `session`.

    Raises:
        InputError: Ray is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray sends no usage statistics
    if address == "local":  # else Ray replaces 127.0.0.1 by an address that others can reach
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # its log files hold all messages
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        if error.name not in ("ray", "pyarrow", "pandas"):
            raise
        raise InputError("batch: needs Ray; pip install samantic[ray]") from None
    return ray


@contextmanager
def session(address: str) -> Iterator[Any]:
    """A connection to Ray; a connection that this process already has is used and kept open.

    Args:
        address: `local` starts Ray on this machine, for this machine alone; `auto` connects to the
            Ray that runs here; HOST:PORT connects to another.

    Raises:
        InputError: Ray is not installed, or the address is malformed.
        StoppedError: No Ray answers there.
    """
    ray = import_ray(address)
    if ray.is_initialized():
        _quiet(ray)
        yield ray
        return
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == "local":
        options |= {
            "num_cpus": len(os.sched_getaffinity(0)),
            "include_dashboard": False,
            "object_store_memory": STORE,
            "_node_ip_address": "127.0.0.1",
        }
    try:
        _knock(address)
        ray.init(address=address, **options)
    except OSError as error:
        why = str(error).splitlines()[0]
        raise StoppedError(f"--address {address}: no Ray answers there ({why})") from None
    except (ValueError, ImportError) as error:
        why = str(error).splitlines()[0]
        raise InputError(f"--address {address}: {why}; give local, auto or HOST:PORT") from None
    try:
        _quiet(ray)
        yield ray
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Try a connection to HOST:PORT; Ray itself needs minutes to report that none is possible.

    Raises:
        OSError: No connection is possible.
    """
    host, _, port = address.rpartition(":")
    if host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def _quiet(ray: Any) -> None:
    """Silence Ray on the terminal, where this package shows its own bar and lines."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    warnings.filterwarnings("ignore", "The maximum number of concurrent tasks")
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)


def check_workers(ray: Any) -> None:
    """Refuse a cluster whose machines have another version of samantic, or none.

    Raises:
        StoppedError: Versions differ, or a machine has none.
    """
    try:
        theirs = ray.get(ray.remote(num_cpus=0.1)(worker_version).remote())
    except ray.exceptions.RayError as error:
        why = str(error).strip().splitlines()[-1]
        raise StoppedError(f"the workers have no samantic ({why}); install it there") from None
    if theirs != samantic.__version__:
        raise StoppedError(
            f"the workers have samantic {theirs}, here is {samantic.__version__}; install the same"
        )


def worker_version() -> str:
    """The version of samantic on the machine that runs this function."""
    return samantic.__version__


def resources(ray: Any) -> tuple[float, float]:
    """CPUs and GPUs of all machines together."""
    found = ray.cluster_resources()
    return float(found.get("CPU", 0)), float(found.get("GPU", 0))
