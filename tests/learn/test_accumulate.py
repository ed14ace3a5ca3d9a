"""Steps of several passes, and passes that keep less."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from samantic.cli import main
from samantic.config import AdaptConfig
from samantic.models import SARTM, load_sam2
from samantic.models.checkpointing import checkpoint_blocks
from tests.run.test_resuming import state

WriteConfig = Callable[..., Path]

PLAIN = {"color": 0.0, "blur": 0.0, "thermal_gain": 0.0, "thermal_noise": 0.0}
"""Nothing is drawn that depends on the place of a pair in a batch."""


def test_two_passes_of_two_pairs_are_a_step_of_four(
    mfnet: Path, tmp_path: Path, write_config: WriteConfig
) -> None:
    """Where every pixel counts alike, the mean of two means is the mean."""

    def trained(size: int, passes: int) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        out = tmp_path / f"{size}"
        path = write_config(
            mfnet,
            out=str(out),
            data={"test": None},
            augment={**PLAIN, "crop": [32, 32], "scale": [1, 2], "modality_dropout": 0.0},
            loss={"cross_entropy": "plain"},
            train={
                "steps": None,
                "epochs": 4,
                "batch_size": size,
                "accumulate": passes,
                "ema": 0.9,
            },
        )
        assert main(["train", str(path)]) == 0
        return state(out), torch.load(out / "last.ckpt", weights_only=True)

    (once, first), (twice, second) = trained(4, 1), trained(2, 2)
    assert first["global_step"] == second["global_step"] == 6  # 4 times 6 pairs
    for name, tensor in once.items():
        torch.testing.assert_close(twice[name], tensor, rtol=0, atol=1e-4, msg=name)
    means = [content["callbacks"]["Average"]["means"] for content in (first, second)]
    for name, tensor in means[0].items():
        torch.testing.assert_close(means[1][name], tensor, rtol=0, atol=1e-4, msg=name)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_checkpointing_changes_no_gradient(make_network: Callable[..., SARTM], method: str) -> None:
    network = make_network("paper", method).train()
    images = torch.rand(2, 3, 64, 96), torch.rand(2, 1, 64, 96)
    kept = [0]

    def gradients() -> dict[str, torch.Tensor]:
        def count(tensor: torch.Tensor) -> torch.Tensor:
            kept[-1] += tensor.nbytes
            return tensor

        network.zero_grad(set_to_none=True)
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            out = network(*images)
            loss = out.logits.square().mean() + out.auxiliary.square().mean()  # type: ignore[union-attr]
        loss.backward()
        return {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}

    plain = gradients()
    kept.append(0)
    checkpoint_blocks(network)
    again = gradients()
    assert plain.keys() == again.keys()
    for name, gradient in plain.items():
        torch.testing.assert_close(again[name], gradient, rtol=1e-5, atol=1e-7, msg=name)
    assert kept[1] < kept[0]


def test_a_training_with_checkpointing_is_the_same(
    mfnet: Path, tmp_path: Path, write_config: WriteConfig
) -> None:
    for name in ("plain", "less"):
        train = {"checkpointing": name == "less", "ema": 0.9}
        path = write_config(mfnet, out=str(tmp_path / name), data={"test": None}, train=train)
        assert main(["train", str(path)]) == 0
    less = state(tmp_path / "less")
    for name, tensor in state(tmp_path / "plain").items():
        torch.testing.assert_close(less[name], tensor, rtol=0, atol=1e-5, msg=name)


def test_a_network_without_blocks_is_refused(
    mfnet: Path, write_config: WriteConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    model = {"network": "student", "base": "efficientnet-lite0-short", "fusion": "two-stream"}
    model |= {"auxiliary": "none"}
    path = write_config(mfnet, model=model, train={"checkpointing": True})
    assert main(["train", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "train.checkpointing: this network's encoder has no attention blocks" in line


def test_a_parameter_that_would_never_learn_is_named(
    mfnet: Path, write_config: WriteConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = SARTM.forward

    def cut(self: SARTM, *args: Any, **options: Any) -> Any:
        return forward(self, *args, **options)._replace(auxiliary=None)

    monkeypatch.setattr(SARTM, "forward", cut)
    with pytest.raises(RuntimeError, match=r"no gradient reaches \d+ .*network.auxiliary_head"):
        main(["train", str(write_config(mfnet))])


def test_every_variant_learns_with_every_parameter(
    mfnet: Path, tmp_path: Path, write_config: WriteConfig
) -> None:
    """One step each, in which a parameter without a gradient would be named."""
    for fusion, loss in (
        ("late", {}),
        ("average", {"cross_modal": 1.0}),
        ("figure", {"prototype": 0.1}),
        ("rgb", {}),
        ("paper", {"prototype": 0.1, "cross_modal": 1.0}),
    ):
        path = write_config(
            mfnet,
            out=str(tmp_path / fusion),
            data={"test": None, "val": None},
            model={"fusion": fusion},
            loss=loss,
            train={"steps": 1, "validations": 1},
        )
        assert main(["train", str(path)]) == 0


def test_lora_on_a_base_learns_with_every_parameter() -> None:
    network = SARTM(load_sam2("random-micro"), 3, adapt=AdaptConfig("lora", rank=2))
    out = network(torch.rand(1, 3, 64, 64), torch.rand(1, 1, 64, 64))
    (out.logits.sum() + out.auxiliary.sum()).backward()  # type: ignore[union-attr]
    assert [n for n, p in network.named_parameters() if p.requires_grad and p.grad is None] == []
