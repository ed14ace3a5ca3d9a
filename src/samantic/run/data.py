"""The pairs of a run for training, validation and testing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

from samantic.config.data import DataConfig
from samantic.data.camera import ALIGNED_8_BIT, Camera
from samantic.data.cards.catalog import dataset_spec
from samantic.data.folders import tell
from samantic.data.pairs import PairedFolder
from samantic.data.preflight import CONFIGURED, check_split
from samantic.data.splits import NoSplitError
from samantic.errors import InputError
from samantic.spelling import remedy


def open_splits(
    data: DataConfig, *, camera: Camera = ALIGNED_8_BIT, labelled: bool = True
) -> dict[str, PairedFolder]:
    """Open the splits for training, validation and testing, as far as they are configured.

    Args:
        data: Options of the data.
        camera: Camera to start from; options in `data` override its scaling, its polarity, and its
            rig if they name one.
        labelled: Whether the training pairs have labels.

    Raises:
        InputError: A split cannot be used; see `preflight.check_split`.
    """
    names = {"train": data.train, "val": data.val, "test": data.test}
    splits, missing = dict[str, PairedFolder](), dict[str, NoSplitError]()
    for key, name in names.items():
        if name is not None:
            try:
                splits[key] = _open_split(data, key, name, labelled or key != "train")
            except NoSplitError as error:
                missing[key] = error
    _refuse_missing(missing)
    tell(line for part in splits.values() for line in part.notes)
    tell(_shared(splits))
    wanted = data.thermal_scaling
    if wanted == "dataset":
        wanted = str(splits["train"].estimate_scaling())
    for part in splits.values():
        part.camera = camera.changed(wanted, data.rig, data.hot_is_dark)
        check_split(part, CONFIGURED)
    return splits


def _shared(splits: Mapping[str, PairedFolder]) -> Iterator[str]:
    """A line on each two splits that have pairs in common."""
    files = {key: {pair.rgb or pair.thermal for pair in part.files} for key, part in splits.items()}
    for one, other in combinations(splits, 2):
        both = [p for p in splits[other].files if (p.rgb or p.thermal) in files[one]]
        if both:
            what = f"pair, {both[0].name}" if len(both) == 1 else f"pairs, first {both[0].name}"
            names = " and ".join(f"data.{key} ({splits[key].split})" for key in (one, other))
            yield (
                f"{splits[one].root}: {names} share {len(both)} {what}: figures on them say little "
                "about new images"
            )


def _open_split(data: DataConfig, key: str, name: str, labelled: bool) -> PairedFolder:
    pairs = PairedFolder(data.root, dataset_spec(data), name, labelled=labelled)
    if key != "train":
        pairs.refuse_repeats()
    return pairs


def _refuse_missing(missing: dict[str, NoSplitError]) -> None:
    """Report all missing splits at once, and how to run without them.

    Raises:
        InputError: A split is missing.
    """
    if not missing:
        return
    cures = {
        "val": "set data.val null, or data.train 'train[:90%]' and data.val 'train[90%:]'",
        "test": "set data.test null",
    }
    lines = [
        f"{error}" + (f"; without a {key} split {cures[key]}" if key in cures else "")
        for key, error in missing.items()
    ]
    spare = {f"data.{key}": "null" for key in missing if key in cures}
    pasted = f"; as in {remedy(spare)}" if spare and "train" not in missing else ""
    raise InputError(f"{'; and '.join(lines)}{pasted}")
