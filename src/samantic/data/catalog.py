"""Data cards: what a data set is, as constants. A new data set is a new constant."""

from __future__ import annotations

from dataclasses import dataclass

from samantic.config import Layout


@dataclass(frozen=True)
class DatasetSpec:
    """A data set, or a way of laying out files.

    Attributes:
        title: Its name in prose.
        classes: Class names by label id; empty where the user gives them.
        palette: RGB colour of each class, 0..255.
        images: Folder of 4-channel images (RGB + thermal), or "" where the modalities are apart.
            "{split}" in a folder stands for the name of the split.
        rgb: Folder of RGB images, or "".
        thermal: Folder of thermal images, or "".
        labels: Folder of label PNGs.
        subsets: File-name endings that name a subset, e.g. {"D": "day"}.
        paper: Reference.
        source: Where its owners publish it.
        terms: Licence or terms of use.
    """

    title: str
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    images: str
    rgb: str
    thermal: str
    labels: str
    subsets: dict[str, str]
    paper: str
    source: str
    terms: str


MFNET = DatasetSpec(
    title="MFNet",
    classes=(
        "unlabelled",
        "car",
        "person",
        "bike",
        "curve",
        "car stop",
        "guardrail",
        "color cone",
        "bump",
    ),
    palette=(
        (0, 0, 0),
        (64, 0, 128),
        (64, 64, 0),
        (0, 128, 192),
        (0, 0, 192),
        (128, 128, 0),
        (64, 64, 128),
        (192, 128, 128),
        (192, 64, 0),
    ),
    images="images",
    rgb="",
    thermal="",
    labels="labels",
    subsets={"D": "day", "N": "night"},
    paper="Ha et al., MFNet: Towards Real-Time Semantic Segmentation for Autonomous Vehicles with "
    "Multi-Spectral Scenes, IROS 2017",
    source="https://www.mi.t.u-tokyo.ac.jp/static/projects/mil_multispectral/",
    terms="research data, no licence stated",
)

PST900 = DatasetSpec(
    title="PST900",
    classes=("background", "fire extinguisher", "backpack", "hand drill", "survivor"),
    palette=((0, 0, 0), (220, 40, 40), (40, 90, 220), (240, 170, 30), (70, 190, 90)),
    images="",
    rgb="{split}/rgb",
    thermal="{split}/thermal",
    labels="{split}/labels",
    subsets={},
    paper="Shivakumar et al., PST900: RGB-Thermal Calibration, Dataset and Segmentation Network, "
    "ICRA 2020, arXiv 1909.10980",
    source="https://github.com/ShreyasSkandanS/pst900_thermal_rgb",
    terms="GPL-3.0",
)

FMB = DatasetSpec(
    title="FMB",
    classes=(
        "unlabelled",
        "road",
        "sidewalk",
        "building",
        "traffic lamp",
        "traffic sign",
        "vegetation",
        "sky",
        "person",
        "car",
        "truck",
        "bus",
        "motorcycle",
        "bicycle",
        "pole",
    ),
    palette=(
        (0, 0, 0),
        (128, 64, 128),
        (244, 35, 232),
        (70, 70, 70),
        (250, 170, 30),
        (220, 220, 0),
        (107, 142, 35),
        (70, 130, 180),
        (220, 20, 60),
        (0, 0, 142),
        (0, 0, 70),
        (0, 60, 100),
        (0, 0, 230),
        (119, 11, 32),
        (153, 153, 153),
    ),
    images="",
    rgb="{split}/Visible",
    thermal="{split}/Infrared",
    labels="{split}/Label",
    subsets={},
    paper="Liu et al., Multi-interactive Feature Learning and a Full-time Multi-modality Benchmark "
    "for Image Fusion and Segmentation, ICCV 2023, arXiv 2308.02097",
    source="https://github.com/JinyuanLiu-CV/SegMiF",
    terms="research data, no licence stated",
)

PAIRS = DatasetSpec(
    title="Your own pairs",
    classes=(),
    palette=(),
    images="",
    rgb="rgb",
    thermal="thermal",
    labels="labels",
    subsets={},
    paper="",
    source="",
    terms="yours",
)

CATALOG: dict[Layout, DatasetSpec] = {
    "mfnet": MFNET,
    "pst900": PST900,
    "fmb": FMB,
    "pairs": PAIRS,
}
"""Every layout by the name that `data.layout` and `--layout` take."""


def palette(num_classes: int) -> tuple[tuple[int, int, int], ...]:
    """Distinct colours for classes that come without any: class 0 black, then PASCAL VOC's.

    The bits of the class id are dealt to the high bits of red, green and blue in turn.
    """
    colours = []
    for label in range(num_classes):
        red = green = blue = 0
        for place in range(8):
            red |= (label >> (3 * place) & 1) << (7 - place)
            green |= (label >> (3 * place + 1) & 1) << (7 - place)
            blue |= (label >> (3 * place + 2) & 1) << (7 - place)
        colours.append((red, green, blue))
    return tuple(colours)
