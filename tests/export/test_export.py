"""Exported files through the real command: what they take, what they answer, what is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

import samantic
from samantic.cli import main
from samantic.config import AdaptConfig, StudentConfig
from samantic.config.scaling import parse_scaling
from samantic.data import CATALOG
from samantic.data.camera import Camera
from samantic.data.rig import Rig
from samantic.errors import InputError
from samantic.export.job import ENDINGS, Order, export
from samantic.export.module import Exported, thermal_type_of
from samantic.export.onnx_file import to_onnx
from samantic.export.openvino_file import quantised
from samantic.export.proof import Proof, refuse_unlike
from samantic.measure.record import read_confusion
from samantic.models import SARTM
from samantic.models.build import build
from samantic.predict.info import ModelInfo
from samantic.predict.predictor import Predictor, load
from samantic.runtime import ExportedModel
from samantic.runtime.quiet import import_quietly
from samantic.scenes.scene import draw_scene
from tests.helpers import info_of

SIZE = (48, 64)
CLASSES = CATALOG["mfnet"]


def sized(kind: str, scene: int = 3, size: tuple[int, int] = SIZE) -> tuple[Any, Any]:
    """A generated pair, its thermal levels as values of a kind."""
    drawn = draw_scene(5, scene, size)
    if kind == "uint8":
        return drawn.rgb, drawn.thermal
    return drawn.rgb, (29000 + 10.0 * drawn.thermal).astype(kind)


@pytest.fixture
def sartm(make_network: Callable[..., SARTM]) -> Predictor:
    """A micro network whose fusion matters, for thermal counts; its trace takes seconds."""
    camera = Camera(parse_scaling("29000,31600"))
    return marked(Predictor(make_network("paper", classes=9), info_of("paper"), "cpu", camera))


def student(fusion: Any, scaling: str = "8-bit", rig: Rig | None = None) -> Predictor:
    """A micro student of one encoder."""
    config, adapt = StudentConfig("segformer-micro", fusion), AdaptConfig("full")
    info = ModelInfo(config, adapt, CLASSES.classes, CLASSES.palette, CLASSES.title)
    return marked(
        Predictor(build(config, adapt, 9), info, "cpu", Camera(parse_scaling(scaling), rig))
    )


def marked(predictor: Predictor) -> Predictor:
    """A predictor with the fingerprint of a model folder."""
    predictor.__dict__["fingerprint"] = "0" * 16
    return predictor


@pytest.mark.parametrize(
    ("words", "kind", "forms"),
    [
        (None, "uint16", ["onnx", "openvino"]),
        (("thermal", "frame"), "float32", ["openvino"]),
        (("rgb",), None, ["onnx"]),
    ],
    ids=["sartm", "thermal", "rgb"],
)
def test_a_file_answers_as_the_model(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: Any,
    kind: Any,
    forms: list[Any],
) -> None:
    """Raw values of the sensor's own type, with and without each camera, alone and in a batch."""
    model = student(*words) if words else request.getfixturevalue("sartm")
    traced = cache(to_onnx)  # both formats from one trace, which takes seconds
    monkeypatch.setattr("samantic.export.job.to_onnx", lambda *args: copy.deepcopy(traced(*args)))
    order = Order("onnx", size=SIZE, thermal_type=kind)
    module = Exported(model, SIZE, None, thermal_type_of(model.camera.scaling, kind)).eval()
    monkeypatch.setattr("samantic.export.job.Exported", lambda *_: module)
    for form in forms:
        path = tmp_path / f"m{ENDINGS[form]}"
        proof = export(model, order._replace(format=form), path)
        assert proof.agreement >= 0.999
        assert proof.confidence < 1e-3
        same_answers(model, ExportedModel(path), kind or "uint8")
        told = json.loads(path.with_name(f"{path.name}.json").read_text())
        assert told["proof"]["agreement"] == proof.agreement
        assert told["thermal_type"] == (kind or "uint8")


@pytest.mark.parametrize("name", ["nano-small", "student"])
def test_a_student_of_one_encoder(name: str, tmp_path: Path) -> None:
    """Both cameras go through one encoder, with a mask of the channels that are there."""
    model = student("early") if name == "student" else load(name, device="cpu")
    export(model, Order("onnx", size=SIZE), tmp_path / "m.onnx")
    same_answers(model, ExportedModel(tmp_path / "m.onnx"), "uint8")


