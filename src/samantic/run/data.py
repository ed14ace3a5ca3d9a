"""The pairs that a run learns from, is selected by and is reported on."""

from __future__ import annotations

from samantic.config.train import DataConfig
from samantic.data.camera import ALIGNED_8_BIT, Camera
from samantic.data.cards.catalog import dataset_spec
from samantic.data.folders import tell
from samantic.data.pairs import PairedFolder
from samantic.data.preflight import CONFIGURED, check_split
from samantic.data.splits import NoSplitError
from samantic.errors import InputError


def open_splits(
    data: DataConfig, *, camera: Camera = ALIGNED_8_BIT, labelled: bool = True
) -> dict[str, PairedFolder]:
    """The pairs to learn from, to select by and to report on, as far as there are such splits.

    Args:
        data: Where they are.
        camera: What `data` changes in it is changed.
        labelled: Whether the pairs to learn from have labels.

    Raises:
        InputError: A split cannot be used; see `preflight.check_split`.
    """
    names = {"train": data.train, "val": data.val, "test": data.test}
    splits = {
        key: _open_split(data, key, name, labelled or key != "train")
        for key, name in names.items()
        if name is not None
    }
    tell(line for part in splits.values() for line in part.notes)
    wanted = data.thermal_scaling
    if wanted == "dataset":
        wanted = str(splits["train"].estimate_scaling())
    for part in splits.values():
        part.camera = camera.changed(wanted, data.rig)
        check_split(part, CONFIGURED)
    return splits


def _open_split(data: DataConfig, key: str, name: str, labelled: bool) -> PairedFolder:
    """The pairs of a split; where there is none, the error says how to do without."""
    try:
        pairs = PairedFolder(data.root, dataset_spec(data), name, labelled=labelled)
        if key != "train":
            pairs.refuse_repeats()
        return pairs
    except NoSplitError as error:
        cures = {
            "val": "set data.val null, or data.train 'train[:90%]' and data.val 'train[90%:]'",
            "test": "set data.test null",
        }
        if key not in cures:
            raise
        raise InputError(f"{error}; without a {key} split {cures[key]}") from None
