"""Whether images resemble a model's training data, judged by its confidence.

On unfamiliar images a model is usually less confident; on an empty image it may be more confident.
This is a hint and no proof: many unfamiliar images leave the confidence unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

ALLOWED = 0.1
"""Largest share of frames outside the range without a warning."""


def unlike(confidence: Mapping[str, float], seen: tuple[float, float] | None) -> list[str]:
    """Names of the frames whose mean confidence lies outside the range that the model stores.

    Args:
        confidence: Mean confidence of each frame, by name.
        seen: `ModelInfo.confidence`; with None (models of older versions) the result is empty.
    """
    if seen is None:
        return []
    low, high = seen
    return [name for name, value in confidence.items() if not low <= value <= high]


def warning(
    confidence: Mapping[str, float], seen: tuple[float, float] | None, names: Sequence[str]
) -> str | None:
    """A sentence on frames that differ from the training data; None where they are few.

    Args:
        confidence: Mean confidence of each frame, by name.
        seen: `ModelInfo.confidence`.
        names: Result of `unlike`.
    """
    if seen is None or len(names) <= ALLOWED * len(confidence):
        return None
    values, trained = [confidence[name] for name in names], f"{seen[0]:.3f} to {seen[1]:.3f}"
    if len(confidence) == 1:
        return (
            "this frame may be unlike those that the model learnt from: mean confidence "
            f"{values[0]:.3f}, in training {trained}; look at it before you rely on its labels"
        )
    return (
        f"{len(names)} of {len(confidence)} frames may be unlike those that the model learnt from: "
        f"mean confidence {min(values):.3f} to {max(values):.3f}, in training {trained}; look at "
        "their pictures before you rely on their labels"
    )
