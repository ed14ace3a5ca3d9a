"""`train.compile`: the same training, and the same names of weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from samantic.cli import main
from samantic.learn import fit
from samantic.models import SARTM, compiling

WriteConfig = Callable[..., Path]


def test_parts_are_compiled_in_place(
    make_network: Callable[..., SARTM], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "BACKEND", "eager")
    network = make_network()
    names, pair = list(network.state_dict()), (torch.rand(1, 3, 64, 64), torch.rand(1, 1, 64, 64))
    with torch.no_grad():
        expected = network(*pair).logits
        compiling.compile_parts(network, "cpu")
        torch.testing.assert_close(network(*pair).logits, expected)
    assert list(network.state_dict()) == names
    assert network.mask_head._compiled_call_impl is not None
    assert all(part._compiled_call_impl is not None for part in network.encoders.values())
    torch.compiler.reset()


def test_a_compiled_run_is_resumed_without(
    mfnet: Path,
    write_config: WriteConfig,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """What is compiled is said in one place: here the head alone, since tracing takes long."""
    compiled: list[str] = []

    def head_alone(network: SARTM, device: str) -> None:
        compiled.append(device)
        network.mask_head.compile(backend="eager")

    monkeypatch.setattr(fit, "compile_parts", head_alone)
    data, model = {"test": None, "val": None}, {"fusion": "rgb", "auxiliary": "none"}
    runs = {"plain": False, "run": True}
    for name, yes in runs.items():
        train = {"compile": yes, "steps": 2, "devices": 1}
        out = str(tmp_path / name)
        path = write_config(mfnet, out=out, data=data, model=model, train=train)
        assert main(["train", str(path)]) == 0
    assert compiled == ["cpu"]
    ours, theirs = (load_file(tmp_path / run / "model" / "model.safetensors") for run in runs)
    assert ours.keys() == theirs.keys()
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-3, atol=1e-5)
    words = ["--resume", "--train.steps", "3", "--train.compile", "false"]
    assert main(["train", str(path), *words]) == 0
    torch.compiler.reset()


@pytest.mark.parametrize("named", [None, "/no/such/c++"])
def test_a_machine_without_a_compiler(
    mfnet: Path,
    write_config: WriteConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    named: Any,
) -> None:
    monkeypatch.setattr(compiling.shutil, "which", lambda _: None)
    if named is not None:
        monkeypatch.setenv("CXX", named)
    path = write_config(mfnet, train={"compile": True})
    assert main(["train", str(path)]) == 2
    line = capsys.readouterr().err
    assert "train.compile: needs a C++ compiler on a CPU" in line
    assert line.count("\n") == 1
