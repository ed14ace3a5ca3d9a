"""Data cards of RGB-thermal pairs."""

from __future__ import annotations

from samantic.data.cards.card import DatasetSpec
from samantic.metrics.protocols import PRESENT_CLASSES, Protocol

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
    protocols=(
        Protocol("9 classes, an absent one counts 0", "RTFNet and most since, SARTM"),
        PRESENT_CLASSES,
    ),
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
    protocols=(Protocol("5 classes with background", "PST900 and all since"),),
)

LABELLED = tuple(range(1, 15))
"""FMB's classes without unlabelled."""

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
    # its test split has no bicycle (github.com/JinyuanLiu-CV/SegMiF/issues/28), which is why means
    # over 13, 14 and 15 classes all stand in papers
    protocols=(
        Protocol(
            "13 classes that occur",
            "RoadFormer+, which ignores unlabelled pixels",
            classes=LABELLED,
            ignored=(0,),
            absent="left out",
        ),
        Protocol(
            "14 classes, bicycle counts 0",
            "whoever sets the NaN of an absent class to 0",
            classes=LABELLED,
            ignored=(0,),
        ),
        Protocol("15 classes with unlabelled", "networks that learn unlabelled as a class"),
    ),
)

MSRS = DatasetSpec(
    title="MSRS",
    classes=MFNET.classes,
    palette=MFNET.palette,
    images="",
    rgb="{split}/vi",
    thermal="{split}/ir",
    labels="{split}/Segmentation_labels",
    subsets=MFNET.subsets,
    paper="Tang et al., PIAFusion: A progressive infrared and visible image fusion network based "
    "on illumination aware, Information Fusion 2022",
    source="https://github.com/Linfeng-Tang/MSRS",
    terms="research data made from MFNet's, no licence stated",
)

CART = DatasetSpec(
    title="CART (Caltech Aerial RGB-Thermal)",
    classes=(
        "bare ground",
        "rocky terrain",
        "human-made structures",
        "road",
        "shrubs",
        "trees",
        "sky",
        "water",
        "vehicles",
        "person",
    ),
    palette=(
        (242, 216, 196),
        (89, 70, 54),
        (166, 166, 166),
        (82, 89, 90),
        (155, 230, 0),
        (0, 138, 53),
        (0, 216, 245),
        (13, 127, 252),
        (255, 249, 0),
        (254, 0, 170),
    ),
    images="",
    rgb="color/*_eo-*.jpg",
    thermal="thermal16/*_thermal-*.tiff",
    labels="annotations/*_mask-*.png",
    subsets={},
    paper="Lee et al., CART: Caltech Aerial RGB-Thermal Dataset in the Wild, ECCV 2024, arXiv "
    "2403.08997",
    source="https://github.com/aerorobotics/caltech-aerial-rgbt-dataset",
    terms="CC BY-SA 4.0, non-commercial",
    listing="rgb_{split}.txt",
    bits=16,
    ids=tuple(range(2, 12)),
    ignored=(0, 1),
)

PAIRS = DatasetSpec(
    title="own pairs",
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
    projection=None,
)
