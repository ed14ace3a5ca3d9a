"""The queue before the models, and the one thread that runs them.

That thread loads the models when the server starts. While a batch is computed, pairs wait. The next
batch is the first waiting pair, and others of the same model, size and depth.
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
        """Key that is equal for jobs that can form a batch."""
        return self.model, *(None if x is None else (x.shape, x.dtype) for x in self.pair)


class Engine:
    """Loads models and runs them.

    Attributes:
        models: The loaded models by name.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings, self.metrics = settings, metrics
        self.models: dict[str, Served] = {}
        self._waiting: deque[_Job] = deque()
        self._thread = ThreadPoolExecutor(1, "samantic-model")
        self._bell = asyncio.Event()

    def find(self, name: str | None = None) -> Served:
        """A model by its name; the first model if there is no name.

        Raises:
            RefusedError: There is no such model, or it is not loaded yet.
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
        """Predict a pair when its turn comes.

        Args:
            name: Name of the model.
            pair: The images.
            gone: Returns whether the client has left.

        Raises:
            InputError: The model cannot predict the images.
            ClientDisconnect: The client has left.
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
        """The jobs of the next batch whose clients still wait."""
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
        """Largest batch for the first job's model."""
        if self.settings.batch_size is not None or not jobs:
            return self.settings.batch_size or 0
        return self.models[jobs[0].model].model.batch_size

    def close(self) -> None:
        """Shut down the thread."""
        self._thread.shutdown(wait=True, cancel_futures=True)


def _settle(job: _Job, answer: Answer) -> None:
    """Pass an answer to the client's task, if it still waits."""
    if job.answer.done():
        return
    if isinstance(answer, Exception):
        job.answer.set_exception(answer)
    else:
        job.answer.set_result(answer)


def _answers(model: PairPredictor, jobs: Sequence[_Job]) -> list[Answer]:
    """The answers to pairs of one kind; if the batch fails, each pair is predicted alone.

    A large image is abandoned between two tiles once all answers are too late.
    """
    try:
        with given_up(lambda: all(job.answer.done() for job in jobs)):
            return list(model.predict_each([job.pair for job in jobs], len(jobs)))
    except Exception as error:  # the client gets it as status 500
        if len(jobs) == 1:
            return [error]
        return [answer for job in jobs for answer in _answers(model, [job])]
