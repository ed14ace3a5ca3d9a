"""Measuring an exported file on a labelled split, from raw images as in use."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

import torch

from samantic.data.pairs import PairedFolder
from samantic.data.samples import Sample
from samantic.errors import InputError
from samantic.measure.counting import Counted, frame_counts, truth_of
from samantic.measure.evaluation import Evaluation, collect
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
        InputError: The classes differ, a pair cannot be predicted and must not be skipped, or no
            pair can be predicted.
    """
    classes, reads = model.info.classes, list(model.backend.inputs)
    dataset.check_reader("the file", reads, classes, "evaluate on data that it fits")
    start, seconds = perf_counter(), 0.0

    def answers() -> Iterator[tuple[Sample, Counted] | InputError]:
        nonlocal seconds
        for index, files in enumerate(progress(dataset.files, "evaluate", dataset.noun)):
            try:
                sample, raw = dataset.with_raw(index)
            except InputError as error:
                yield error
                continue
            began = perf_counter()
            found = next(model.predict_each([raw]))
            seconds += perf_counter() - began
            if isinstance(found, InputError):
                yield InputError(f"{files.name}: {found}")
                continue
            labels = torch.from_numpy(found.labels).long()
            confidence = torch.from_numpy(found.confidence)
            counts = frame_counts(labels, confidence, truth_of(sample), len(classes))
            yield sample, Counted(labels, confidence, counts)

    kept = collect(dataset, answers(), pictures=pictures, extremes=extremes, skip_bad=skip_bad)
    return Evaluation(
        *kept,
        seconds,
        perf_counter() - start,
        (),
        model.panorama,
        model.info.eval_size,
        None,
        1.0,
    )
