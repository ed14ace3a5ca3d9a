"""The SAM that ships."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from samantic.cli import main
from samantic.data.instances import InstanceFolder
from samantic.distill.grid_masks import grid_masks
from samantic.errors import InputError
from samantic.learn.pretraining import draw_prompts, mask_iou
from samantic.models import load_sam2
from samantic.models.encoders import efficientnet
from samantic.models.encoders.bases import SHIPPED_BASES
from samantic.models.promptable import PromptableSAM
from samantic.predict.model_folder import WEIGHTS, find_model
from samantic.scenes.write import write_scenes


@pytest.fixture(scope="module")
def sam() -> PromptableSAM:
    return PromptableSAM(load_sam2("sam-nano")).eval()


def test_it_is_small_and_needs_no_other_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (SHIPPED_BASES["sam-nano"] / WEIGHTS).stat().st_size < 16e6
    monkeypatch.delattr(efficientnet, "imagenet_weights")
    loaded = load_sam2("sam-nano")
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    with pytest.raises(InputError, match="a base, not a trained model"):
        find_model("sam-nano")


@torch.inference_mode()
def test_it_finds_what_it_is_asked_for(sam: PromptableSAM, tmp_path: Path) -> None:
    """Boxes and clicks on unseen scenes; the guess that fills the box is what it must beat."""
    write_scenes(tmp_path, "mfnet", {"train": range(6)}, seed=77, size=(240, 320))
    found: dict[str, list[torch.Tensor]] = {"boxes": [], "points": [], "elsewhere": []}
    for index, sample in enumerate(InstanceFolder(tmp_path, "mfnet", "train")):  # type: ignore[arg-type]
        torch.manual_seed(index)
        prompts = draw_prompts(sample.labels[None], 6, smallest=200, jitter=0.0)
        encoded = sam.encode(sample.rgb[None])
        wrong = prompts.points.roll(1, dims=1)  # another thing's click
        for name, asked in (
            ("boxes", {"boxes": prompts.boxes}),
            ("points", {"points": prompts.points}),
            ("elsewhere", {"points": wrong}),
        ):
            logits, _ = sam.decode(encoded, **asked).best()
            found[name].append(mask_iou(logits, prompts.targets)[prompts.real])
    means = {name: float(torch.cat(part).mean()) for name, part in found.items()}
    assert means["boxes"] > 0.3
    assert means["points"] > 0.2
    assert means["points"] > 1.5 * means["elsewhere"]


def test_it_finds_masks_of_everything(sam: PromptableSAM, tmp_path: Path) -> None:
    write_scenes(tmp_path, "mfnet", {"train": [0]}, seed=78, size=(240, 320))
    (sample,) = InstanceFolder(tmp_path, "mfnet", "train")  # type: ignore[misc]
    masks, quality = grid_masks(sam, sample.rgb, side=8, quality=0.3, stability=0.6)
    assert len(masks) >= 3
    assert quality.tolist() == sorted(quality.tolist(), reverse=True)


@pytest.mark.slow
def test_sartm_nano_is_trained_further_by_lora(tmp_path: Path) -> None:
    """What is stored is what was trained; the base is found again by its name."""
    words = ["--out", str(tmp_path / "data"), "--count", "10", "--seed", "3", "--size", "64x96"]
    assert main(["synthesize", "--layout", "mfnet", *words]) == 0
    config = Path(__file__).parents[2] / "configs" / "sam_nano.yaml"
    run = tmp_path / "run"
    words = ["--data.root", str(tmp_path / "data"), "--out", str(run), "--data.workers", "0"]
    words += ["--text.source", "null", "--loss.language", "0", "--augment.crop", "[64,96]"]
    words += ["--train.steps", "1", "--train.batch-size", "2", "--train.validations", "1"]
    words += ["--train.start", "sartm-nano"]
    assert main(["train", str(config), *words]) == 0
    assert (run / "model" / WEIGHTS).stat().st_size < 8e6
    rgbt = ["--rgbt", str(tmp_path / "data" / "images"), "--out", str(tmp_path / "predictions")]
    assert main(["predict", str(run), *rgbt]) == 0