def same_answers(model: Predictor, file: ExportedModel, kind: str) -> None:
    reads = model.network.modalities
    assert set(file.backend.inputs) == {*reads, *(["present"] if len(reads) == 2 else [])}
    if "thermal" in reads:
        assert file.backend.inputs["thermal"][1] == kind
    pairs = [sized(kind, i) for i in range(3)]
    pairs += [(rgb, None) for rgb, _ in pairs[:1] if "rgb" in reads]
    pairs += [(None, thermal) for _, thermal in pairs[:1] if "thermal" in reads]
    for batch in (1, 4):
        answers = zip(model.predict_batch(pairs), file.predict_batch(pairs, batch), strict=True)
        for ours, theirs in answers:
            assert (ours.labels == theirs.labels).mean() >= 0.999
            np.testing.assert_allclose(theirs.confidence, ours.confidence, atol=1e-3)
            assert theirs.classes == ours.classes


def test_cameras_that_are_not_aligned(tmp_path: Path) -> None:
    """The file warps thermal itself."""
    rig = Rig(((1.6, 0.1, -9.0), (0.0, 1.7, -5.0), (0.0, 1e-4, 1.0)))
    model = student("early", rig=rig)
    export(model, Order("onnx", size=SIZE, thermal_size=(32, 40), batch=1), tmp_path / "m.onnx")
    rgb, thermal = sized("uint8")[0], sized("uint8", size=(32, 40))[1]
    ours, theirs = (m.predict(rgb, thermal) for m in (model, ExportedModel(tmp_path / "m.onnx")))
    assert (ours.labels == theirs.labels).mean() >= 0.999
    seen = ours.images["thermal"].astype(int)
    assert np.abs(seen - theirs.images["thermal"]).mean() < 12
    alone = ExportedModel(tmp_path / "m.onnx").predict(thermal=thermal)
    assert alone.thermal is not None
    assert alone.thermal.shape == alone.overlay().size[::-1] == alone.labels.shape == SIZE
    np.testing.assert_array_equal(np.isnan(alone.thermal), np.isnan(ours.thermal))  # type: ignore[arg-type]


def test_counts_are_not_cut_off_to_8_bits(tmp_path: Path) -> None:
    """The low byte of a count says nothing; a file for gray levels refuses counts."""
    model = student("thermal", "frame")
    export(model, Order("onnx", size=SIZE, thermal_type="uint8"), tmp_path / "m.onnx")
    file = ExportedModel(tmp_path / "m.onnx")
    with pytest.raises(InputError, match=r"thermal: uint16 values, but m.onnx takes uint8; export"):
        file.predict(thermal=sized("uint16")[1])
    levels = sized("uint8")[1]
    assert np.array_equal(file.predict(thermal=levels).labels, model.predict(None, levels).labels)


@pytest.mark.parametrize("panorama", [False, True])
def test_larger_images_are_asked_in_tiles(exported: Path, panorama: bool) -> None:
    """As the model asks in tiles of that size."""
    file = samantic.load(str(exported), panorama=panorama)
    model = samantic.load("nano", device="cpu", tile=64, panorama=panorama)
    model.tile = SIZE
    pair = sized("uint8", size=(70, 150))
    ours, theirs = (m.predict(*pair, probabilities=True) for m in (model, file))
    assert (ours.labels == theirs.labels).mean() >= 0.999
    assert ours.probabilities is not None
    assert theirs.probabilities is not None
    np.testing.assert_allclose(theirs.probabilities, ours.probabilities, atol=1e-3)


