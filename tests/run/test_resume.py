"""What may be resumed: the run that was begun, and no other."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from samantic.cli import main
from samantic.config.read import read_config
from samantic.data import CATALOG, PairedFolder
from samantic.errors import InputError
from samantic.files import read_json, write_json, write_text
from samantic.models import load_sam2
from samantic.run.folder import check_config, check_inputs, claim, data_inputs, keep_inputs

WriteConfig = Callable[..., Path]


@pytest.fixture
def copy(mfnet: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(mfnet, tmp_path / "data"))


@pytest.fixture
def resumed(trained: Path) -> Callable[..., str]:
    """Ask whether a finished tiny training may go on with other options; the answer."""

    def ask(*words: str) -> str:
        config = read_config(trained / "config.yaml", list(words))
        try:
            check_config(trained, config)
        except InputError as error:
            return str(error)
        return ""

    return ask


@pytest.mark.parametrize(
    "words",
    [
        "--train.steps 60",
        "--train.steps 2",
        "--train.epochs 7",
        "--train.validations 1",
        "--train.devices 1",
        "--train.precision 32-true",
        "--data.workers 3",
        "--data.test null",
        "--out elsewhere",
    ],
)
def test_length_and_place_may_change(resumed: Callable[..., str], words: str) -> None:
    assert resumed(*words.split()) == ""


@pytest.mark.parametrize(
    "words",
    [
        "--data.root elsewhere",
        "--data.layout msrs",
        "--data.val train",
        "--data.train train[:50%]",
        "--loss.auxiliary 0.5",
        "--loss.cross_entropy plain",
        "--train.seed 1",
        "--train.batch_size 3",
        "--train.learning_rate 0.1",
        "--augment.flip 0.1",
        "--augment.crop [32,64]",
        "--model.fusion late",
        "--model.prediction mean",
        "--adapt.rank 3",
        "--train.teacher nano",
    ],
)
def test_what_is_learnt_may_not_change(resumed: Callable[..., str], words: str) -> None:
    key = words.split()[0].removeprefix("--")
    assert f"the run was started with other {key} (" in resumed(*words.split())


def test_every_key_that_differs_is_named(resumed: Callable[..., str], mfnet: Path) -> None:
    problem = resumed("--loss.tau=0.2", "--data.root=elsewhere")
    assert f"other data.root, loss.tau (data.root {mfnet.resolve()}, now" in problem
    assert resumed(f"--data.root={mfnet.parent}/./{mfnet.name}/") == ""


def test_classes_in_another_order_are_another_run(
    write_config: WriteConfig, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the weights of one class would go on as another's."""
    names = [*CATALOG["mfnet"].classes]
    data = {"layout": "pairs", "rgbt": "images", "classes": names}
    path = write_config(copy, data={"root": str(copy), "workers": 0, **data})
    one = ["--train.steps", "1", "--train.validations", "1"]
    assert main(["train", str(path), *one]) == 0
    turned = write_config(
        copy, data={"root": str(copy), "workers": 0, **data, "classes": names[::-1]}
    )
    capsys.readouterr()
    assert main(["train", str(turned), "--resume"]) == 2
    error = capsys.readouterr().err
    assert "the run was started with other data.classes (data.classes ['unlabelled'," in error
    assert len(error.strip().splitlines()) == 1


def splits(root: Path) -> dict[str, PairedFolder]:
    return {name: PairedFolder(root, "mfnet", name) for name in ("train", "val", "test")}


def change_image(root: Path, split: str) -> str:
    name = (root / f"{split}.txt").read_text().split()[0]
    path = root / "labels" / f"{name}.png"
    Image.fromarray(np.zeros((48, 64), np.uint8)).save(path)
    return name


def add_to_train(root: Path) -> None:
    extra = (root / "val.txt").read_text().split()[0]
    write_text(root / "train.txt", f"{(root / 'train.txt').read_text()}{extra}\n")


