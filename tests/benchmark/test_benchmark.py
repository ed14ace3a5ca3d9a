"""Times side by side, and what stands beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import samantic
from samantic.benchmark import job, memory
from samantic.benchmark.bare import BarePasses
from samantic.benchmark.contenders import _check, opened
from samantic.benchmark.entry import Entry
from samantic.benchmark.machine import product_rate
from samantic.benchmark.memory import peak_memory
from samantic.benchmark.rounds import WARM_UP, in_rounds
from samantic.cli import main
from samantic.measure.cost import PARTS, cost_of, told_miou
from samantic.models import SARTM, Student
from samantic.predict.model_folder import SHIPPED
from samantic.predict.predictor import Predictor
from tests.helpers import info_of

SIZE = (48, 64)


@pytest.fixture
def file(exported: Path) -> Path:
    """nano for images of 48x64."""
    return exported


def test_rounds_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each begins as often as another, and the ratio is of the same round."""
    order: list[str] = []
    clocks = {"perf_counter": 0.0, "process_time": 0.0}
    for name in clocks:
        monkeypatch.setattr(f"samantic.benchmark.rounds.{name}", lambda name=name: clocks[name])

    def call(name: str, seconds: float, cpu: float) -> Callable[[], None]:
        def run() -> None:
            order.append(name)
            clocks["perf_counter"] += seconds * len(order)  # the machine becomes slower
            clocks["process_time"] += cpu

        return run

    found = in_rounds({"a": call("a", 0.25, 0.5), "b": call("b", 2.0, 1.0)}, 4)
    assert "".join(order[2 * WARM_UP :]) == "abbaabba"
    assert found["a"].ratio == 1
    # b takes the turns 6, 7, 10, 11 and a the turns 5, 8, 9, 12, at an eighth
    assert found["b"].ratio == np.median(8 * np.array([6, 7, 10, 11]) / [5, 8, 9, 12])
    assert found["b"].seconds.tolist() == [12, 14, 20, 22]
    assert found["b"].median == 17
    assert found["b"].cpu.tolist() == [1, 1, 1, 1]
    assert found["b"].p95 == np.percentile(found["b"].seconds, 95)


def counted(network: nn.Module, run: Callable[[], object]) -> int:
    """Operations of convolutions and linear layers, by the shapes that hooks see."""
    total = 0

    def note(module: Any, given: tuple[torch.Tensor, ...], out: torch.Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Conv2d):
            side = module.kernel_size[0] * module.kernel_size[1]
            total += 2 * out.numel() * side * module.in_channels // module.groups
        elif isinstance(module, nn.Linear):
            total += 2 * out.numel() * module.in_features

    kinds = (nn.Conv2d, nn.Linear)
    hooks = [m.register_forward_hook(note) for m in network.modules() if isinstance(m, kinds)]
    run()
    for hook in hooks:
        hook.remove()
    return total


def test_operations_by_part() -> None:
    """nano has convolutions alone, so that hooks count the same."""
    model = samantic.load("nano", device="cpu")
    cost = cost_of(model.deployed, SIZE)
    raw = torch.zeros(1, *SIZE, 3, dtype=torch.uint8), torch.zeros(1, *SIZE, dtype=torch.uint8)
    with torch.no_grad():
        expected = counted(model.network, lambda: model.deployed(*raw))
    assert cost.total == expected
    assert tuple(cost.operations) == PARTS
    assert cost.operations["rest"] == 0
    assert cost.operations["encoders"] > cost.operations["heads"] > cost.operations["fusion"] > 0
    assert cost.parameters == sum(p.numel() for p in model.network.parameters())


@pytest.mark.parametrize("fusion", ["paper", "rgb", "thermal"])
def test_operations_of_sartm(make_network: Callable[..., SARTM], fusion: str) -> None:
    """The encoders are the most of it; a variant of one camera fuses nothing."""
    model = Predictor(make_network(fusion, classes=9), info_of(fusion), "cpu")
    part = cost_of(model.deployed, SIZE).operations
    assert (part["fusion"] > 0) == (fusion == "paper")
    assert part["encoders"] > 0 < part["heads"]
    assert 0 <= part["rest"] < 0.1 * sum(part.values())


def test_operations_of_a_segformer() -> None:
    model = Predictor(Student("segformer-micro", 9), info_of("paper"), "cpu")
    part = cost_of(model.deployed, SIZE).operations
    assert part["encoders"] > 0 < part["heads"]
    assert part["rest"] > 0  # the decoder mixes its maps without a module
    assert part["fusion"] == 0


def test_figures_on_cards(trained: Path) -> None:
    metrics = json.loads((trained / "metrics.json").read_text())
    assert told_miou(trained / "model") == metrics["miou"]
    assert told_miou(SHIPPED / "nano") == pytest.approx(0.5, abs=0.2)
    assert told_miou(SHIPPED / "sam-nano") is None


