from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import Sam2Model, Sam2VideoConfig, Sam2VideoModel

from samantic.config import AdaptConfig
from samantic.errors import InputError
from samantic.models import SARTM, load_sam2
from samantic.models.encoders.bases import RANDOM_BASES
from samantic.models.encoders.sam2 import POSITIONS, ImageEncoder, _random_config

PARTS = ("vision_encoder", "prompt_encoder", "mask_decoder", "shared_image_embedding")


def video_model() -> Sam2VideoModel:
    """A small SAM2 in the layout that the hub's checkpoints have."""
    config = _random_config("random-micro")
    video = Sam2VideoConfig(
        vision_config=config.vision_config.to_dict(),
        prompt_encoder_config=config.prompt_encoder_config.to_dict(),
        mask_decoder_config=config.mask_decoder_config.to_dict(),
        memory_attention_hidden_size=32,
        memory_attention_feed_forward_hidden_size=32,
        memory_encoder_hidden_size=32,
        memory_encoder_output_channels=8,
        mask_downsampler_embed_dim=32,
        memory_fuser_embed_dim=32,
        memory_fuser_intermediate_dim=32,
    )
    return Sam2VideoModel(video)


@pytest.fixture(scope="module", params=["image", "video"])
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(2)
    folder = tmp_path_factory.mktemp(request.param)
    model = load_sam2("random-micro") if request.param == "image" else video_model()
    torch.nn.init.normal_(model.no_memory_embedding)
    for name, parameter in model.vision_encoder.named_parameters():
        if "pos_embed" in name:
            torch.nn.init.normal_(parameter)
    model.save_pretrained(folder)
    return folder


def test_every_shared_tensor_arrives_bit_for_bit(saved: Path) -> None:
    written = load_file(saved / "model.safetensors")
    loaded = load_sam2(str(saved)).state_dict()
    shared = [n for n in written if n.startswith(PARTS) or n == "no_memory_embedding"]
    assert set(shared) >= set(loaded) - {"prompt_encoder.shared_embedding.positional_embedding"}
    for name in shared:
        assert torch.equal(loaded[name], written[name]), name


def test_network_keeps_the_decoder_and_the_trunk(saved: Path) -> None:
    written = load_file(saved / "model.safetensors")
    network = SARTM(load_sam2(str(saved)), 4, adapt=AdaptConfig("lora", rank=2))
    state = network.state_dict()
    decoder = "mask_decoder."
    resized = ("mask_tokens", "output_hypernetworks_mlps", "iou_prediction", "pred_obj_score")
    for name, tensor in written.items():
        if name.startswith(decoder) and not name.startswith(tuple(decoder + r for r in resized)):
            assert torch.equal(state[f"mask_head.decoder.{name.removeprefix(decoder)}"], tensor)
        if name.startswith("vision_encoder."):
            inside = name.removeprefix("vision_encoder.").replace(".qkv.", ".qkv.qkv.")
            for modality in ("rgb", "thermal"):
                assert torch.equal(state[f"encoders.{modality}.vision.{inside}"], tensor)


def test_encoder_equals_sam2(saved: Path) -> None:
    """Our encoder of a checkpoint gives the maps of transformers' own image path."""
    sam = Sam2Model.from_pretrained(saved).eval()
    images = torch.randn(2, 3, 64, 96)
    expected = sam.vision_encoder(images).fpn_hidden_states
    with torch.no_grad():
        ours = ImageEncoder(load_sam2(str(saved)).eval())(images)
    for level, (mine, theirs) in enumerate(zip(ours, expected, strict=True)):
        memory = sam.no_memory_embedding.view(1, -1, 1, 1) if level == 2 else 0.0
        torch.testing.assert_close(mine, theirs + memory, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "name",
    [
        "vision_encoder.backbone.blocks.0.attn.qkv.weight",
        "vision_encoder.neck.convs.0.bias",
        "prompt_encoder.not_a_point_embed.weight",
        "mask_decoder.mask_tokens.weight",
        "no_memory_embedding",
    ],
)
@pytest.mark.parametrize("fault", ["missing", "shape"])
def test_incomplete_checkpoint(saved: Path, tmp_path: Path, name: str, fault: str) -> None:
    tensors = load_file(saved / "model.safetensors")
    if fault == "missing":
        del tensors[name]
    else:
        tensors[name] = tensors[name][..., :-1].contiguous()
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_text((saved / "config.json").read_text())
    with pytest.raises(InputError, match=f"1 tensors are missing or have another shape.*{name}"):
        load_sam2(str(tmp_path))


@pytest.mark.parametrize("name", POSITIONS)
def test_one_of_two_equal_tables_is_enough(saved: Path, tmp_path: Path, name: str) -> None:
    """Checkpoints may hold the table of positions under one of its names alone."""
    tensors = load_file(saved / "model.safetensors")
    (twin,) = set(POSITIONS) - {name}
    del tensors[name]
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_text((saved / "config.json").read_text())
    state = load_sam2(str(tmp_path)).state_dict()
    assert torch.equal(state[name], tensors[twin])
    assert torch.equal(state[twin], tensors[twin])
    del tensors[twin]
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="2 tensors are missing"):
        load_sam2(str(tmp_path))


def test_unreachable_bases(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither a local folder nor reachable on the hub"):
        load_sam2("facebook/sam2.1-hiera-tiny")
    with pytest.raises(InputError, match="not a SAM2 folder"):
        load_sam2(str(tmp_path))
    with pytest.raises(InputError, match="built-in ones are random-nano, random-mini"):
        load_sam2("random-tiny")


@pytest.mark.parametrize(
    ("base", "low", "high"),
    [("random-nano", 3e6, 5e6), ("random-mini", 1e6, 2e6), ("random-micro", 1e5, 5e5)],
)
def test_sizes_of_built_in_architectures(base: str, low: float, high: float) -> None:
    assert base in RANDOM_BASES
    network = SARTM(load_sam2(base), 9, adapt=AdaptConfig("full"))
    assert low < sum(p.numel() for p in network.parameters()) < high


def test_a_folder_is_loaded_without_a_word(saved: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load_sam2(str(saved))
    assert capfd.readouterr() == ("", "")
    assert transformers.utils.logging.is_progress_bar_enabled()  # for whoever comes next
