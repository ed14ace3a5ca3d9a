from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from transformers import SegformerForImageClassification, SegformerForSemanticSegmentation

from samantic.config.networks import SegFormerFusion
from samantic.errors import InputError
from samantic.models import Student
from samantic.models.students.segformer_parts import build_segformer, decode, segformer_config
from samantic.models.students.shapes import SEGFORMERS
from samantic.models.transfer import take_over

FUSIONS = get_args(SegFormerFusion)
MakeStudent = Callable[..., Student]


def pair(batch: int = 2, height: int = 40, width: int = 56) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.rand(batch, 3, height, width), torch.rand(batch, 1, height, width)


@pytest.fixture
def make_student() -> MakeStudent:
    """A micro student whose weights are large enough for every path to matter."""

    def build(fusion: SegFormerFusion = "early", classes: int = 5) -> Student:
        student = Student("segformer-micro", classes, fusion=fusion).eval()
        for parameter in student.parameters():
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
        return student

    return build


def complete(classes: int = 7) -> SegformerForSemanticSegmentation:
    """transformers' own, with weights, biases and statistics of a norm that all matter."""
    config = segformer_config(SEGFORMERS["segformer-micro"], classes, 3)
    model = SegformerForSemanticSegmentation(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    model.decode_head.batch_norm.running_mean.normal_()
    model.decode_head.batch_norm.running_var.uniform_(0.5, 2.0)
    return model


@pytest.mark.parametrize(
    ("base", "millions"),
    [
        ("segformer-b0", 3.7),
        ("segformer-b1", 13.7),
        ("segformer-b2", 27.4),
        ("segformer-tiny", 0.9),
    ],
)
def test_sizes_of_the_layouts(base: str, millions: float) -> None:
    """The paper's counts, for RGB and 19 classes."""
    with torch.device("meta"):
        student = Student(base, 19, fusion="rgb")
    assert round(sum(p.numel() for p in student.parameters()) / 1e6, 1) == millions


def test_random_weights_let_signals_through() -> None:
    """Not those of deviation 0.02 that transformers draws before it loads a checkpoint."""
    student = Student("segformer-micro", 5)
    name = "encoder.stages.0.blocks.0.mlp.dwconv.dwconv.weight"
    # PyTorch draws uniformly within 1 / sqrt(inputs of a unit), here 3 x 3
    assert student.state_dict()[name].std().item() == pytest.approx(3**-0.5 / 3, rel=0.1)


@pytest.mark.parametrize("size", [(32, 32), (33, 65), (35, 100), (96, 64)])
@pytest.mark.parametrize("fusion", FUSIONS)
def test_any_size(
    make_student: MakeStudent, fusion: SegFormerFusion, size: tuple[int, int]
) -> None:
    student = make_student(fusion)
    out = student(*pair(1, *size))
    assert out.logits.shape == (1, 5, *size)
    assert out.auxiliary is None
    for level, stride, channels in zip(out.features, (4, 8, 16), (8, 16, 24), strict=True):
        assert level.shape == (1, channels, *(-(-side // stride) for side in size))
    assert student.width == 24


@pytest.mark.parametrize("size", [(64, 96), (37, 51)])
def test_equals_transformers_segformer(tmp_path: Path, size: tuple[int, int]) -> None:
    theirs = complete()
    theirs.save_pretrained(tmp_path)
    rgb, thermal = pair(2, *size)
    mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
    images = (rgb.movedim(1, -1) - mean).div(deviation).movedim(-1, 1)
    student = Student(str(tmp_path), 7, fusion="rgb").eval()
    with torch.no_grad():
        expected = theirs(images, output_hidden_states=True)
        out = student(rgb, thermal)
    full = F.interpolate(expected.logits, size, mode="bilinear", align_corners=False)
    torch.testing.assert_close(out.logits, full)
    for ours, its in zip(out.features, expected.hidden_states[:3], strict=True):
        torch.testing.assert_close(ours, its)


def test_a_training_step_equals_transformers_segformer() -> None:
    """Gradients and the norm's statistics too, though the decoder multiplies in another order."""
    theirs = complete().double()
    theirs.decode_head.dropout.p = 0.0
    ours = copy.deepcopy(theirs.decode_head).train()
    maps = theirs.segformer(
        torch.randn(2, 3, 64, 96, dtype=torch.float64), output_hidden_states=True
    ).hidden_states
    theirs.decode_head.train()
    for head, logits in (
        (theirs.decode_head, theirs.decode_head(maps)),
        (ours, decode(ours, maps)),
    ):
        F.cross_entropy(logits, torch.arange(768).view(2, 16, 24) % 7).backward(retain_graph=True)
        assert head.linear_fuse.weight.grad is not None
    for (name, mine), its in zip(
        ours.named_parameters(), theirs.decode_head.parameters(), strict=True
    ):
        torch.testing.assert_close(mine.grad, its.grad, msg=name)
    for mine, its in zip(ours.buffers(), theirs.decode_head.buffers(), strict=True):
        torch.testing.assert_close(mine, its)


def test_channels_of_early_fusion(make_student: MakeStudent) -> None:
    """The encoder reads normalised RGB, then what SARTM's three thermal channels are on average."""
    student = make_student()
    seen = []
    student.encoder.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    rgb, thermal = torch.full((1, 3, 32, 32), 0.5), torch.full((1, 1, 32, 32), 0.25)
    student(rgb, thermal, single_modality=True)
    student(thermal=thermal)
    channels = [(0.5 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0.5 - 0.406) / 0.225]
    heat = ((0.25 - 0.485) / 0.229 + (0.25 - 0.456) / 0.224 + (0.25 - 0.406) / 0.225) / 3
    both, colour_alone, heat_alone, heat_given = (tuple(x[0, :, 7, 9].tolist()) for x in seen)
    assert both == pytest.approx((*channels, heat))
    assert colour_alone == pytest.approx((*channels, 0))
    assert heat_alone == heat_given == pytest.approx((0, 0, 0, heat))


def test_missing_modality_equals_none_given(make_student: MakeStudent) -> None:
    student = make_student()
    rgb, thermal = pair()
    present = torch.tensor([[True, False], [False, True]])
    mixed = student(rgb, thermal, present)
    for index, alone in ((0, student(rgb=rgb)), (1, student(thermal=thermal))):
        torch.testing.assert_close(mixed.logits[index], alone.logits[index])
    out = student(rgb, thermal, single_modality=True)
    for (logits, auxiliary), single in zip(
        out.single_modality, (student(rgb), student(thermal=thermal)), strict=True
    ):
        torch.testing.assert_close(logits, single.logits)
        assert auxiliary is None
    assert student(rgb, single_modality=True).single_modality == ()


def test_single_modality_ignores_the_other(make_student: MakeStudent) -> None:
    student = make_student("thermal")
    rgb, thermal = pair()
    assert torch.equal(student(rgb, thermal).logits, student(thermal=thermal).logits)
    with pytest.raises(ValueError, match="the variant 'thermal' reads thermal: none was given"):
        student(rgb=rgb)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ({}, "reads rgb or thermal: none was given"),
        ({"rgb": torch.rand(1, 1, 32, 32)}, r"got rgb \(1, 1, 32, 32\)"),
        ({"rgb": torch.rand(1, 3, 31, 64)}, "at least 32x32 pixels, got 31x64; enlarge them"),
    ],
)
def test_wrong_shapes(
    make_student: MakeStudent, images: dict[str, torch.Tensor], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_student()(**images)


def test_four_channels_and_one_of_three(tmp_path: Path) -> None:
    theirs = complete()
    theirs.save_pretrained(tmp_path)
    name = "stages.0.patch_embeddings.proj.weight"
    colour = theirs.segformer.state_dict()[name]
    early, thermal = (
        build_segformer(str(tmp_path), 7, channels)[0].segformer.state_dict() for channels in (4, 1)
    )
    assert torch.equal(early[name][:, :3], colour)
    torch.testing.assert_close(early[name][:, 3], colour.mean(1))
    torch.testing.assert_close(thermal[name][:, 0], colour.sum(1))
    rest = early.keys() - {name}
    assert all(torch.equal(early[key], theirs.segformer.state_dict()[key]) for key in rest)
    assert Student(str(tmp_path), 7)(*pair(1)).logits.shape == (1, 7, 40, 56)
    assert Student(str(tmp_path), 7, fusion="thermal")(*pair(1)).logits.shape == (1, 7, 40, 56)


def test_what_starts_anew(tmp_path: Path) -> None:
    """The classifier of other classes, and the whole decoder of an encoder made to classify."""
    theirs = complete(7)
    theirs.save_pretrained(tmp_path / "whole")
    SegformerForImageClassification(theirs.config).save_pretrained(tmp_path / "encoder")
    before = theirs.state_dict()
    same, other = (build_segformer(str(tmp_path / "whole"), k)[0].state_dict() for k in (7, 4))
    assert all(torch.equal(same[key], before[key]) for key in before)
    classifier = {"decode_head.classifier.weight", "decode_head.classifier.bias"}
    assert other["decode_head.classifier.weight"].shape[0] == 4
    assert all(torch.equal(other[key], before[key]) for key in before.keys() - classifier)
    network, shape = build_segformer(str(tmp_path / "encoder"), 4)
    written = load_file(tmp_path / "encoder" / "model.safetensors")
    key = "segformer.encoder.patch_embeddings.0.proj.weight"  # its name in files
    first = network.segformer.state_dict()["stages.0.patch_embeddings.proj.weight"]
    assert torch.equal(first, written[key])
    assert shape == SEGFORMERS["segformer-micro"]


@pytest.mark.parametrize("fault", ["missing", "shape"])
@pytest.mark.parametrize("part", ["segformer.", "decode_head.linear_fuse"])
def test_incomplete_checkpoint(tmp_path: Path, part: str, fault: str) -> None:
    complete().save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    name = next(name for name in tensors if name.startswith(part))
    if fault == "missing":
        del tensors[name]
    else:
        tensors[name] = tensors[name][:-1].contiguous()
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=f"1 tensors are missing or have another shape.*{part}"):
        build_segformer(str(tmp_path), 7)


def test_unusable_bases(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither a local folder nor reachable on the hub"):
        build_segformer("nvidia/mit-b0", 7)
    with pytest.raises(InputError, match="not a SegFormer folder"):
        build_segformer(str(tmp_path), 7)
    with pytest.raises(InputError, match="a student's are segformer-b2, segformer-b1"):
        build_segformer("segformer-b9", 7)
    (tmp_path / "config.json").write_text('{"model_type": "sam2"}')
    with pytest.raises(InputError, match=r"not a SegFormer folder \(its model_type is sam2\)"):
        build_segformer(str(tmp_path), 7)
    for options, problem in (
        ({"strides": [4, 2, 2, 1]}, r"its strides are .*1\), SegFormer's are .*2\)"),
        ({"num_channels": 4}, "its num_channels are 4, SegFormer's are 3"),
        ({"hidden_act": "relu"}, "its hidden_act are relu, SegFormer's are gelu"),
    ):
        other = segformer_config(SEGFORMERS["segformer-micro"], 7, 3)
        other.update(options)
        SegformerForSemanticSegmentation(other).save_pretrained(tmp_path)
        with pytest.raises(InputError, match=problem):
            build_segformer(str(tmp_path), 7)


def test_classes_of_one_name_answer_as_before(make_student: MakeStudent) -> None:
    source, student = make_student(classes=3), make_student(classes=4)
    own = student.decode_head.classifier.weight[3].clone()
    take_over(student, ["b", "c", "a", "new"], source, ["a", "b", "c"])
    assert torch.equal(student.decode_head.classifier.weight[3], own)
    images = pair(1)
    with torch.no_grad():
        before, after = source(*images).logits, student(*images).logits
    torch.testing.assert_close(after[:, [2, 0, 1]], before)
