"""The queue before the models, and the one thread that asks them.

The models are made in that thread once the server runs. While a batch is computed, pairs wait; of
these the first, and others of its model, size and depth, are the next batch.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import perf_counter

from starlette.requests import ClientDisconnect

from samantic.data.camera import RawPair
from samantic.errors import InputError
from samantic.predict.asking import PairPredictor
from samantic.predict.blending import given_up
from samantic.predict.prediction import Prediction
from samantic.serve.metrics import Metrics
from samantic.serve.models import Served, load_models
from samantic.serve.refusals import RefusedError
from samantic.serve.settings import Settings

Answer = Prediction | InputError | Exception


@dataclass(eq=False)
class _Job:
    """A pair that waits for an answer."""

    model: str
    pair: RawPair
    gone: Callable[[], Awaitable[bool]]
    answer: asyncio.Future[Prediction]
    since: float = field(default_factory=perf_counter)

    @property
    def kind(self) -> Hashable:
        """Jobs of one kind go through a network together."""
        return self.model, *(None if x is None else (x.shape, x.dtype) for x in self.pair)


class Engine:
    """Loads models, and asks them.

    Attributes:
        models: By name, once they are loaded.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings, self.metrics = settings, metrics
        self.models: dict[str, Served] = {}
        self._waiting: deque[_Job] = deque()
        self._thread = ThreadPoolExecutor(1, "samantic-model")
        self._bell = asyncio.Event()

    def find(self, name: str | None = None) -> Served:
        """A model by its name, or the first.

        Raises:
            RefusedError: There is none, or it is not loaded yet.
        """
        if not self.models:
            raise RefusedError("busy", "the model is being loaded; try again in a second")
        if name is None:
            return next(iter(self.models.values()))
        if name not in self.models:
            raise RefusedError("model", f"model: no such model; there is {', '.join(self.models)}")
        return self.models[name]

    async def ask(
        self, name: str, pair: RawPair, gone: Callable[[], Awaitable[bool]]
    ) -> Prediction:
        """The prediction of a pair, in its turn.

        Args:
            name: Of the model.
            pair: The images.
            gone: Whether the one who asks is still there.

        Raises:
            InputError: The model cannot be asked about them.
            ClientDisconnect: Nobody waits for the answer.
        """
        job = _Job(name, pair, gone, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        self._bell.set()
        return await job.answer

    async def run(self, loaded: Callable[[], None] = lambda: None) -> None:
        """Load the models, then answer until cancelled.

        Raises:
            InputError: A model cannot be loaded.
        """
        loop = asyncio.get_running_loop()
        names, options = self.settings.models, self.settings.options
        self.models = await loop.run_in_executor(self._thread, load_models, names, options)
        self.metrics.ready.set(1)
        loaded()
        while True:
            await self._bell.wait()
            if batch := await self._next():
                model = self.models[batch[0].model].model
                with self.metrics.network.time():
                    answers = await loop.run_in_executor(self._thread, _answers, model, batch)
                for job, answer in zip(batch, answers, strict=True):
                    _settle(job, answer)

    async def _next(self) -> list[_Job]:
        """The jobs that are next, and still wanted."""
        jobs = [job for job in self._waiting if not job.answer.done()]
        alike = [job for job in jobs if job.kind == jobs[0].kind][: self._most(jobs)]
        taken = set(map(id, alike))
        self._waiting = deque(job for job in jobs if id(job) not in taken)
        self.metrics.waiting.set(len(self._waiting))
        if not self._waiting:
            self._bell.clear()
        batch = []
        for job in alike:
            if await job.gone():
                _settle(job, ClientDisconnect())
            else:
                batch.append(job)
                self.metrics.queue.observe(perf_counter() - job.since)
        if batch:
            self.metrics.batch.observe(len(batch))
        return batch

    def _most(self, jobs: Sequence[_Job]) -> int:
        """Pairs that go together at most with the first."""
        if self.settings.batch_size is not None or not jobs:
            return self.settings.batch_size or 0
        return self.models[jobs[0].model].model.batch_size

    def close(self) -> None:
        """Let the thread go."""
        self._thread.shutdown(wait=True, cancel_futures=True)


def _settle(job: _Job, answer: Answer) -> None:
    """Hand an answer to who waits for it, if anyone still does."""
    if job.answer.done():
        return
    if isinstance(answer, Exception):
        job.answer.set_exception(answer)
    else:
        job.answer.set_result(answer)


def _answers(model: PairPredictor, jobs: Sequence[_Job]) -> list[Answer]:
    """The answers to pairs of one kind; where they fail together, each is asked about alone.

    A large picture whose answers have all become too late is given up between two tiles.
    """
    try:
        with given_up(lambda: all(job.answer.done() for job in jobs)):
            return list(model.predict_each([job.pair for job in jobs], len(jobs)))
    except Exception as error:  # it belongs to who asked, as an answer of status 500
        if len(jobs) == 1:
            return [error]
        return [answer for job in jobs for answer in _answers(model, [job])]
