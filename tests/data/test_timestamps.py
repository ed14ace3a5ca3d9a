"""Frames of cameras without a common trigger are paired by the times in their names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samantic.cli import main
from samantic.data.timestamps import (
    by_time,
    fitting_tolerance,
    parse_tolerance,
    partners_in_time,
    seconds_of,
)
from samantic.files import read_json


@pytest.mark.parametrize(
    ("stem", "seconds"),
    [
        ("1706702400", 1706702400),
        ("1706702400250", 1706702400.25),
        ("rgb_1706702400250000", 1706702400.25),
        ("1706702400250000000_left", 1706702400.25),
        ("12.345", 12.345),
        ("cam0_1706702400.250000", 1706702400.25),
        ("20240131T120000.250", 1706702400.25),
        ("2024-01-31_12-00-00-250", 1706702400.25),
        ("IMG_20240131_120000", 1706702400),
        ("frame_17", None),
        ("night", None),
        ("20241399120000", 20241399120.0),
    ],
)
def test_times_in_names(stem: str, seconds: float | None) -> None:
    assert seconds_of(stem) == (None if seconds is None else pytest.approx(seconds, abs=1e-4))


def test_pairs_are_the_nearest_of_all() -> None:
    """Against a search over all pairs, at random times."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        some, others = (np.sort(rng.uniform(0, 5, rng.integers(1, 30))) for _ in range(2))
        rgb, thermal = ({f"{t:.6f}": Path(f"{t:.6f}.png") for t in part} for part in (some, others))
        expected = []
        for a in rgb:
            b = min(thermal, key=lambda name: abs(float(name) - float(a)))
            nearest = min(rgb, key=lambda name: abs(float(name) - float(b)))
            if nearest == a and abs(float(a) - float(b)) <= 0.2:
                expected.append((a, b))
        if expected:
            assert [(a, path.stem) for a, _, path in by_time(rgb, thermal, 0.2)] == expected


@pytest.mark.parametrize(
    ("text", "seconds"), [("0.05", 0.05), ("50ms", 0.05), ("2 s", 2), ("0", 0)]
)
def test_tolerances(text: str, seconds: float) -> None:
    assert parse_tolerance(text) == pytest.approx(seconds)


def test_the_tolerance_that_fits_is_the_least_that_pairs_all() -> None:
    """At random offsets below half of the interval; none where times are unrelated, or missing."""
    rng = np.random.default_rng(1)
    for _ in range(20):
        times = 1700000000 + 0.1 * np.arange(rng.integers(2, 30))
        apart = rng.uniform(-0.04, 0.04, len(times))
        rgb, thermal = (
            {f"{t:.6f}": Path(f"{t:.6f}.png") for t in part} for part in (times, times + apart)
        )
        found = fitting_tolerance(rgb, thermal)
        assert found is not None
        count, text = found
        assert count == len(times)
        assert len(partners_in_time(rgb, thermal, parse_tolerance(text))) == len(times)
        assert parse_tolerance(text) <= max(np.abs(apart).max() + 1.01e-3, 1e-3)
    own, exact = (
        {str(i): Path(f"{1706702400 + 0.5 * i + more:.3f}.png") for i in range(20)}
        for more in (0, 0.012)  # as floats some differ by more than 12 ms
    )
    assert fitting_tolerance(own, exact) == (20, "12ms")
    assert len(partners_in_time(own, exact, 0.012)) == 20
    late = {name: Path(f"{float(name) + 1000:.6f}.png") for name in rgb}
    assert fitting_tolerance(rgb, late) is None
    assert fitting_tolerance(rgb, {"night": Path("night.png")}) is None
    clock = {name: Path(f"{time:.1f}.png") for name, time in (("a", 0.0), ("b", 0.5))}
    assert fitting_tolerance(clock, clock) == (2, "1ms")  # a clock that starts at 0


@pytest.fixture
def recording(tmp_path: Path) -> list[str]:
    rgb = ["1706702400000", "1706702400100", "1706702400200", "1706702400300"]
    thermal = ["1706702400012", "1706702400130", "1706702400290"]
    for kind, names, shape in (("rgb", rgb, (40, 48, 3)), ("thermal", thermal, (40, 48))):
        (tmp_path / kind).mkdir()
        for name in names:
            Image.fromarray(np.zeros(shape, np.uint8)).save(tmp_path / kind / f"{name}.png")
    return [f"--{kind}={tmp_path / kind}" for kind in ("rgb", "thermal")]


def test_predict_pairs_by_time(
    trained: Path, recording: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", str(trained), *recording, "--out", str(tmp_path / "out")]
    assert main(words) == 2
    told = capsys.readouterr().err
    assert "names hold times, and 3 pairs lie at most 30ms apart; pair them by `samantic" in told
    assert told.strip().endswith("--tolerance 30ms`")
    assert len(told) < 1000
    assert main([*words, "--tolerance", "15ms"]) == 0
    told = capsys.readouterr().err
    assert "2 have no partner within 0.015 s: 1706702400100.png, 1706702400200.png" in told
    assert "1706702400130.png has no partner within 0.015 s" in told
    frames = read_json(tmp_path / "out" / "summary.json")["frames"]
    assert list(frames) == ["1706702400000", "1706702400300"]


def test_a_data_set_of_times_is_led_to_pairs(
    recording: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["check", "--data", str(tmp_path), "--layout", "pairs", "--out", str(tmp_path / "c")]
    assert main(words) == 2
    told = capsys.readouterr().out
    assert "3 pairs lie at most 30ms apart; `samantic convert LABELS --images RGB" in told
    assert "are missing" not in told


def test_bad_times_are_told(
    trained: Path, recording: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", str(trained), *recording, "--out", str(tmp_path / "out")]
    assert main([*words, "--tolerance", "1ms"]) == 2
    assert "within 0.001 s; the closest are 0.01" in capsys.readouterr().err
    Image.fromarray(np.zeros((40, 48), np.uint8)).save(tmp_path / "thermal" / "frame_7.png")
    assert main([*words, "--tolerance", "1"]) == 2
    assert "frame_7.png: no time in its name" in capsys.readouterr().err
    with pytest.raises(SystemExit) as done:
        main([*words, "--tolerance", "soon"])
    assert done.value.code == 2
    assert "'soon' is no time; give seconds as 0.05, or 50ms" in capsys.readouterr().err
