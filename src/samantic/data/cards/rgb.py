"""Data cards of RGB images: streets by a pinhole camera and by panoramas, and rooms."""

from __future__ import annotations

from samantic.data.cards.card import DatasetSpec
from samantic.metrics.protocols import PRESENT_CLASSES, Protocol

CITYSCAPES = DatasetSpec(
    title="Cityscapes",
    classes=(
        "road",
        "sidewalk",
        "building",
        "wall",
        "fence",
        "pole",
        "traffic light",
        "traffic sign",
        "vegetation",
        "terrain",
        "sky",
        "person",
        "rider",
        "car",
        "truck",
        "bus",
        "train",
        "motorcycle",
        "bicycle",
    ),
    palette=(
        (128, 64, 128),
        (244, 35, 232),
        (70, 70, 70),
        (102, 102, 156),
        (190, 153, 153),
        (153, 153, 153),
        (250, 170, 30),
        (220, 220, 0),
        (107, 142, 35),
        (152, 251, 152),
        (70, 130, 180),
        (220, 20, 60),
        (255, 0, 0),
        (0, 0, 142),
        (0, 0, 70),
        (0, 60, 100),
        (0, 80, 100),
        (0, 0, 230),
        (119, 11, 32),
    ),
    images="",
    rgb="leftImg8bit/{split}/*/*_leftImg8bit.png",
    thermal="",
    labels="gtFine/{split}/*/*_gtFine_labelIds.png",
    subsets={},
    paper="Cordts et al., The Cityscapes Dataset for Semantic Urban Scene Understanding, CVPR "
    "2016, arXiv 1604.01685",
    source="https://www.cityscapes-dataset.com",
    terms="registration, non-commercial",
    # its labels.py: 34 ids, of which 19 are trained
    ids=(7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33),
    ignored=(0, 1, 2, 3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 29, 30),
    protocols=(Protocol("19 classes", "Cityscapes and all since"), PRESENT_CLASSES),
)

# Folders and file names follow the lists and loaders of github.com/jamycheung/Trans4PASS:
# val/cs/100_.png with val/cs/100_labelTrainIds.png, and unlabelled train/Amsterdam/1.png.
DENSEPASS = DatasetSpec(
    title="DensePASS",
    classes=CITYSCAPES.classes,
    palette=CITYSCAPES.palette,
    images="",
    rgb="leftImg8bit/{split}/*/*.png",
    thermal="",
    labels="gtFine/{split}/*/*labelTrainIds.png",
    projection="equirectangular",
    subsets={},
    paper="Ma et al., DensePASS: Dense Panoramic Semantic Segmentation via Unsupervised Domain "
    "Adaptation with Attention-Augmented Context Exchange, ITSC 2021, arXiv 2108.06383",
    source="https://github.com/chma1024/DensePASS",
    terms="research data, no licence stated",
    # papers with 13 classes merge rider into person and the other vehicles into car, and
    # leave out train; their figures cannot be compared with those of this task
    protocols=(Protocol("19 classes", "DensePASS, Trans4PASS"), PRESENT_CLASSES),
)

# Folders, ids and ignored ids follow segment/eval_color_fusion.py and fusion_metrics.py of
# github.com/elnino9ykl/WildPASS. That code needs equal names and endings in both folders, so they
# are assumed here too. The card has not been tried on the files themselves.
WILDPASS = DatasetSpec(
    title="WildPASS",
    classes=("car", "truck", "bus", "road", "sidewalk", "person", "curb", "crosswalk"),
    palette=(
        (0, 0, 142),
        (0, 0, 70),
        (0, 60, 100),
        (128, 64, 128),
        (244, 35, 232),
        (220, 20, 60),
        (196, 196, 196),
        (140, 140, 200),
    ),
    images="",
    rgb="leftImg8bit/{split}/*/*.*",
    thermal="",
    labels="gtFine/{split}/*/*.*",
    projection="equirectangular",
    subsets={},
    paper="Yang et al., Is Context-Aware CNN Ready for the Surroundings? Panoramic Semantic "
    "Segmentation in the Wild, IEEE TIP 2021",
    source="https://github.com/elnino9ykl/WildPASS",
    terms="see the licence in its repository",
    ids=(4, 5, 8, 11, 12, 17, 13, 24),
    ignored=(0, 1, 2, 3, 6, 7, 9, 10, 14, 15, 16, 18, 19, 20, 21, 22, 23, 25),
    protocols=(Protocol("8 classes", "WildPASS, ECANet"), PRESENT_CLASSES),
)

# Folders follow the lists of Trans4PASS, labels its loader.
STANFORD2D3D = DatasetSpec(
    title="Stanford2D3D",
    classes=(
        "beam",
        "board",
        "bookcase",
        "ceiling",
        "chair",
        "clutter",
        "column",
        "door",
        "floor",
        "sofa",
        "table",
        "wall",
        "window",
    ),
    palette=(
        (241, 255, 82),
        (102, 168, 226),
        (0, 255, 0),
        (240, 240, 240),
        (255, 160, 60),
        (120, 120, 120),
        (120, 60, 160),
        (160, 100, 50),
        (90, 150, 150),
        (210, 60, 120),
        (200, 30, 30),
        (190, 200, 160),
        (60, 90, 230),
    ),
    images="",
    rgb="{split}/pano/rgb/*_rgb.png",
    thermal="",
    labels="{split}/pano/semantic/*_semantic.png",
    projection="equirectangular",
    subsets={},
    paper="Armeni et al., Joint 2D-3D-Semantic Data for Indoor Scene Understanding, 2017, arXiv "
    "1702.01105",
    source="http://buildingparser.stanford.edu/dataset.html",
    terms="on request, non-commercial",
    objects="assets/semantic_labels.json",
    parts={  # fold 1
        "train": ("area_1", "area_2", "area_3", "area_4", "area_6"),
        "val": ("area_5a", "area_5b"),
    },
    protocols=(Protocol("13 classes", "Stanford2D3D, Trans4PASS"), PRESENT_CLASSES),
)
