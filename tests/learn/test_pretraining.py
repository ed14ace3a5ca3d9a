from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from samantic.config import AugmentConfig, TrainConfig
from samantic.data.instances import InstanceFolder, components, read_instances
from samantic.data.loading import Batch
from samantic.errors import InputError
from samantic.learn.pretraining import (
    PromptTask,
    bind_prompts,
    coarse_shares,
    draw_prompts,
    mask_iou,
    mask_losses,
)
from samantic.losses import dice_loss
from samantic.models import load_sam2
from samantic.models.encoders.encoder import position_grid
from samantic.models.promptable import Masks, PromptableSAM
from samantic.scenes.write import write_scenes
from tests.helpers import run_script

ROOT = Path(__file__).parents[2]


def test_dice_equals_a_loop_over_pixels() -> None:
    logits, targets = 2 * torch.randn(2, 3, 4), torch.randint(2, (2, 3, 4))
    for mask in range(2):
        overlap = total = 0.0
        for z, y in zip(
            logits[mask].flatten().tolist(), targets[mask].flatten().tolist(), strict=True
        ):
            p = 1 / (1 + np.exp(-z))
            overlap += p * y
            total += p + y
        dice = 1 - (2 * overlap + 1) / (total + 1)
        assert dice_loss(logits, targets)[mask].item() == pytest.approx(dice, rel=1e-4)


def test_prompts_point_at_their_things() -> None:
    instances = torch.zeros(2, 20, 30, dtype=torch.int64)
    instances[0, 2:9, 4:16] = 7
    instances[0, 12:18, 20:26] = 300
    instances[0, 0, 0] = 5  # too small to be asked for
    prompts = draw_prompts(instances, 8, smallest=25, jitter=0.0)
    exact = {7: [4, 2, 15, 8], 300: [20, 12, 25, 17]}
    seen = set()
    for target, point, box in zip(*(part[0] for part in prompts[:3]), strict=True):
        x, y = point[0].long().tolist()
        thing = int(instances[0, y, x])
        seen.add(thing)
        assert torch.equal(target, instances[0] == thing)
        assert box.tolist() == exact[thing]
    assert seen == {7, 300}
    assert prompts.real.tolist() == [[True] * 8, [False] * 8]
    loose = draw_prompts(instances, 8, smallest=25, jitter=0.1).boxes[0]
    assert (loose - torch.tensor([exact[7], exact[300]])[:, None]).abs().amin(0).max() <= 1.2


def test_the_best_answer_learns_and_all_know_their_iou() -> None:
    instances = torch.zeros(2, 16, 16, dtype=torch.int64)
    instances[0, 2:12, 2:12] = 1
    prompts = draw_prompts(instances, 2)
    logits = torch.randn(2, 2, 3, 16, 16, requires_grad=True)
    quality = torch.rand(2, 2, 3)
    terms = mask_losses(Masks(logits, quality), prompts.targets.float(), prompts.real)
    best = []
    for p in range(2):
        target = prompts.targets[0, p].float()
        p_true = [torch.where(target > 0, z.sigmoid(), 1 - z.sigmoid()) for z in logits[0, p]]
        crossed = [-q.log().mean() for q in p_true]
        values = [2 * c + dice_loss(z, target) for c, z in zip(crossed, logits[0, p], strict=True)]
        best.append(min(values))
    torch.testing.assert_close(terms["mask"], torch.stack(best).mean())
    iou = mask_iou(logits[0], prompts.targets[0][:, None].expand(2, 3, 16, 16))
    torch.testing.assert_close(terms["quality"], (quality[0] - iou).square().mean())
    terms["mask"].backward()
    assert logits.grad is not None
    touched = logits.grad.abs().sum(dim=(3, 4)) > 0
    assert touched.sum(dim=2).tolist() == [[1, 1], [0, 0]]


def test_shares_of_squares_equal_a_loop() -> None:
    targets = torch.rand(1, 2, 10, 13) > 0.5
    shares = coarse_shares(targets, torch.zeros(1, 2, 3, 8, 8))
    for p in range(2):
        for y in range(8):
            for x in range(8):
                square = targets[0, p, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4]
                assert shares[0, p, y, x] == square.sum() / 16


def test_mask_iou() -> None:
    logits = torch.tensor([[[1.0, 1, -1, -1]], [[-1.0, -1, -1, -1]]])
    targets = torch.tensor([[[True, False, True, False]], [[False] * 4]])
    assert mask_iou(logits, targets).tolist() == [pytest.approx(1 / 3), 0]


