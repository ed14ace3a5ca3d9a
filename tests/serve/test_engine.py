"""The queue: what goes together, who waits, and who is sent away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import numpy as np
import pytest

from samantic.data.camera import RawPair
from samantic.errors import InputError
from samantic.predict.blending import blend_tiles
from samantic.predict.prediction import Prediction
from samantic.serve import engine as module
from samantic.serve.app import create_app
from samantic.serve.models import Served
from samantic.serve.settings import Settings
from tests.helpers import info_of
from tests.serve.servers import HERE, pair, png


class Model:
    """Answers in batches, once it is let go; `seen` are their sizes."""

    info = info_of("paper")
    batch_size = 2

    def __init__(self) -> None:
        self.camera = self.info.camera
        self.seen: list[tuple[int, int]] = []
        self.free = threading.Event()

    def predict_each(self, pairs: Iterable[RawPair], count: int) -> Iterator[Prediction]:
        assert self.free.wait(10)
        todo = list(pairs)
        rgb = todo[0][0]
        assert rgb is not None
        self.seen.append((rgb.shape[0], len(todo)))
        for pixels, _ in todo:
            assert pixels is not None
            if pixels.max() == 13:
                raise RuntimeError("thirteen")
            if pixels.max() == 14:
                raise InputError("fourteen")
            labels = pixels[..., 0]
            confidence = np.ones(labels.shape, np.float32)
            info = self.info
            yield Prediction(labels, confidence, info.classes, info.palette, pixels)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Model:
    found = Model()
    colours = [{"id": i, "name": n, "color": "#000000"} for i, n in enumerate(found.info.classes)]
    served = Served("m", found, ("rgb", "thermal"), {"classes": colours})  # type: ignore[arg-type]
    monkeypatch.setattr(module, "load_models", lambda *_: {"m": served})
    return found


async def still_there() -> bool:
    return False


async def gone() -> bool:
    return True


def image(value: int, side: int = 4) -> RawPair:
    return np.full((side, side, 3), value, np.uint8), None


async def engine_of(**options: Any) -> tuple[module.Engine, asyncio.Task[None]]:
    made = module.Engine(Settings(("m",), **options), module.Metrics())
    work = asyncio.create_task(made.run())
    while not made.models:
        await asyncio.sleep(0.001)
    return made, work


def test_pairs_of_one_size_go_together(model: Model) -> None:
    """The first takes others of its size with it; each gets its own answer."""

    async def scenario() -> None:
        engine, work = await engine_of(batch_size=3)
        sides = [4, 4, 8, 4, 8, 4, 4]
        asks = [
            asyncio.ensure_future(engine.ask("m", image(i, side), still_there))
            for i, side in enumerate(sides)
        ]
        await asyncio.sleep(0.05)
        model.free.set()
        for i, found in enumerate(await asyncio.gather(*asks)):
            assert found.labels.shape == (sides[i], sides[i])
            assert (found.labels == i).all()
        work.cancel()
        engine.close()

    asyncio.run(scenario())
    assert model.seen == [(4, 3), (8, 2), (4, 2)]


def test_an_error_is_its_own_pairs(model: Model) -> None:
    async def scenario() -> None:
        engine, work = await engine_of(batch_size=4)
        model.free.set()
        values = (13, 1, 14, 2)
        asks = [engine.ask("m", image(value), still_there) for value in values]
        found = await asyncio.gather(*asks, return_exceptions=True)
        kinds = [type(one) for one in found]
        assert kinds == [RuntimeError, Prediction, InputError, Prediction]
        work.cancel()
        engine.close()

    asyncio.run(scenario())


def test_nobody_is_asked_for_who_has_left(model: Model) -> None:
    async def scenario() -> None:
        engine, work = await engine_of(batch_size=1)
        first = asyncio.ensure_future(engine.ask("m", image(1), still_there))
        await asyncio.sleep(0.02)
        left = asyncio.ensure_future(engine.ask("m", image(2), gone))
        stopped = asyncio.ensure_future(engine.ask("m", image(3), still_there))
        last = asyncio.ensure_future(engine.ask("m", image(4), still_there))
        await asyncio.sleep(0.02)
        stopped.cancel()
        model.free.set()
        assert ((await first).labels == 1).all()
        with pytest.raises(module.ClientDisconnect):
            await left
        assert ((await last).labels == 4).all()
        work.cancel()
        engine.close()

    asyncio.run(scenario())
    assert len(model.seen) == 2


def test_one_too_many_is_sent_away(model: Model) -> None:
    """A full queue says so at once, before it reads a body; later there is room again."""

    async def scenario() -> None:
        app = create_app(Settings(("m",), queue=2, timeout=20))
        async with asking(app) as client:
            files = {"rgb": pair()["rgb"]}
            held = [asyncio.ensure_future(client.post("/predict", files=files)) for _ in range(2)]
            await asyncio.sleep(0.2)
            answer = await client.post("/predict", files=files)
            assert (answer.status_code, answer.json()["kind"]) == (503, "busy")
            assert answer.headers["retry-after"] == "1"
            assert (await client.get("/health")).status_code == 200
            model.free.set()
            assert [one.status_code for one in await asyncio.gather(*held)] == [200, 200]
            assert (await client.post("/predict", files=files)).status_code == 200

    asyncio.run(scenario())


def test_a_request_has_its_time(model: Model) -> None:
    async def scenario() -> None:
        app = create_app(Settings(("m",), timeout=0.3))
        async with asking(app) as client:
            files = {"rgb": pair()["rgb"]}
            answer = await client.post("/predict", files=files)
            assert (answer.status_code, answer.json()["kind"]) == (503, "timeout")
            assert "no answer within 0.3 s" in answer.json()["error"]
            assert answer.headers["x-content-type-options"] == "nosniff"
            model.free.set()
            assert (await client.post("/predict", files=files)).status_code == 200

    asyncio.run(scenario())


def test_an_error_of_the_server(model: Model) -> None:
    async def scenario() -> None:
        app = create_app(Settings(("m",)))
        async with asking(app) as client:
            model.free.set()
            bad = {"rgb": png_of(13)}
            answer = await client.post("/predict", files=bad)
            expected = {"error": "an error of the server; its log has more", "kind": "internal"}
            assert (answer.status_code, answer.json()) == (500, expected)
            assert (
                'samantic_errors_total{kind="internal"} 1.0' in (await client.get("/metrics")).text
            )

    asyncio.run(scenario())


def test_before_the_model_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    let = threading.Event()

    def load(*_: Any) -> Any:
        assert let.wait(10)
        raise InputError("no such model")

    monkeypatch.setattr(module, "load_models", load)
    failures: list[BaseException] = []

    async def scenario() -> None:
        app = create_app(Settings(("m",)), failed=failures.append)
        async with asking(app, ready=False) as client:
            assert (await client.get("/health")).status_code == 200
            for place in ("/ready", "/models"):
                answer = await client.get(place)
                assert (answer.status_code, answer.json()["kind"]) == (503, "busy")
            answer = await client.post("/predict", files={"rgb": pair()["rgb"]})
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            let.set()
            while not failures:
                await asyncio.sleep(0.01)

    asyncio.run(scenario())
    assert [str(error) for error in failures] == ["no such model"]


def png_of(value: int) -> bytes:
    return png(np.full((16, 16, 3), value, np.uint8))


@asynccontextmanager
async def asking(app: Any, ready: bool = True) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that is started before and ended after."""
    to: asyncio.Queue[Any] = asyncio.Queue()
    back: asyncio.Queue[Any] = asyncio.Queue()
    await to.put({"type": "lifespan.startup"})
    work = asyncio.create_task(app({"type": "lifespan"}, to.get, back.put))
    assert (await back.get())["type"] == "lifespan.startup.complete"
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=HERE) as client:
        while ready and (answer := await client.get("/ready")).status_code != 200:
            assert answer.status_code == 503, answer.text
            await asyncio.sleep(0.001)
        yield client
    await to.put({"type": "lifespan.shutdown"})
    await work


