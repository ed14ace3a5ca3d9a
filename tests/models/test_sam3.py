"""SAM3's tracker behind the door that SAM2 stands behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from transformers import Sam3TrackerModel

import samantic
from samantic.cli import main
from samantic.config import AdaptConfig
from samantic.errors import InputError
from samantic.models import SARTM, LinearLoRA, open_base
from samantic.models.encoders.encoder import normalise
from samantic.models.encoders.sam3 import Sam3Encoder
from samantic.models.promptable import PromptableSAM
from samantic.predict.model_folder import load_model
from tests.bases import sam3, sam3_config


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(2)
    folder = tmp_path_factory.mktemp("sam3")
    sam3().save_pretrained(folder)
    return folder


def test_it_is_known_by_its_config_and_arrives_bit_for_bit(saved: Path) -> None:
    base = open_base(str(saved))
    assert isinstance(base.encoder, Sam3Encoder)
    assert base.reloadable
    assert base.encoder.strides == (3.5, 7.0, 14.0)
    assert base.encoder.multiple == 14
    assert base.encoder.widths == (32, 32, 32)
    theirs = Sam3TrackerModel.from_pretrained(saved).state_dict()
    ours = {f"vision_encoder.{n}": t for n, t in base.encoder.vision.state_dict().items()}
    ours |= {f"mask_decoder.{n}": t for n, t in base.mask_decoder.state_dict().items()}
    ours["no_memory_embedding"] = base.encoder.no_memory_embedding
    for name, tensor in ours.items():
        assert torch.equal(theirs[name], tensor), name


@torch.no_grad()
def test_masks_equal_those_of_transformers(saved: Path) -> None:
    """Images of 112x112, the only size that transformers' own forward takes."""
    theirs = Sam3TrackerModel.from_pretrained(saved).eval()
    ours = PromptableSAM(open_base(str(saved))).eval()
    images, points = torch.rand(2, 3, 112, 112), 112 * torch.rand(2, 3, 1, 2)
    middle = (0.5, 0.5, 0.5)
    expected = theirs(pixel_values=normalise(images, middle, middle), input_points=points)
    masks = ours.decode(ours.encode(images), points=points)
    torch.testing.assert_close(masks.quality, expected.iou_scores)
    full = torch.nn.functional.interpolate(
        expected.pred_masks.flatten(0, 1), scale_factor=3.5, mode="bilinear"
    )
    torch.testing.assert_close(masks.logits.flatten(0, 1), full, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_larger_grid_takes_the_steps_of_the_trained_one(saved: Path) -> None:
    """Attention over all patches turns by places, whose distances do not depend on the size."""
    layer = open_base(str(saved)).encoder.vision.backbone.layers[1]
    small, large = (layer.rotary_emb(torch.rand(1, *size, 32), None) for size in ((8, 8), (9, 20)))
    for few, many in zip(small, large, strict=True):
        torch.testing.assert_close(many.view(9, 20, -1)[:8, :8], few.view(8, 8, -1))
    fixed = layer.rotary_emb.rotary(torch.rand(1, 8, 8, 32), layer.position_ids)
    for few, expected in zip(small, fixed, strict=True):
        torch.testing.assert_close(few, expected)


def test_lora_adapts_separate_queries_and_values(saved: Path) -> None:
    network = SARTM(open_base(str(saved)), 3, adapt=AdaptConfig("lora", rank=2))
    for modality in ("rgb", "thermal"):
        adapted = [
            name for name, m in network.encoders[modality].named_modules()
            if isinstance(m, LinearLoRA)
        ]  # fmt: skip
        assert [name.rsplit(".", 1)[1] for name in adapted] == ["q_proj", "v_proj"] * 2


@pytest.mark.parametrize("fault", ["missing", "shape"])
def test_an_incomplete_folder_is_refused(saved: Path, tmp_path: Path, fault: str) -> None:
    tensors = load_file(saved / "model.safetensors")
    name = "vision_encoder.backbone.layers.0.attention.q_proj.weight"
    (stored,) = (key for key in tensors if key.endswith(name))  # named as on the hub
    tensor = tensors.pop(stored)
    if fault == "shape":
        tensors[stored] = tensor[:-1].contiguous()
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_text((saved / "config.json").read_text())
    with pytest.raises(InputError, match=f"1 tensors are missing or have another shape.*{name}"):
        open_base(str(tmp_path))


def test_another_neck_is_refused(tmp_path: Path) -> None:
    config = sam3_config()
    config.vision_config.scale_factors = [2.0, 1.0, 0.5]
    Sam3TrackerModel(config).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"its maps are \[2.0, 1.0, 0.5\].*such as facebook/sam3"):
        open_base(str(tmp_path))


def test_it_trains_by_lora_and_answers_the_same_from_its_folder(
    saved: Path, mfnet: Path, tmp_path: Path
) -> None:
    """Through the real command; the folder holds what was learnt, and finds the base again."""
    path = tmp_path / "config.yaml"
    values = {
        "out": str(tmp_path / "run"),
        "data": {"root": str(mfnet), "workers": 0},
        "model": {"base": str(saved)},
        "adapt": {"method": "lora", "rank": 2},
        "augment": {"crop": [32, 48]},
        "train": {"steps": 2, "batch_size": 2, "validations": 1, "learning_rate": 0.01},
        "loss": {"prototype": 1.0},
    }
    path.write_text(yaml.safe_dump(values))
    assert main(["train", str(path)]) == 0
    network, info = load_model(tmp_path / "run")
    assert info.base_fingerprint is not None
    stored = load_file(tmp_path / "run" / "model" / "model.safetensors")
    name = "encoders.rgb.vision.backbone.layers.1.attention.v_proj.b"
    assert stored[name].abs().sum() > 0
    assert not any("v_proj.linear" in key for key in stored)
    pair = torch.rand(1, 3, 45, 60), torch.rand(1, 1, 45, 60)
    again = samantic.load(tmp_path / "run", device="cpu").network
    with torch.no_grad():
        torch.testing.assert_close(again(*pair).logits, network(*pair).logits, rtol=1e-3, atol=1e-4)
