"""How many machines a job takes: what each resource bears, and which gives out first.

rate = min(devices x pairs/s, cores / CPU seconds of a pair, bytes/s / bytes of a pair, ...)
hours = pairs / rate / 3600,  cost = hours x nodes x price
"""

from __future__ import annotations

from dataclasses import dataclass

RESOURCES = ("models", "decode and encode", "network of nodes", "storage bytes", "storage requests")
"""What a job can wait for, in this order."""


@dataclass(frozen=True)
class Load:
    """What one pair takes, as measured.

    Attributes:
        device_seconds: Of a GPU, or of the CPUs of one model, in the network.
        cpu_seconds: Of one CPU, to read, decode, encode and write.
        bytes_in: Of its image files.
        bytes_out: Of its labels and its row of the summary.
        requests: To an object store: two reads, the look for its label (twice), one write.
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
        models: Models at work on it: GPUs, or CPUs by `--cpus-per-actor`.
        cores: CPUs that decode and encode.
        bytes_per_second: Of its network.
        price: Of an hour.
    """

    models: int
    cores: float
    bytes_per_second: float = 1.25e9
    price: float = 1.0


@dataclass(frozen=True)
class Storage:
    """What all machines share.

    Attributes:
        bytes_per_second: Read and written together.
        requests_per_second: As S3 bears: 5,500 reads and 3,500 writes a second for each prefix.
    """

    bytes_per_second: float = 12.5e9
    requests_per_second: float = 5500.0


@dataclass(frozen=True)
class Capacity:
    """What machines bear.

    Attributes:
        rates: Pairs per second that each of `RESOURCES` bears.
        nodes: Machines.
        price: Of one for an hour.
    """

    rates: dict[str, float]
    nodes: int
    price: float

    @property
    def bottleneck(self) -> str:
        """The resource that gives out first."""
        return min(self.rates, key=lambda name: self.rates[name])

    @property
    def rate(self) -> float:
        """Pairs per second."""
        return min(self.rates.values())

    def hours(self, pairs: float) -> float:
        """How long so many pairs take."""
        return pairs / self.rate / 3600

    def cost(self, pairs: float) -> float:
        """What so many pairs cost."""
        return self.hours(pairs) * self.nodes * self.price

    def use(self) -> dict[str, float]:
        """How busy each resource is, 0..1; the bottleneck is at 1."""
        return {name: self.rate / rate for name, rate in self.rates.items()}


def capacity(load: Load, node: Node, nodes: int = 1, storage: Storage | None = None) -> Capacity:
    """What so many machines of a kind bear.

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
    """From how many machines on each part of the storage, which all share, is the bottleneck."""
    one = capacity(load, node, 1, storage).rates
    alone = min(one[name] for name in RESOURCES[:3])
    return {name: one[name] / alone for name in RESOURCES[3:]}


def decoders(load: Load, node: Node) -> float:
    """CPUs that keep one model busy."""
    return load.cpu_seconds / load.device_seconds


def table(load: Load, node: Node, pairs: float, counts: tuple[int, ...]) -> list[list[str]]:
    """Rows of hours, cost of a million pairs and bottleneck, for numbers of machines."""
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