def test_verbs_take_a_file(
    exported: Path, mfnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data", str(mfnet), "--layout", "mfnet", "--split", "test"]
    both = ["evaluate", "nano", str(exported), *words, "--out", str(tmp_path / "e")]
    assert main(both) == 0
    ours, theirs = (
        read_confusion(tmp_path / "e" / name / "confusion.npz")[1] for name in ("nano", "nano.onnx")
    )
    assert (ours - theirs).abs().sum() <= 4
    out = tmp_path / "p"
    images = ["--rgbt", str(mfnet / "images"), "--out", str(out)]
    assert main(["predict", str(exported), *images]) == 0
    assert len(list((out / "labels").iterdir())) == 10
    assert main(["predict", "nano", *images]) == 2
    assert "holds another model's predictions" in capsys.readouterr().err
    assert main(["evaluate", str(exported), *words, "--robustness"]) == 2
    assert "--robustness needs the model that it was exported from" in capsys.readouterr().err
    with pytest.raises(InputError, match="an exported file; give the model that it was made from"):
        load(exported)


def quantised_order(mfnet: Path) -> list[str]:
    return ["--data", str(mfnet), "--layout", "mfnet", "--split", "train", "--count", "4"]


@pytest.mark.parametrize(
    ("precision", "more"),
    [("fp16", []), ("bf16", []), ("int8", []), ("int8", ["--max-drop", "5"])],
)
def test_fewer_bits(
    precision: str,
    more: list[str],
    exported: Path,
    mfnet: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("samantic.export.job.to_onnx", lambda *_: onnx.load(exported))
    out = tmp_path / "m.xml"
    words = ["export", "nano", "--format", "openvino", "--precision", precision, "--size", "48x64"]
    assert main([*words, *more, *quantised_order(mfnet), "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert f"{out}: openvino, {precision}" in told
    assert "mIoU " in told
    proof = json.loads(out.with_name(f"{out.name}.json").read_text())["proof"]
    assert proof["agreement"] > 0.9
    assert proof["miou"][1] == pytest.approx(proof["miou"][0], abs=0.05)
    half = {"fp16": 0.6, "bf16": 1.1, "int8": 0.35}[precision]
    assert out.with_suffix(".bin").stat().st_size < half * 27e6


def test_a_layer_keeps_its_precision_where_8_bits_cost_too_much() -> None:
    """A second channel a million times weaker than the first is lost in the range of both."""
    ov = import_quietly("openvino")
    opset = ov.opset13
    x = opset.parameter([1, 2, 16, 16], np.float32)
    x.output(0).get_tensor().set_names({"x"})
    mixed = opset.convolution(
        x, np.eye(2, dtype=np.float32)[:, :, None, None], [1, 1], [0, 0], [0, 0], [1, 1]
    )
    second = np.array([[[[0.0]], [[1e6]]]], np.float32)
    weak = opset.convolution(mixed, second, [1, 1], [0, 0], [0, 0], [1, 1])
    model = ov.Model([opset.result(weak)], [x])
    rng = np.random.default_rng(0)
    given = [
        {"x": (rng.normal(size=(1, 2, 16, 16)) * [[[[1.0]], [[1e-6]]]]).astype(np.float32)}
        for _ in range(4)
    ]

    def kept(compiled: Any, items: Any) -> float:
        true = np.stack([1e6 * one["x"][0, 1] for one, _ in items])
        found = np.stack([next(iter(compiled(one).values()))[0, 0] for one, _ in items])
        return 1 - float(np.abs(found - true).mean() / np.abs(true).mean())

    def measured(result: Any) -> float:
        return kept(ov.compile_model(result, "CPU"), [(one, None) for one in given])

    labels = np.zeros((16, 16), np.int64)
    without = quantised(model.clone(), given)
    bounded = quantised(model.clone(), given, [(one, labels) for one in given], kept, 0.01)
    assert measured(model) > 0.99
    assert measured(without) < 0.5
    assert measured(bounded) > 0.98


REFUSED = [
    (["--format", "onnx", "--precision", "bf16"], "--precision bf16: only for OpenVINO"),
    (["--format", "onnx", "--precision", "int8"], "give --data FOLDER --layout LAYOUT --split"),
    (["--format", "onnx", "--max-drop", "1"], "--max-drop: only for --precision int8"),
    (["--format", "onnx", "--thermal-size", "32x40"], "--thermal-size: the cameras are aligned"),
    (["--format", "onnx", "--thermal-type", "uint16"], "reads gray levels of 8 bits"),
    (["--format", "onnx", "--out", "m.xml"], "a file for onnx ends in .onnx"),
    (["--format", "onnx", "--data", "."], "say how the files lie, with --layout and --split"),
]


@pytest.mark.parametrize(("words", "reason"), REFUSED)
def test_orders_that_cannot_be_met(
    words: list[str],
    reason: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", "nano", *words]) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1
    assert reason in told[0]
    assert not list(tmp_path.iterdir())


def proof_of(agreement: float, car: tuple[float, float]) -> Proof:
    shares = {"car": car, "person": (1 - car[0], 1 - car[1])}
    return Proof("8 generated scenes", 8, agreement, 0.1, shares, None)


def test_a_file_that_answers_otherwise_is_none(tmp_path: Path) -> None:
    refuse_unlike(proof_of(0.9995, (0.5, 0.5)), "fp32")
    refuse_unlike(proof_of(0.95, (0.5, 0.5)), "int8")
    refuse_unlike(proof_of(1.0, (1.0, 1.0)), "int8")  # so does the model
    with pytest.raises(InputError, match=r"only 99.80% of the labels of 8 generated scenes"):
        refuse_unlike(proof_of(0.998, (0.5, 0.5)), "fp32")
    with pytest.raises(InputError, match="answers car everywhere, the model does not"):
        refuse_unlike(proof_of(0.5, (0.5, 1.0)), "int8")
    lower = proof_of(0.9, (0.5, 0.5))._replace(miou=(0.50, 0.49))
    refuse_unlike(lower, "int8", 1.5)
    with pytest.raises(InputError, match=r"--max-drop 0.5: the file loses 1.00 points of mIoU"):
        refuse_unlike(lower, "int8", 0.5)


def test_a_failed_proof_leaves_no_file(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("samantic.export.job.to_onnx", lambda *_: onnx.load(exported))
    monkeypatch.setattr("samantic.export.job.prove", lambda *_: proof_of(0.5, (0.5, 0.5)))
    for name, form in (("m.onnx", "onnx"), ("m.xml", "openvino")):
        with pytest.raises(InputError, match="nothing is written"):
            export(load("nano", "cpu"), Order(form, size=SIZE), tmp_path / name)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def spoilt(array: NDArray[Any], kind: str) -> NDArray[Any]:
    return array.astype(kind)


def test_pairs_that_a_file_does_not_take(exported: Path, tmp_path: Path) -> None:
    file = ExportedModel(exported)
    rgb, thermal = sized("uint8")
    with pytest.raises(InputError, match=r"rgb: 60x48 pixels, but nano.onnx takes 64x48; "):
        file.predict(rgb[:, :60], thermal[:, :60])
    with pytest.raises(InputError, match="deeper than 8 bits"):
        file.predict(rgb, spoilt(thermal, "uint16") + 300)
    with pytest.raises(InputError, match="no image was given"):
        file.predict()
    with pytest.raises(InputError, match="has its own thermal_scaling, tta; export it with"):
        samantic.load(str(exported), thermal_scaling="frame", tta="flip")
    (tmp_path / "torn.onnx").write_bytes(exported.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"torn.onnx: not readable"):
        samantic.load(tmp_path / "torn.onnx")
    other = onnx.load(exported)
    del other.metadata_props[:]
    onnx.save(other, tmp_path / "other.onnx")
    with pytest.raises(InputError, match="does not say what model it holds"):
        samantic.load(tmp_path / "other.onnx")
    with pytest.raises(InputError, match=r"gone.onnx: no such file"):
        samantic.load(tmp_path / "gone.onnx")


def test_the_file_says_what_it_holds(exported: Path) -> None:
    """For whoever has the file alone."""
    model = onnx.load(exported)
    made = json.loads({p.key: p.value for p in model.metadata_props}["samantic"])
    assert made["model"]["classes"][1] == "car"
    assert len(made["model"]["palette"]) == 9
    assert made["model"]["thermal_scaling"] == "8-bit"
    assert (made["size"], made["format"], made["precision"]) == ([48, 64], "onnx", "fp32")
    assert made["fingerprint"] == samantic.load("nano", device="cpu").fingerprint
    assert "MFNet" in made["licence"]
    assert made["torch"] == torch.__version__
    assert model.opset_import[0].version >= 18
