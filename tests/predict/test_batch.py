"""Pairs and tiles that go through the network together get the answers of one by one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

import samantic
from samantic.cli import main
from samantic.data.pairs import PairedFolder
from samantic.errors import InputError
from samantic.files import read_json
from samantic.measure.evaluation import evaluate_predictor
from samantic.predict.folders import find_files, predict_files
from samantic.predict.prediction import Prediction
from samantic.predict.predictor import Predictor
from samantic.scenes.write import write_scenes


@pytest.fixture(scope="module")
def model(trained: Path) -> Predictor:
    return samantic.load(trained, device="cpu")


@pytest.fixture
def batches(model: Predictor) -> Iterator[list[int]]:
    """How many pairs or tiles each pass of the network gets."""
    seen: list[int] = []

    def note(_: nn.Module, images: tuple[Any, ...]) -> None:
        seen.append(next(x.shape[0] for x in images if x is not None))

    hook = model.network.register_forward_pre_hook(note)
    yield seen
    hook.remove()


def pair(seed: int, height: int = 48, width: int = 64) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return (
        rng.integers(0, 256, (height, width, 3), np.uint8),
        rng.integers(0, 256, (height, width), np.uint8),
    )


def check_alike(found: Prediction | InputError, expected: Prediction) -> None:
    assert isinstance(found, Prediction)
    assert np.array_equal(found.labels, expected.labels)
    assert np.array_equal(found.background, expected.background)
    np.testing.assert_allclose(found.confidence, expected.confidence, atol=1e-5)


def test_pairs_of_one_size_and_cameras_go_together(model: Predictor, batches: list[int]) -> None:
    """In their order, whatever lies between them."""
    small = [pair(seed) for seed in range(5)]
    large = [pair(seed, 64, 96) for seed in range(2)]
    rgb_only = [(pair(seed)[0], None) for seed in range(7, 9)]
    pairs = [*small[:2], large[0], *small[2:4], rgb_only[0], large[1], small[4], rgb_only[1]]
    found = model.predict_batch(pairs, batch_size=len(pairs))
    assert batches == [5, 2, 2]
    for answer, images in zip(found, pairs, strict=True):
        check_alike(answer, model.predict(*images))
    batches.clear()
    assert len(model.predict_batch(small, batch_size=2)) == 5
    assert batches == [2, 2, 1]
    assert model.predict_batch([]) == []


def test_no_more_pairs_are_read_than_go_together(model: Predictor) -> None:
    read: list[int] = []

    def reading() -> Iterator[tuple[Any, Any]]:
        for seed in range(7):
            read.append(seed)
            yield pair(seed)

    answers = model.predict_each(reading(), batch_size=3)
    for done in range(7):
        next(answers)
        assert len(read) <= 3 * (done // 3 + 1)


@pytest.mark.parametrize("panorama", [False, True])
def test_tiles_go_together(trained: Path, panorama: bool) -> None:
    images = pair(3, 96, 256)
    model = samantic.load(trained, device="cpu", tile=64, panorama=panorama)
    expected = model.predict(*images, probabilities=True)
    seen: list[int] = []
    model.network.register_forward_pre_hook(lambda _, x: seen.append(x[0].shape[0]))
    model.batch_size = 4
    found = model.predict(*images, probabilities=True)
    check_alike(found, expected)
    assert max(seen) == 4
    assert found.probabilities is not None
    assert found.probabilities.shape == (9, 96, 256)
    np.testing.assert_allclose(found.probabilities.max(0), found.confidence, atol=1e-6)


def test_a_failure_loses_no_other_pair(model: Predictor) -> None:
    """Neither one that is not read, nor one that the network cannot answer."""
    bad = (np.full((48, 64, 3), 7, np.uint8), None)
    with pytest.raises(InputError, match=r"^pair 1: thermal: 64x40 pixels, but rgb has 64x48"):
        model.predict_batch([pair(0), (pair(0)[0], pair(0, 40)[1])], batch_size=2)
    pairs = [pair(0), InputError("no such file"), pair(1), bad, pair(2)]
    classify = model.classify

    def refuse_sevens(rgb: Any, thermal: Any, *words: Any, **options: Any) -> Any:
        if any(bool((image == 7 / 255).all()) for image in rgb):
            raise InputError("the model's answer is not finite")
        return classify(rgb, thermal, *words, **options)

    rgb, thermal = bad[0], pair(0)[1]
    pairs[3] = (rgb, thermal)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "classify", refuse_sevens)
        found = list(model.predict_each(pairs, batch_size=5))
    assert [str(x) for x in found if isinstance(x, InputError)] == [
        "no such file",
        "the model's answer is not finite",
    ]
    for place, seed in ((0, 0), (2, 1), (4, 2)):
        check_alike(found[place], model.predict(*pair(seed)))


@pytest.mark.parametrize("count", [0, -1])
def test_a_batch_has_a_pair(model: Predictor, count: int) -> None:
    with pytest.raises(InputError, match=f"batch_size is {count}; give 1 or more"):
        model.predict_batch([pair(0)], count)


def test_probabilities_are_kept_where_they_are_asked_for(model: Predictor) -> None:
    assert model.predict(*pair(0)).kept is None
    found = model.predict(*pair(0), probabilities=True)
    assert found.probabilities is not None
    assert found.probabilities.shape == (9, 48, 64)
    np.testing.assert_allclose(found.probabilities.sum(0), 1, atol=1e-5)
    assert np.array_equal(found.probabilities.argmax(0), found.labels)


def test_folders_are_predicted_in_batches(
    trained: Path, batches: list[int], model: Predictor, tmp_path: Path
) -> None:
    """With a broken pair among them; what is there is not made again."""
    own = tmp_path / "own"
    write_scenes(own, "pairs", {"train": range(6)}, seed=5, size=(50, 70))
    files = find_files(own / "rgb", own / "thermal", None)
    assert files[2].rgb is not None
    files[2].rgb.write_bytes(files[2].rgb.read_bytes()[:100])
    one, together = tmp_path / "one", tmp_path / "together"
    predict_files(model, files, one, batch_size=1)
    assert batches == [1] * 5
    batches.clear()
    summary = predict_files(model, files, together, batch_size=4)
    assert batches == [3, 2]
    assert list(summary["failed"]) == [files[2].name]
    assert read_json(one / "summary.json") == read_json(together / "summary.json")
    for kind in ("labels", "overlays"):
        for path in (one / kind).iterdir():
            assert path.read_bytes() == (together / kind / path.name).read_bytes()
    (together / "labels" / f"{files[4].name}.png").unlink()
    batches.clear()
    assert predict_files(model, files, together, batch_size=4) == summary
    assert batches == [1]
    words = ["predict", str(trained), "--rgb", str(own / "rgb"), "--thermal", str(own / "thermal")]
    assert main([*words, "--out", str(together)]) == 1  # the command knows the same folder


def test_an_evaluation_goes_in_batches(model: Predictor, mfnet: Path, batches: list[int]) -> None:
    data = PairedFolder(mfnet, "mfnet", "train")
    expected = evaluate_predictor(model, data, features=True)
    assert batches == [1] * 6
    batches.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "batch_size", 4)
        found = evaluate_predictor(model, data, features=True)
    assert batches == [4, 2]
    assert found.names == expected.names
    for name, counted in expected.counts.items():
        np.testing.assert_allclose(found.counts[name], counted, atol=1e-5)
