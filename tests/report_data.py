"""A small evaluation made by hand, and the pages written from it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from samantic.config import AdaptConfig, SartmConfig
from samantic.data.camera import ALIGNED_8_BIT
from samantic.data.samples import Files
from samantic.measure.gallery import Frame
from samantic.metrics import confusion_matrix, scores, to_json
from samantic.predict.info import ModelInfo
from samantic.report.pages import Section, write_page, write_sections
from samantic.report.pictures import side_by_side
from samantic.report.predictions import write_predictions
from samantic.report.run_page import write_report

CLASSES = ("background", "<b>car</b>", "person & dog", "bump")
INFO = ModelInfo(
    SartmConfig("random-micro"),
    AdaptConfig("full"),
    CLASSES,
    ((0, 0, 0), (64, 0, 128), (192, 160, 0), (255, 255, 255)),
    'MFNet "own"',
    confidence=(0.55, 0.65),
)


def frame(name: str, label: int, wrong: bool) -> Frame:
    """A patch of one class on background, the top row ignored; a wrong one is not seen."""
    rng = np.random.default_rng(label)
    rgb = rng.integers(0, 256, (48, 64, 3), np.uint8)
    truth = np.zeros((48, 64), np.uint8)
    truth[20:30, 20:40] = label
    truth[0] = 255
    prediction = np.where(truth == label, 0 if wrong else label, 0).astype(np.uint8)
    confidence = np.full((48, 64), 200, np.uint8)
    images = {"rgb": rgb, "thermal": rgb[..., 0]}
    return Frame(name, images, truth, prediction, 0.4 if wrong else 0.9, confidence)


FRAMES = [
    frame("b<2>D", 1, wrong=False),
    frame("a1D", 1, wrong=True),
    frame("c3N", 2, wrong=False),
]


class Measured(NamedTuple):
    """What the report reads of an `Evaluation`."""

    names: list[str]
    subsets: list[str | None]
    frames: list[Frame]
    matrices: torch.Tensor

    @property
    def matrix(self) -> torch.Tensor:
        return self.matrices.sum(0)

    def confidence(self) -> dict[str, float]:
        return {frame.name: 0.5 + 0.1 * place for place, frame in enumerate(self.frames)}


def evaluation_of(frames: list[Frame]) -> Any:
    """The frames as they are measured; names that end in N are by night."""
    pairs = [
        [torch.from_numpy(part.astype(int)) for part in (f.prediction, f.truth)] for f in frames
    ]
    matrices = torch.stack([confusion_matrix(*pair, len(CLASSES)) for pair in pairs])
    subsets: list[str | None] = ["night" if f.name.endswith("N") else "day" for f in frames]
    return Measured([f.name for f in frames], subsets, list(frames), matrices)


def metrics_of(evaluation: Measured, **changes: Any) -> dict[str, Any]:
    """Content of metrics.json; intervals and what needs images are made up."""
    result: dict[str, Any] = to_json(scores(evaluation.matrix), CLASSES)
    interval = [result["miou"] - 0.02, result["miou"] + 0.03]
    parts = {}
    for name in ("day", "night"):
        chosen = torch.tensor([subset == name for subset in evaluation.subsets])
        part = to_json(scores(evaluation.matrices[chosen].sum(0)), CLASSES)
        parts[name] = part | {"frames": int(chosen.sum()), "miou_interval": interval}
    seen = {name: value for name, value in result["iou"].items() if value is not None}
    return {
        "split": "test",
        "panorama": False,
        "frames": len(evaluation.names),
        "skipped": {},
        **result,
        "miou_interval": interval,
        "boundary_iou": 0.345,
        "ece": 0.0123,
        "iou_interval": dict.fromkeys(CLASSES) | {name: [v / 2, v] for name, v in seen.items()},
        "boundary": dict.fromkeys(CLASSES) | {name: v / 3 for name, v in seen.items()},
        "protocols": [
            {"name": "all classes", "users": "MFNet", "miou": 0.5, "interval": [0.4, 0.6]},
            {
                "name": "without <background>",
                "users": "x & y",
                "miou": 0.25,
                "interval": [0.2, 0.3],
            },
        ],
        "per_subset": parts,
        "robustness": None,
        "robustness_summary": None,
        "text_alignment": None,
        "seed": 0,
        "git": None,
        "versions": {"samantic": "1.2.3"},
    } | changes


def disturbed(miou: float) -> dict[str, Any]:
    """What is measured under a disturbance."""
    return {"miou": miou, "miou_interval": [miou - 0.05, miou + 0.05], "iou": {}}


ROBUSTNESS = {
    "robustness": {
        "rgb missing": None,
        "thermal missing": disturbed(0.31),
        "noise high": disturbed(0.22),
        "misaligned 2 px": disturbed(0.45),
        "misaligned 16 px": disturbed(0.35),
    },
    "robustness_summary": {
        "missing": 0.31, "noise": 0.22, "misalignment": 0.4, "expected": {"0.05": 0.444},
    },
}  # fmt: skip

PUBLISHED = Section(
    "Beside the published",
    "From the papers.",
    ["method", "car", "mIoU"],
    [["<i>CMX</i>", "90.1", "59.7"]],
    [],
    [],
)


def write_pages(folder: Path) -> None:
    """report.html with all that it can show, demo.html of two networks, tables.html and so on."""
    evaluation = evaluation_of(FRAMES)
    metrics = metrics_of(evaluation, **ROBUSTNESS, skipped={"d4D": "no thermal"})
    (folder / "config.yaml").write_text("out: '<here>'\n")
    history = [{"step": s, "train/loss": 1 / s, "val/miou": s / 9} for s in (1.0, 2.0)]
    similarity = {"text": np.eye(4), "step_1": np.eye(4)}
    write_report(folder, INFO, metrics, evaluation, history, similarity, [PUBLISHED])
    panels = side_by_side({"fused": FRAMES, "thermal": FRAMES}, INFO)
    write_page(
        folder / "demo.html",
        columns={"fused": metrics, "fused, night": metrics["per_subset"]["night"]},
        info=INFO,
        title="Together",
        lead="Both.",
        panels=panels,
        figures=[],
        facts={"base": None},
    )
    told = [
        Section(f"{kind}s", "", [], [[f"a <b> {kind}"]], [], [], kind)
        for kind in ("error", "warning")
    ]
    alignment = [panel._replace(compare=True) for panel in panels]
    shown = Section("Alignment", "", [], [], [], alignment)
    write_sections(folder / "tables.html", "Tables", ["`a`"], [PUBLISHED, *told, shown])
    write_predicted(folder)


def write_predicted(folder: Path) -> None:
    """predictions/report.html of two pairs, and of one that could not be read."""
    out, pairs = folder / "predictions", []
    (out / "labels").mkdir(parents=True)
    for frame in FRAMES[:2]:
        files = Files(
            frame.name,
            {"rgb": folder / f"{frame.name}-rgb.png", "thermal": folder / f"{frame.name}-t.png"},
        )
        for sensor, path in files.images.items():
            Image.fromarray(frame.images[sensor]).save(path)
        Image.fromarray(frame.prediction).save(out / "labels" / f"{frame.name}.png")
        pairs.append(files)
    summary = {
        "model": "0123",
        "frames": {
            p.name: {"shares": dict.fromkeys(CLASSES, 0.1), "confidence": 0.5} for p in pairs
        },
        "failed": {"x <y>": "not a readable image"},
    }
    predictor: Any = SimpleNamespace(info=INFO, camera=ALIGNED_8_BIT)
    broken = Files("x <y>", {"rgb": folder / "x.png"})
    write_predictions(out, "nano", predictor, [*pairs, broken], summary)
