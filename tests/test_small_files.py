"""Small files that ask for much: refused in one line, at once, before memory is taken."""

from __future__ import annotations

import io
import json
import shutil
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from samantic.errors import InputError
from samantic.measure.record import read_confusion
from samantic.models.students.segformer_parts import build_segformer
from samantic.models.students.shapes import SegFormerShape
from samantic.models.text import read_vectors
from samantic.predict.model_folder import load_model


def header(shape: tuple[int, ...], descr: str) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": descr, "fortran_order": False, "shape": shape}
    )
    return file.getvalue()


@pytest.mark.parametrize(
    ("names", "vectors"),
    [
        (header((1,), "<U1"), header((2**21, 1000), "<f4")),
        (header((1,), "<U1"), header((2**62, 2**62), "<f4")),
        (header((1,), "<U1000000000"), header((1, 2), "<f4")),
        (header((1,), "<U1"), b"\x93NUMPY\x02\x00" + b"\xff" * 8),
        (header((1,), "<U1"), b"\x93NUMPY\x09\x00" + b"\xff" * 8),
        (header((1,), "<U1") + b"a\0\0\0", bytes(300 * 2**20)),
        (b"", b""),
    ],
    ids=["large", "huge", "long names", "header", "version", "bomb", "empty"],
)
def test_arrays(tmp_path: Path, names: bytes, vectors: bytes) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, content in (("names", names), ("embeddings", vectors), ("matrices", vectors)):
            file.writestr(f"{name}.npy", content)
    for read in (read_vectors, read_confusion):
        start = time.perf_counter()
        with pytest.raises(InputError, match=r"a\.npz: not a file of"):
            read(path)  # type: ignore[operator]
        assert time.perf_counter() - start < 2


def changed(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v["adapt"].update(rank=10**9), "adapt.rank is 1000000000; it must be"),
        (lambda v: v["adapt"].update(method="all"), "adapt.method is 'all'; it must be one of"),
        (lambda v: v["model"].update(prediction=3), "model.prediction is 3"),
        (lambda v: v.update(palette=v["palette"][:2]), "palette must be red, green and blue"),
        (lambda v: v["palette"].__setitem__(0, [0, 0, 300]), "palette must be"),
        (lambda v: v.update(classes=["x"] * 10**5), "classes must be 1 to 254 names"),
        (lambda v: v.update(classes="road"), "classes must be"),
        (lambda v: v.update(terms=[1]), "terms must be"),
        (lambda v: v.update(dataset=["a"]), "dataset must be a text"),
        (lambda v: v.update(shape=3), "another type"),
        (lambda v: v.update(shape={"widths": [1], "decoder": 1}), "a key is missing"),
        (lambda v: v.pop("adapt"), "a key is missing"),
    ],
)
def test_descriptions_of_models(
    trained: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    folder = Path(shutil.copytree(trained / "model", tmp_path / "model"))
    changed(folder / "config.json", change)
    start = time.perf_counter()
    with pytest.raises(InputError) as caught:
        load_model(folder)
    assert message in str(caught.value)
    assert str(folder / "config.json") in str(caught.value)
    assert "\n" not in str(caught.value)
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_precision(trained: Path, tmp_path: Path, kind: torch.dtype) -> None:
    """A model that ships has half precision."""
    folder = Path(shutil.copytree(trained / "model", tmp_path / "model"))
    tensors = load_file(folder / "model.safetensors")
    save_file({name: x.to(kind) for name, x in tensors.items()}, folder / "model.safetensors")
    network, _ = load_model(folder)
    for name, parameter in network.named_parameters():
        assert parameter.dtype == torch.float32
        torch.testing.assert_close(parameter, tensors[name], rtol=0.01, atol=1e-4)


@pytest.mark.parametrize("kind", [torch.int8, torch.int64])
def test_weights_of_another_kind(trained: Path, tmp_path: Path, kind: torch.dtype) -> None:
    folder = Path(shutil.copytree(trained / "model", tmp_path / "model"))
    tensors = load_file(folder / "model.safetensors")
    name = min(name for name in tensors if tensors[name].is_floating_point())
    tensors[name] = tensors[name].to(kind)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(InputError, match=f"does not fit config.json, first at {name}"):
        load_model(folder)


HUGE = [
    {"depths": (20000,) * 4},
    {"widths": (10**9,) * 4},
    {"widths": (4096,) * 4, "heads": (1,) * 4, "depths": (64,) * 4},
    {"widths": (8, 16, 24)},
    {"widths": ("8", 16, 24, 32)},
    {"heads": (3, 3, 3, 5)},
    {"heads": (0, 1, 1, 1)},
    {"decoder": True},
    {"reductions": (8, 4, 2, -1)},
]


@pytest.mark.parametrize("changes", HUGE)
def test_sizes_of_a_segformer(changes: dict[str, Any]) -> None:
    usual: dict[str, Any] = {"widths": (8, 16, 24, 32), "depths": (1,) * 4, "heads": (1, 2, 3, 4)}
    SegFormerShape(**{"decoder": 32, **usual})
    with pytest.raises(InputError, match="sizes that no SegFormer has"):
        SegFormerShape(**{"decoder": 32, **usual, **changes})


@pytest.mark.parametrize(
    "changes", [{"depths": [20000] * 4}, {"hidden_sizes": [10**9] * 4}, {"num_labels": 10**9}]
)
def test_a_folder_of_transformers(tmp_path: Path, changes: dict[str, Any]) -> None:
    model, _ = build_segformer("segformer-micro", 3)
    model.save_pretrained(tmp_path)
    changed(tmp_path / "config.json", lambda values: values.update(changes))
    start = time.perf_counter()
    with pytest.raises(InputError, match="not a SegFormer folder"):
        build_segformer(str(tmp_path), 3)
    assert time.perf_counter() - start < 2


def test_a_base_of_whole_numbers(tmp_path: Path) -> None:
    model, _ = build_segformer("segformer-micro", 3)
    model.save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    tensors = {name: value.to(torch.int8) for name, value in load_file(file).items()}
    save_file(tensors, file, {"format": "pt"})
    with pytest.raises(InputError, match="holds weights as I8, not as floats"):
        build_segformer(str(tmp_path), 3)
