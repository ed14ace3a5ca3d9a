"""How many machines a job needs: the throughput of each resource, and the bottleneck.

rate = min(devices x pairs/s, cores / CPU seconds of a pair, bytes/s / bytes of a pair, ...)
hours = pairs / rate / 3600,  cost = hours x nodes x price
"""

from __future__ import annotations

from dataclasses import dataclass

RESOURCES = ("models", "decode and encode", "network of nodes", "storage bytes", "storage requests")
"""The resources that can be a job's bottleneck, in this order."""


@dataclass(frozen=True)
class Load:
    """The measured load of one pair.

    Attributes:
        device_seconds: Seconds of a GPU, or of one model's CPUs, in the network.
        cpu_seconds: Seconds of one CPU to read, decode, encode and write.
        bytes_in: Bytes of its image files.
        bytes_out: Bytes of its labels and its row of the summary.
        requests: Requests to an object store: two reads, two checks for its label, one write.
    """

    device_seconds: float
    cpu_seconds: float
    bytes_in: float
    bytes_out: float
    requests: float = 5.0


@dataclass(frozen=True)
class Node:
    """One machine.

    Attributes:
        models: Number of models on it: GPUs, or CPUs divided by `--cpus-per-actor`.
        cores: CPUs that decode and encode.
        bytes_per_second: Throughput of its network.
        price: Price of an hour.
    """

    models: int
    cores: float
    bytes_per_second: float = 1.25e9
    price: float = 1.0


@dataclass(frozen=True)
class Storage:
    """The storage that all machines share.

    Attributes:
        bytes_per_second: Throughput of reading and writing together.
        requests_per_second: Largest rate of requests. S3 allows 5,500 reads and 3,500 writes a
            second for each prefix.
    """

    bytes_per_second: float = 12.5e9
    requests_per_second: float = 5500.0


@dataclass(frozen=True)
class Capacity:
    """The throughput of a number of machines.

    Attributes:
        rates: Pairs per second that each of `RESOURCES` allows.
        nodes: Number of machines.
        price: Price of one machine for an hour.
    """

    rates: dict[str, float]
    nodes: int
    price: float

    @property
    def bottleneck(self) -> str:
        """The resource with the lowest rate."""
        return min(self.rates, key=lambda name: self.rates[name])

    @property
    def rate(self) -> float:
        """Pairs per second."""
        return min(self.rates.values())

    def hours(self, pairs: float) -> float:
        """Hours for a number of pairs."""
        return pairs / self.rate / 3600

    def cost(self, pairs: float) -> float:
        """Cost of a number of pairs."""
        return self.hours(pairs) * self.nodes * self.price

    def use(self) -> dict[str, float]:
        """Load of each resource, 0..1; the bottleneck is at 1."""
        return {name: self.rate / rate for name, rate in self.rates.items()}


def capacity(load: Load, node: Node, nodes: int = 1, storage: Storage | None = None) -> Capacity:
    """The throughput of a number of equal machines.

    Example:
        >>> load = Load(0.01, 0.02, 1e6, 2e4)
        >>> capacity(load, Node(models=8, cores=12), nodes=2).bottleneck
        'storage requests'
    """
    storage = storage or Storage()
    moved = load.bytes_in + load.bytes_out
    rates = (
        nodes * node.models / load.device_seconds,
        nodes * node.cores / load.cpu_seconds,
        nodes * node.bytes_per_second / moved,
        storage.bytes_per_second / moved,
        storage.requests_per_second / load.requests,
    )
    return Capacity(dict(zip(RESOURCES, rates, strict=True)), nodes, node.price)


def saturation(load: Load, node: Node, storage: Storage | None = None) -> dict[str, float]:
    """Number of machines from which each limit of the shared storage is the bottleneck."""
    one = capacity(load, node, 1, storage).rates
    alone = min(one[name] for name in RESOURCES[:3])
    return {name: one[name] / alone for name in RESOURCES[3:]}


def decoders(load: Load, node: Node) -> float:
    """Number of CPUs that keep one model busy."""
    return load.cpu_seconds / load.device_seconds


def table(load: Load, node: Node, pairs: float, counts: tuple[int, ...]) -> list[list[str]]:
    """Rows with hours, cost of a million pairs and bottleneck, for several numbers of machines."""
    rows = [["nodes", "pairs/s", "hours", "cost per million", "bottleneck"]]
    for nodes in counts:
        found = capacity(load, node, nodes)
        rows.append(
            [
                str(nodes),
                f"{found.rate:,.1f}",
                f"{found.hours(pairs):,.1f}",
                f"{found.cost(1e6):,.2f}",
                found.bottleneck,
            ]
        )
    return rows