def test_content_of_the_data(copy: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    keep_inputs(out, data_inputs(splits(copy)), resume=False)
    for path in (copy / "labels").iterdir():  # times say nothing of the content
        path.touch()
    keep_inputs(out, data_inputs(splits(copy)), resume=True)
    change_image(copy, "test")  # which is reported alone
    keep_inputs(out, data_inputs(splits(copy)), resume=True)
    name = change_image(copy, "train")
    with pytest.raises(InputError, match=rf"1 of 6 in train differ, first {name}\).*inputs\.json"):
        keep_inputs(out, data_inputs(splits(copy)), resume=True)
    keep_inputs(out, data_inputs(splits(copy)), resume=False)
    add_to_train(copy)
    with pytest.raises(InputError, match="1 of 7 in train differ"):
        check_inputs(out, data_inputs(splits(copy)))
    (out / "inputs.json").unlink()  # as in a run of an earlier version
    check_inputs(out, data_inputs(splits(copy)))


def test_a_training_is_not_resumed_on_other_images(
    trained: Path, copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    text = (run / "config.yaml").read_text()
    root = read_config(run / "config.yaml").data.root
    write_text(run / "config.yaml", text.replace(root, str(copy)))
    words = ["train", str(run / "config.yaml"), "--out", str(run), "--resume"]
    assert main(words) == 0
    change_image(copy, "val")
    assert main(words) == 2
    assert "1 of 2 in val differ" in capsys.readouterr().err


def test_a_distillation_is_resumed_by_the_same_rule(
    write_distill: WriteConfig, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = {"root": str(copy), "val": None, "test": None}
    short: dict[str, Any] = {"data": data, "train": {"steps": 1, "validations": 1}}
    path = str(write_distill(**short))
    assert main(["distill", path]) == 0
    for key, value in {
        "loss.boundary": "0.2",
        "augment.flip": "0",
        "masks.damage": "1",
        "teacher.update": "joint",
    }.items():
        capsys.readouterr()
        assert main(["distill", path, "--resume", f"--{key}", value]) == 2
        assert f"the run was started with other {key} (" in capsys.readouterr().err
    assert main(["distill", path, "--resume", "--train.steps", "2"]) == 0
    name = (copy / "train.txt").read_text().split()[0]
    Image.fromarray(np.ones((48, 64), np.uint8)).save(copy / "instances" / f"{name}.png")
    capsys.readouterr()
    assert main(["distill", path, "--resume", "--train.steps", "3"]) == 2
    assert "1 of 1 in masks differ" in capsys.readouterr().err


def save_base(folder: Path, seed: int) -> None:
    torch.manual_seed(seed)
    load_sam2("random-micro").save_pretrained(folder)


def test_a_rig_and_a_base_are_known_by_their_content(
    write_config: WriteConfig, mfnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both may be files, which keep their name when they change."""
    base, rig = tmp_path / "base", tmp_path / "rig.yaml"
    still, moved = (f"thermal_to_rgb: [[1, 0, {x}], [0, 1, 0], [0, 0, 1]]" for x in (0, 9))
    save_base(base, 1)
    rig.write_text(still)
    data = {"root": str(mfnet), "workers": 0, "rig": str(rig), "val": None, "test": None}
    model, adapt = {"base": str(base)}, {"method": "lora", "rank": 2}
    path = str(write_config(mfnet, data=data, model=model, adapt=adapt, train={"steps": 1}))
    assert main(["train", path]) == 0
    rig.write_text(moved)
    longer = ["train", path, "--resume", "--train.steps", "2"]
    assert main(longer) == 2
    assert "1 of 1 in camera differ, first data.rig" in capsys.readouterr().err
    rig.write_text(still)
    save_base(base, 2)
    assert main(longer) == 2
    assert "1 of 1 in base differ, first model.base" in capsys.readouterr().err
    save_base(base, 1)
    inputs = tmp_path / "run" / "inputs.json"  # an earlier version tells of neither
    kept = {k: part for k, part in read_json(inputs).items() if k not in ("base", "camera")}
    write_json(inputs, kept)
    assert main(longer) == 0


def test_masks_of_another_sam_are_other_masks(
    write_distill: WriteConfig, copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_base(tmp_path / "sam", 1)
    masks = {"source": "sam", "base": str(tmp_path / "sam"), "side": 1, "size": 32}
    data = {"root": str(copy), "val": None, "test": None}
    path = str(write_distill(data=data, masks=masks, train={"steps": 1, "validations": 1}))
    assert main(["distill", path]) == 0
    save_base(tmp_path / "sam", 2)
    assert main(["distill", path, "--resume", "--train.steps", "2"]) == 2
    assert "1 of 1 in sam differ, first masks.base" in capsys.readouterr().err


def test_a_start_says_which_classes_it_keeps(
    trained: Path,
    write_config: WriteConfig,
    mfnet: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = Path(shutil.copytree(trained, tmp_path / "other"))
    values = read_json(other / "model" / "config.json")
    values["classes"][:3] = ["nothing", "CAR ", "person"]
    write_json(other / "model" / "config.json", values)
    still = {"start": str(other), "steps": 1, "validations": 1}
    assert main(["train", str(write_config(mfnet, train=still))]) == 0
    told = capsys.readouterr().out
    assert "classes kept: car (there CAR ), person, bike, curve" in told
    assert "starting anew: unlabelled\n" in told


@pytest.mark.parametrize("name", ["metrics.json", "comparison.json", "summary.json", "report.html"])
def test_a_run_does_not_replace_results(tmp_path: Path, name: str) -> None:
    write_text(tmp_path / "config.yaml", "of a run that was stopped early")
    claim(tmp_path, resume=False)
    write_text(tmp_path / name, "of an evaluation or prediction")
    with pytest.raises(InputError, match=f"holds {name}, and no run that could be continued"):
        claim(tmp_path, resume=False)


@pytest.mark.parametrize("content", [[], {"train": 3}])
def test_foreign_inputs(tmp_path: Path, content: Any) -> None:
    write_json(tmp_path / "inputs.json", content)
    with pytest.raises(InputError, match="not written by samantic; remove it"):
        check_inputs(tmp_path, {"train": {"a": "1"}})
