"""From the form of a request to a pair of images, read as `samantic predict` reads files."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, get_args

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from samantic.data.camera import Camera, RawPair
from samantic.data.image_files import extent_of
from samantic.data.images import check_extent, read_rgbt, rgb_array, thermal_array
from samantic.data.thermal import is_too_deep, refuse_unit
from samantic.display.ground import GROUNDS, Ground
from samantic.errors import InputError, LargeError, SizeError
from samantic.serve.refusals import RefusedError

FILES = ("rgb", "thermal", "rgbt")
FORMATS = ("json", "labels", "overlay", "confidence")
INCLUDED = ("labels", "confidence", "overlay", "rgb", "thermal", "ground")

GATES = ("off", "on")

CHOICES = {"format": FORMATS, "ground": GROUNDS, "gate": GATES}
FIELDS = ("model", "format", "include", "ground", "gate")

LONGEST = 4096
"""Largest size in bytes of a form field that is no file."""


@dataclass(frozen=True)
class Asked:
    """The content of a request.

    Attributes:
        files: The uploaded files, by their names in `FILES`.
        model: Name of the model; None for the first.
        format: Format of the answer.
        include: Pictures to include in a JSON answer.
        ground: Image on which an overlay is drawn.
        gate: Whether the images are tested, so that a faulty camera's image is not used.
    """

    files: Mapping[str, IO[bytes]]
    model: str | None = None
    format: str = "json"
    include: tuple[str, ...] = ()
    ground: Ground = "auto"
    gate: bool = False


@asynccontextmanager
async def read_form(request: Request) -> AsyncIterator[Asked]:
    """The form of a request; its files are closed and deleted at the end of the block.

    Raises:
        RefusedError: The body is no form, or asks for something unknown.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise RefusedError(
            "unreadable", "send a form of multipart/form-data, as `curl -F` does", 415
        )
    try:
        form = await request.form(
            max_files=len(FILES), max_fields=len(FIELDS), max_part_size=LONGEST
        )
    except HTTPException as error:
        raise RefusedError(
            "unreadable", f"the form is broken ({error.detail}); send it again"
        ) from None
    try:
        yield _asked(form, request.headers.get("accept", ""))
    finally:
        await form.close()


def _asked(form: FormData, accept: str) -> Asked:
    """Parse a form.

    Raises:
        RefusedError: A field or value is unknown, or there is no image.
    """
    files: dict[str, IO[bytes]] = {}
    words: dict[str, str] = {}
    for name, value in form.multi_items():
        known = FILES if isinstance(value, UploadFile) else FIELDS
        if name in FILES and name not in known:
            line = f"{name}: text, not a file; send a file, with curl as -F {name}=@{name}.png"
            raise RefusedError("unreadable", line)
        if name not in known:
            what = "file" if isinstance(value, UploadFile) else "field"
            raise RefusedError(
                "unreadable", f"a {what} of an unknown name; give {', '.join(known)}"
            )
        if name in files or name in words:
            raise RefusedError("unreadable", f"{name}: given twice; give it once")
        if isinstance(value, str):
            words[name] = value
        elif value.filename or value.size:  # a browser sends an empty file if none was chosen
            files[name] = value.file
    if not files:
        raise RefusedError("missing", "no image; send the files rgb and/or thermal, or rgbt")
    if "rgbt" in files and len(files) > 1:
        raise RefusedError("unreadable", "rgbt: holds both cameras; send it alone")
    return Asked(files, *_choices(words, accept))


def _choices(
    words: Mapping[str, str], accept: str
) -> tuple[str | None, str, tuple[str, ...], Ground, bool]:
    """Model, format, pictures, ground and gate.

    Raises:
        RefusedError: A value is unknown.
    """
    values = {name: text for name, text in words.items() if text}
    for name, choices in CHOICES.items():
        if values.get(name, choices[0]) not in choices:
            raise RefusedError("unreadable", f"{name}: give one of {', '.join(choices)}")
    include = tuple(part.strip() for part in values.get("include", "").split(",") if part.strip())
    if not set(include) <= set(INCLUDED):
        raise RefusedError("unreadable", f"include: give some of {','.join(INCLUDED)}")
    usual = "labels" if "image/png" in accept and "json" not in accept else "json"
    ground: Ground = next(g for g in get_args(Ground) if g == values.get("ground", "auto"))
    gate = values.get("gate") == "on"
    return values.get("model"), values.get("format", usual), include, ground, gate


def decode(files: Mapping[str, IO[bytes]], camera: Camera, max_pixels: int) -> RawPair:
    """Decode the images of a pair. While they are read, they lie in their own temporary folder.

    Args:
        files: The uploaded files, by their names in `FILES`.
        camera: The model's camera.
        max_pixels: Pixels of the largest image that is decoded.

    Raises:
        RefusedError: An image is too large.
        SizeError: An image is too small, or the two differ in size.
        InputError: An image is not readable, or does not fit the model.
    """
    with TemporaryDirectory(prefix="samantic-") as folder:
        paths = {name: Path(folder, name) for name in files}
        try:
            for name, path in paths.items():
                with path.open("wb") as copy:
                    shutil.copyfileobj(files[name], copy)
                _refuse_large(name, path, max_pixels)
            pair = _read(paths, camera)
        except InputError as error:
            line = str(error)
            for name, path in paths.items():
                line = line.replace(str(path), name)
            raise type(error)(line) from None
    _check(pair, camera)
    return pair


def _refuse_large(name: str, path: Path, most: int) -> None:
    """Refuse an image that has too many pixels according to its header.

    Raises:
        RefusedError: The image is too large.
    """
    try:
        wide, tall = extent_of(path) or (0, 0)
    except LargeError:
        raise RefusedError("too_large", f"{name}: too many pixels; send {most} at most") from None
    if wide * tall > most:
        raise RefusedError("too_large", f"{name}: {wide}x{tall} pixels; send {most} at most")


def _read(paths: Mapping[str, Path], camera: Camera) -> RawPair:
    if "rgbt" in paths:
        return read_rgbt(paths["rgbt"])
    return (
        rgb_array(paths["rgb"]) if "rgb" in paths else None,
        thermal_array(paths["thermal"], planck=camera.scaling.planck)
        if "thermal" in paths
        else None,
    )


def _check(pair: RawPair, camera: Camera) -> None:
    """Refuse images that do not fit each other or the model.

    Raises:
        SizeError: An image is too small, or the images differ in size.
        InputError: Thermal values are in a unit that does not fit the model.
    """
    rgb, raw = pair
    for name, pixels in (("rgb", rgb), ("thermal", raw)):
        if pixels is not None:
            check_extent(pixels, name)
    if raw is None:
        return
    if rgb is not None and camera.misplaces(raw, rgb):
        (h, w), (tall, wide) = raw.shape, rgb.shape[:2]
        line = (
            f"thermal: {w}x{h} pixels, but rgb has {wide}x{tall}; align the pair and send both in"
        )
        raise SizeError(f"{line} one size, or start the server with --rig")
    if is_too_deep(raw, camera.scaling):
        line = f"thermal: {raw.dtype} values, but the model reads gray levels of 8 bits; send such,"
        raise InputError(f"{line} or start the server with --thermal-scaling")
    if rgb is not None:
        camera.check(raw, rgb, "thermal", "rgb")
    option = "--thermal-scaling of the server"
    refuse_unit([("thermal", raw)], camera.scaling, "thermal", option)
