"""The counters and timers of a server, for Prometheus."""

from __future__ import annotations

from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0)
"""Upper bounds of the histogram buckets in seconds."""

METHODS = ("GET", "HEAD", "POST", "OPTIONS")


class Metrics:
    """The counters of one server, in their own registry.

    Attributes:
        requests: Requests by path, method and status.
        errors: Refused requests by kind, see `refusals`.
        held: Number of requests with a body that are held now.
        waiting: Number of pairs that wait for the model now.
        cameras: Pairs by camera that the model reads, and by its state.
        batch: Sizes of batches.
        decode: Seconds from the bytes of a pair to its pixels.
        queue: Seconds for which a pair waits for the model.
        network: Seconds of a batch in the model.
        encode: Seconds from labels to the bytes of an answer.
        total: Seconds from a request's headers to the end of its answer, by path.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()

        def seconds(name: str, what: str, labels: tuple[str, ...] = ()) -> Histogram:
            name = f"samantic_{name}_seconds"
            return Histogram(name, what, labels, buckets=SECONDS, registry=registry)

        def gauge(name: str, what: str) -> Gauge:
            return Gauge(f"samantic_{name}", what, registry=registry)

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"samantic_{name}", what, labels, registry=registry)

        self.requests = counter("requests", "answered requests", "path", "method", "status")
        self.errors = counter("errors", "requests without the answer they want", "kind")
        self.cameras = counter("cameras", "pairs by the state of a camera", "camera", "state")
        self.held = gauge("held_requests", "requests with a body that are held now")
        self.waiting = gauge("queue_pairs", "pairs that wait for the model now")
        self.ready = gauge("ready", "1 when the models are loaded")
        self.batch = Histogram(
            "samantic_batch_pairs",
            "pairs that went through a network together",
            buckets=(1, 2, 4, 8, 16, 32),
            registry=registry,
        )
        self.decode = seconds("decode", "from the bytes of a pair to its pixels")
        self.queue = seconds("queue", "a pair waits for the model")
        self.network = seconds("network", "a batch is in the model")
        self.encode = seconds("encode", "from labels to the bytes of an answer")
        self.total = seconds("request", "from the headers to the end of the answer", ("path",))


class Counted:
    """ASGI middleware that counts and times answers by the route that gave them."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = perf_counter(), "none"

        async def count(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self.app(scope, receive, count)
        finally:
            path = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in METHODS else "other"
            self.metrics.requests.labels(path, method, status).inc()
            self.metrics.total.labels(path).observe(perf_counter() - start)