def test_things_are_instances_or_connected_regions(mfnet: Path, tmp_path: Path) -> None:
    data = InstanceFolder(mfnet, "mfnet", "train")
    name = data.files[0].name
    expected = np.asarray(Image.open(mfnet / "instances" / f"{name}.png"))
    ids = data[0].labels
    assert ids is not None
    assert np.array_equal(ids.numpy(), expected)
    labels = np.array([[1, 1, 0, 2], [0, 0, 1, 2], [3, 255, 0, 2]], np.uint8)
    numbered = components(labels)
    assert numbered.tolist() == [[1, 1, 0, 2], [0, 0, 1, 2], [3, 0, 0, 2]]  # by 8 neighbours
    dots = np.zeros((520, 520), np.uint8)
    dots[::2, ::2] = 1
    assert len(np.unique(components(dots))) == 1 + 260**2, "more than 16 bits can number"
    write_scenes(tmp_path, "mfnet", {"train": [0]}, seed=1, size=(48, 64))
    for path in (tmp_path / "instances").iterdir():
        path.unlink()
    without = InstanceFolder(tmp_path, "mfnet", "train")[0].labels
    assert without is not None
    assert without.max() > 0


def test_broken_instances(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"no image")
    with pytest.raises(InputError, match="not a readable image"):
        read_instances(path)
    Image.new("RGB", (4, 4)).save(path)
    with pytest.raises(InputError, match="one channel of integers"):
        read_instances(path)


@pytest.mark.parametrize("trunk", [0.0, 1.0])
def test_every_trainable_parameter_gets_a_gradient(trunk: float) -> None:
    network = PromptableSAM(load_sam2("random-micro"))
    task = PromptTask(network, AugmentConfig(), TrainConfig(), trunk=trunk).train()
    task.log = task.log_dict = lambda *args, **kwargs: None  # type: ignore[method-assign]
    things = torch.zeros(2, 64, 64, dtype=torch.int64)
    things[:, 8:40, 8:40] = 1
    both = torch.ones(2, 2, dtype=torch.bool)
    batch = Batch(["a", "b"], {"rgb": torch.rand(2, 3, 64, 64)}, things, both)
    task.training_step(batch, 0).backward()  # type: ignore[no-untyped-call]
    assert [n for n, p in task.named_parameters() if p.requires_grad and p.grad is None] == []


@pytest.mark.slow
def test_the_script_makes_a_base(mfnet: Path, tmp_path: Path) -> None:
    """Pre-train, resume, and start SARTM from the result."""
    script = ROOT / "training" / "pretrain_sam.py"
    words = ["--data", mfnet, "--base", "random-micro", "--out", tmp_path, "--crop", 32, 48]
    words += ["--batch-size", 2, "--validations", 1, "--workers", 0]
    run_script(script, *words, "--steps", 2)
    run_script(script, *words, "--steps", 3, "--resume")
    trained, fresh = load_sam2(str(tmp_path / "sam")), load_sam2("random-micro")
    assert trained.state_dict().keys() == fresh.state_dict().keys()
    assert (tmp_path / "recipe.json").exists()
    assert PromptableSAM(trained).trained_size == 48  # the longer side of its crops


@pytest.mark.slow
def test_bases_are_measured_and_drawn(mfnet: Path, tmp_path: Path) -> None:
    options = ["--data", mfnet, "--side", 4, "--pictures", tmp_path, "--count", 1]
    told = run_script(ROOT / "training" / "measure_sam.py", "random-micro", *options)
    share = r"[01]\.\d{3}"
    words = f"random-micro: boundary recall {share} on 2 images, of all pixels {share}, "
    assert re.match(words, told)
    (picture,) = tmp_path.iterdir()
    with Image.open(picture) as panels:
        assert panels.size == (3 * 64, 48)


def test_prompts_are_bound_to_their_places() -> None:
    """Of all places the one that was clicked answers a click most strongly, before any training."""
    sam = load_sam2("random-nano")
    bind_prompts(sam)
    grid = position_grid(sam.shared_image_embedding, torch.zeros(1, 1, 9, 12))[0].flatten(1).T
    for layer in sam.mask_decoder.transformer.layers:
        for attention in (layer.cross_attn_image_to_token, layer.cross_attn_token_to_image):
            strength = attention.q_proj(grid) @ attention.k_proj(grid).T
            assert torch.equal(strength.argmax(1), torch.arange(len(grid)))


def test_large_things_are_drawn_more_often() -> None:
    ids = torch.zeros(1, 40, 40, dtype=torch.int64)
    ids[0, :, :20], ids[0, :5, 30:] = 1, 2  # 800 and 50 pixels: a ratio of 2 at power 1/4
    targets = draw_prompts(ids, 2000, power=0.25).targets[0]
    large = float((targets.sum(dim=(1, 2)) == 800).float().mean())
    assert large == pytest.approx(2 / 3, abs=0.04)
    assert not (draw_prompts(ids, 200, smallest=51).targets[0].sum(dim=(1, 2)) == 50).any()