def test_bare_passes_are_those_of_the_base() -> None:
    """Two encodings and one decoding of a click, as SAM answers it."""
    torch.manual_seed(0)
    passes = BarePasses("random-micro")
    encoded = []
    encode = passes.sam.encode
    passes.sam.encode = lambda x: (encoded.append(x.shape), encode(x))[1]  # type: ignore[method-assign, func-returns-value]
    rgb, thermal = torch.rand(2, 3, 64, 96), torch.rand(2, 1, 64, 96)
    with torch.no_grad():
        logits = passes(rgb, thermal)
        click = torch.tensor([[[[48.0, 32.0]]]]).expand(2, -1, -1, -1)
        expected = passes.sam.decode_coarse(encode(rgb), points=click).logits
    assert encoded == [(2, 3, 64, 96)] * 2
    torch.testing.assert_close(logits, expected)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_products(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samantic.benchmark.machine.SIDES", {"cpu": (64,)})
    monkeypatch.setattr("samantic.benchmark.machine.PATIENCE", 0.01)
    assert product_rate(precision, torch.device("cpu")) > 1e6


def test_memory_of_a_process_of_its_own(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exported file needs no torch, so that its process stays small."""
    entry = Entry("file", str(file), "fp32", SIZE, 1, 1, "cpu")
    assert 40e6 < (peak_memory(entry) or 0) < 250e6
    with pytest.raises(samantic.InputError, match=r"gone\.onnx: no such file"):
        peak_memory(entry._replace(place="gone.onnx"))
    with pytest.raises(samantic.InputError, match=r"in a process of its own, .*Error"):
        peak_memory(entry._replace(kind="bare", place="random-micro", device="none"))
    own = memory._answer(entry._replace(kind="bare", place="random-micro"))
    assert own is not None
    monkeypatch.setattr(memory, "STATUS", Path("no such system"))
    assert memory._answer(entry) is None


def test_the_verb(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file, a model in PyTorch, and its bare passes; figures in a table, as JSON and as SVG."""
    monkeypatch.setattr(job, "peak_memory", lambda _: 123_000_000)
    out, plot = tmp_path / "b.json", tmp_path / "b.svg"
    words = ["benchmark", str(file), "--against", "sartm-nano", "--rounds", "2", "--threads", "1"]
    assert (
        main([*words, "--precision", "fp32", "bf16", "--out", str(out), "--plot", str(plot)]) == 0
    )
    told = capsys.readouterr().out
    found = json.loads(out.read_text())
    names = [entry["name"] for entry in found["entries"]]
    bare = [f"bare passes of sam-nano {kind}" for kind in ("fp32", "bf16")]
    assert names == ["nano.onnx", "sartm-nano torch fp32", "sartm-nano torch bf16", *bare]
    assert all(name in told for name in names)
    assert "1 thread; 48x64, batch 1; 2 rounds, taking turns" in told
    assert f"torch {torch.__version__}" in told
    assert found["conditions"]["counts"] == "raw images to labels"
    assert found["conditions"]["size"] == [48, 64]
    first, sartm, *_ = found["entries"]
    assert first["ratio"] == 1
    assert first["cpu_seconds"] > 0
    assert first["miou"] == told_miou(SHIPPED / "nano")
    assert first["file_size"] == file.stat().st_size
    assert first["operations"]["encoders"] > 0
    assert first["peak_memory"] == 123_000_000
    total = sum(sartm["operations"].values())
    rate = total / sartm["seconds"]["least"] / found["peak"]["fp32"]
    assert sartm["share_of_peak"] == pytest.approx(rate)
    assert sartm["pairs_per_second"] == pytest.approx(1 / sartm["seconds"]["median"])
    svg = plot.read_text()
    assert svg.startswith("<svg")
    assert "latency against mIoU" in svg


def test_a_file_of_a_fixed_batch_is_asked_in_such() -> None:
    file: Any = SimpleNamespace(path="m.onnx", height=48, width=64, fixed=4)
    entry = Entry("file", "m.onnx", "fp32", SIZE, 4, 1, "cpu")
    _check(file, entry)
    with pytest.raises(samantic.InputError, match="takes 4 pairs at a time, not 1; give --batch 4"):
        _check(file, entry._replace(batch=1))


def test_files_count_on_request(tmp_path: Path) -> None:
    entry = Entry("torch", "nano", "fp32", SIZE, 2, 1, "cpu", str(tmp_path / "files"))
    opened(entry).call()
    out = tmp_path / "files" / "out"
    assert sorted(path.name for path in (out / "labels").iterdir()) == ["0.png", "1.png"]
    assert len(list((out / "overlays").iterdir())) == 2


REFUSED = [
    (["nano", "--precision", "int8"], r"--precision int8: its ranges need images; export the"),
    (["nano", "--backend", "onnx", "--precision", "bf16"], "bf16: not for --backend onnx, which"),
    (["nano", "--precision", "fp16"], "--precision fp16: PyTorch computes it only on a GPU"),
    (["nowhere"], "nowhere: no such folder|model nowhere"),
    (["gone.onnx"], "gone.onnx: no such file"),
    (["nano", "--plot", "a.png"], "a.png: --plot writes SVG; give a name that ends in .svg"),
    (["nano", "--device", "cuda:9"], "device 'cuda:9': not there"),
    (["FILE", "--size", "64x64"], "takes images of 48x64, not 64x64; give --size 48x64"),
    (["FILE", "--against", "FILE"], "another one is called nano.onnx too"),
    (["nano", "--rounds", "0"], "is not a whole number in 1"),
]


@pytest.mark.parametrize(("words", "reason"), REFUSED)
def test_plans_that_cannot_be_met(
    words: list[str], reason: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status: Any = main(["benchmark", *(word.replace("FILE", str(file)) for word in words)])
    except SystemExit as stopped:
        status = stopped.code
    told = capsys.readouterr().err
    assert status == 2
    assert told.count("\n") == 1
    assert re.search(reason, told), told