class Tiled(Model):
    """Answers in 64 tiles; `begun` once it is at the first."""

    def __init__(self) -> None:
        super().__init__()
        self.tiles, self.begun = 0, threading.Event()

    def predict_each(self, pairs: Iterable[RawPair], count: int) -> Iterator[Prediction]:
        def tile(rows: slice, columns: Any) -> Any:
            self.tiles += 1
            self.begun.set()
            assert self.free.wait(10)
            return np.full((1, 1, 2, 4, 4), 0.5, np.float32)

        for _ in pairs:
            blend_tiles(tile, 32, 32, (4, 4))
        return iter([])


def test_what_is_too_late_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large picture whose time is over holds nobody up until its last tile."""
    model = Tiled()
    served = Served("m", model, ("rgb", "thermal"), {})  # type: ignore[arg-type]
    monkeypatch.setattr(module, "load_models", lambda *_: {"m": served})

    async def scenario() -> None:
        engine, work = await engine_of()
        late = asyncio.ensure_future(engine.ask("m", image(1, 32), still_there))
        assert await asyncio.to_thread(model.begun.wait, 10)
        late.cancel()
        await asyncio.sleep(0.01)
        model.free.set()
        work.cancel()
        await asyncio.to_thread(engine.close)

    asyncio.run(scenario())
    assert model.tiles == 1
