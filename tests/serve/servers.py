"""Servers in processes of their own, and what is sent to them."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from samantic.scenes import draw_scene

SIZE = (48, 64)

HERE = "http://localhost"
"""What a client in this process asks."""

PROGRAM = """
import sys
from samantic.cli import main
from samantic.serve import server, settings
options = {options}
if options:
    usual = settings.Settings
    settings.Settings = lambda **given: usual(**given | options)
sys.exit(main(["serve", *{words}]))
"""


@dataclass
class Running:
    """A server that answers at `url`; its temporary files lie in `folder`.

    `polls` is how often it was asked whether it is ready.
    """

    process: subprocess.Popen[str]
    url: str
    folder: Path
    polls: int = 0

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def left(self) -> list[str]:
        """Files that it has not removed."""
        return [str(path) for path in self.folder.rglob("*")]

    def ended(self, seconds: float = 30) -> tuple[int, str, str]:
        """Exit status, output and errors."""
        out, err = self.process.communicate(timeout=seconds)
        return self.process.returncode, out, err


@contextmanager
def running(folder: Path, *words: str, **options: Any) -> Iterator[Running]:
    """`samantic serve WORDS` at a free port, ready; `options` are fields of its settings."""
    folder.mkdir(exist_ok=True)
    program = PROGRAM.format(words=[*words, "--port", "0"], options=options)
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(folder)},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("samantic serve: "):
            raise AssertionError(f"{line}{process.communicate(timeout=10)}")
        found = Running(process, line.split()[2], folder)
        found.polls = ready(found.url)
        yield found
    finally:
        process.kill()
        process.communicate()


def ready(url: str, seconds: float = 60) -> int:
    """Wait until the model is loaded; how often that was asked."""
    end, count = time.monotonic() + seconds, 1
    while httpx.get(f"{url}/ready").status_code != 200:
        assert time.monotonic() < end
        time.sleep(0.05)
        count += 1
    return count


def png(pixels: Any, form: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels)).save(file, form, **options)
    return file.getvalue()


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def pair(index: int = 0, size: tuple[int, int] = SIZE) -> dict[str, bytes]:
    """A generated pair as PNGs."""
    scene = draw_scene(4, index, size)
    return {"rgb": png(scene.rgb), "thermal": png(scene.thermal)}
