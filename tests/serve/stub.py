"""A small server that keeps the contract of the page."""

from __future__ import annotations

import base64
import io
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from PIL import Image

import samantic
from samantic.data.images import read_rgbt
from samantic.display.ground import ground_of
from samantic.display.palette import display_colours
from samantic.errors import InputError
from samantic.predict.exchange import run_lengths
from samantic.scenes import draw_scene

PAGE = Path(samantic.__file__).parent / "serve" / "page"
POLICY = "default-src 'self'; img-src 'self' blob: data:; style-src 'self'"


def url(pixels: Any) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def create(names: list[str], token: str | None = None, size: tuple[int, int] = (480, 640)) -> FastAPI:
    app = FastAPI(docs_url=None)
    models = {name: samantic.load(name, device="cpu") for name in names}
    scenes = {f"scene-{i}": draw_scene(7, i, size) for i in range(10)}

    @app.middleware("http")
    async def guard(request: Request, call_next: Any) -> Response:
        path = request.url.path
        closed = path.startswith(("/predict", "/models", "/scenes"))
        if token and closed and request.headers.get("authorization") != f"Bearer {token}":
            line = "this server asks for a token; send it as Authorization: Bearer TOKEN"
            return JSONResponse({"error": line, "kind": "token"}, 401)
        response = await call_next(request)
        response.headers["Content-Security-Policy"] = POLICY
        return response

    @app.get("/")
    def page() -> Response:
        return FileResponse(PAGE / "index.html")

    @app.get("/page/{name}")
    def part(name: str) -> Response:
        return FileResponse(PAGE / name)

    @app.get("/models")
    def listed() -> Any:
        return {
            "default": names[0],
            "models": [
                {
                    "name": name,
                    "cameras": ["rgb", "thermal"],
                    "classes": [
                        {"id": i, "name": one, "color": "#%02x%02x%02x" % colour}
                        for i, (one, colour) in enumerate(
                            zip(model.classes, display_colours(model.classes), strict=True)
                        )
                    ],
                    "parameters": None,
                    "fingerprint": "",
                    "size": None,
                    "miou": None,
                }
                for name, model in models.items()
            ],
        }

    @app.get("/scenes")
    def all_scenes() -> Any:
        return [{"name": name, "title": f"Scene {name[-1]}, {'night' if s.night else 'day'}"} for name, s in scenes.items()]

    @app.get("/scenes/{name}/{camera}.png")
    def scene(name: str, camera: str) -> Response:
        file = io.BytesIO()
        Image.fromarray(getattr(scenes[name], camera)).save(file, "PNG")
        return Response(file.getvalue(), media_type="image/png")

    @app.post("/predict")
    async def predict(request: Request) -> Any:
        form = await request.form()
        model = models[form["model"]]
        with tempfile.TemporaryDirectory() as folder:
            found: dict[str, Any] = {}
            for camera in ("rgb", "thermal", "rgbt"):
                if camera in form:
                    path = Path(folder) / (camera + Path(form[camera].filename).suffix)
                    path.write_bytes(await form[camera].read())
                    found[camera] = path
            try:
                if "rgbt" in found:
                    found["rgb"], found["thermal"] = read_rgbt(found.pop("rgbt"))
                prediction = model.predict(**found)
            except InputError as error:
                return JSONResponse({"error": str(error), "kind": "unreadable"}, 422)
        labels, images = prediction.labels, prediction.images
        parts = {
            "labels": labels,
            "confidence": (255 * prediction.confidence).round().astype(np.uint8),
            "ground": ground_of(images.get("rgb"), images.get("thermal"), form.get("ground", "auto")),
            **images,
        }
        if "thermal" in parts:
            parts["thermal"] = np.dstack([parts["thermal"]] * 3)
        colours = display_colours(model.classes)
        return {
            "model": form["model"],
            "size": labels.shape,
            "seconds": prediction.seconds,
            "cameras": {c: "present" if c in images else "missing" for c in ("rgb", "thermal")},
            "notes": [],
            "classes": [
                {
                    "id": int(i),
                    "name": model.classes[i],
                    "color": "#%02x%02x%02x" % colours[i],
                    "pixels": int((labels == i).sum()),
                    "share": float((labels == i).mean()),
                    "confidence": float(prediction.confidence[labels == i].mean()),
                    "segmentation": run_lengths(labels == i),
                }
                for i in np.unique(labels)
            ],
            "images": {k: url(parts[k]) for k in form["include"].split(",")},
        }

    return app


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(create(sys.argv[2].split(",")), port=int(sys.argv[1]))
