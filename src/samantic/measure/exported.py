"""Measuring an exported file on a labelled split: by raw images, as it will be asked."""

from __future__ import annotations

from time import perf_counter

import torch

from samantic.data.pairs import PairedFolder, read_pair
from samantic.data.sensors import SENSORS
from samantic.errors import InputError
from samantic.measure.counting import Tally
from samantic.measure.evaluation import Evaluation
from samantic.measure.gallery import Frame, Gallery
from samantic.metrics import boundary_counts, calibration_counts, confusion_matrix, scores
from samantic.progress import progress
from samantic.runtime.exported import ExportedModel


def evaluate_exported(
    model: ExportedModel,
    dataset: PairedFolder,
    *,
    pictures: int = 12,
    extremes: int = 0,
    skip_bad: bool = False,
) -> Evaluation:
    """Predict every pair of a split and count; see `evaluation.evaluate_predictor`.

    Raises:
        InputError: The classes differ, a pair cannot be predicted and is not to be skipped, or none
            can.
    """
    classes, reads = model.info.classes, list(model.backend.inputs)
    dataset.check_reader("the file", reads, classes, "evaluate on data that it fits")
    start, seconds = perf_counter(), 0.0
    gallery, tally = Gallery(len(dataset), pictures, extremes), Tally(len(dataset))
    names, skipped = [], {}
    files = progress(dataset.files, "evaluate", dataset.noun)
    for index, pair in enumerate(files):
        try:
            sample, raw = dataset[index], read_pair(pair)
            began = perf_counter()
            found = next(model.predict_each([raw]))
            seconds += perf_counter() - began
            if isinstance(found, InputError):
                raise InputError(f"{pair.name}: {found}")
        except InputError as error:
            if not skip_bad:
                raise
            skipped[pair.name] = str(error)
            continue
        assert sample.labels is not None  # noqa: S101  # the split is labelled
        labels, confidence = (torch.from_numpy(x) for x in (found.labels, found.confidence))
        truth, labels = sample.labels, labels.long()
        matrix = confusion_matrix(labels, truth, len(classes))
        tally.add(
            {
                "matrix": matrix,
                "boundary": boundary_counts(labels, truth, len(classes)),
                "calibration": calibration_counts(confidence, labels, truth),
                "confidence": confidence.mean(),
            }
        )
        names.append(pair.name)
        pixels = {sensor: SENSORS[sensor].as_pixels(x) for sensor, x in sample.images.items()}
        miou = scores(matrix).miou_present
        ids, sure = truth.byte().numpy(), (255 * confidence).round().byte().numpy()
        frame = Frame(pair.name, pixels, ids, found.labels, miou, sure)
        gallery.add(index, frame)
    if not names:
        raise InputError(f"{dataset.root}: no pair of the split '{dataset.split}' can be read")
    return Evaluation(
        names,
        [dataset.subset(name) for name in names],
        tally.counts(),
        gallery.frames(),
        skipped,
        seconds,
        perf_counter() - start,
        (),
        model.panorama,
        model.info.eval_size,
        None,
        1.0,
    )
