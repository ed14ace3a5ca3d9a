"""Videos and folders of frames through the real command: paired by time, faults listed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import samantic
from samantic.cli import main
from samantic.data.timestamps import by_time
from samantic.data.video import Frame, Video, VideoWriter
from samantic.errors import InputError
from samantic.files import read_json
from samantic.predict.recording import Recording, meet
from samantic.scenes import draw_scene
from tests.radiometric import flir

SIZE = (48, 64)


@pytest.fixture(scope="module")
def world() -> Any:
    return draw_scene(4, 0, (64, 128))


def view(world: Any, name: str, seconds: float) -> NDArray[Any]:
    """What a camera that moves to the right sees at a time."""
    x = round(30 * seconds)
    image: NDArray[Any] = getattr(world, name)[8 : 8 + SIZE[0], x : x + SIZE[1]]
    return np.ascontiguousarray(image)


def write(
    path: Path, frames: list[tuple[float, NDArray[Any]]], form: str, codec: str = "ffv1"
) -> Path:
    """Frames with their times, through PyAV alone."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.height, stream.width = frames[0][1].shape[:2]
        stream.pix_fmt = {"rgb24": "bgr0" if codec == "ffv1" else "yuv420p"}.get(form, form)
        stream.codec_context.time_base = Fraction(1, 1000)
        for seconds, pixels in frames:
            frame = av.VideoFrame.from_ndarray(pixels, format=form)
            frame.pts, frame.time_base = round(1000 * seconds), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def videos(world: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A second of RGB at 20 and of thermal at 10 frames a second, of which two are lost."""
    folder = tmp_path_factory.mktemp("videos")
    rgb = [(i / 20, view(world, "rgb", i / 20)) for i in range(20)]
    thermal = [(i / 10, view(world, "thermal", i / 10)) for i in range(10) if i not in (4, 5)]
    return (
        write(folder / "a.mkv", rgb, "rgb24"),
        write(folder / "b.mkv", thermal, "gray"),
    )


def predict(rgb: Path, thermal: Path, out: Path, *words: str, model: str = "nano") -> int:
    data = ["--rgb", str(rgb), "--thermal", str(thermal), "--device", "cpu"]
    return main(["predict", model, *data, "--out", str(out), *words])


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "frames.jsonl").read_text().splitlines()]


def frames_of(path: Path) -> list[tuple[float, NDArray[Any]]]:
    with av.open(str(path)) as container:
        return [
            (float(frame.time or 0), frame.to_ndarray(format="gray"))
            for frame in container.decode(video=0)
        ]


def test_a_pair_of_videos(
    videos: tuple[Path, Path], world: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict(*videos, tmp_path, "--save", "overlay,labels,confidence,contours") == 0
    told = capsys.readouterr()
    assert "10 frames of 1.0 s in " in told.out
    assert "x real time): labels, overlays, confidence, contours and summary.json" in told.out
    assert "thermal: 2 frames dropped: 4-5" in told.err
    assert "rgb: 10 of 20 frames have no partner in time" in told.err
    summary = read_json(tmp_path / "summary.json")
    assert summary["count"] == 10
    assert summary["states"]["thermal"] == {"ok": 8, "dropped": 2}
    assert summary["runs"]["thermal"] == {"dropped": [[4, 5, 0.4]]}
    assert summary["apart"] < 1 / 20
    model = samantic.load("nano", device="cpu")
    labels = frames_of(tmp_path / "labels.mkv")
    for i, (line, (seconds, found)) in enumerate(zip(lines(tmp_path), labels, strict=True)):
        assert seconds == pytest.approx(i / 10, abs=0.002)
        thermal = None if i in (4, 5) else view(world, "thermal", i / 10)
        expected = model.predict(view(world, "rgb", i / 10), thermal)
        assert (found == expected.labels).mean() > 0.999
        assert line["cameras"]["thermal"] == ("ok" if thermal is not None else "dropped")
        assert line["confidence"] == pytest.approx(float(expected.confidence.mean()), abs=1e-3)
    assert len(frames_of(tmp_path / "overlay.mp4")) == 10
    assert len(frames_of(tmp_path / "confidence.mkv")) == 10
    assert len(list((tmp_path / "contours").iterdir())) == 10
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_frozen_black_and_doubled(
    world: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    times = [i / 20 for i in range(20)]
    seen = [0, 1, 2, 2, 4, 5, 5, 5, 5, 5, 5, 5, 12, *range(13, 20)]
    rgb = [(t, view(world, "rgb", t) * (i != 15)) for i, t in enumerate(times)]
    thermal = [(t, view(world, "thermal", i / 20)) for t, i in zip(times, seen, strict=True)]
    paths = write(tmp_path / "a.mkv", rgb, "rgb24"), write(tmp_path / "b.mkv", thermal, "gray")
    assert predict(*paths, tmp_path / "out", "--save", "labels") == 0
    told = capsys.readouterr().err
    assert "thermal: 1 frame doubled: 3" in told
    assert "thermal: 6 frames frozen: 6-11" in told
    assert "rgb: 1 frame black: 15" in told
    gated = [line["cameras"] for line in lines(tmp_path / "out")]
    assert gated[15] == {"rgb": "black", "thermal": "ok"}
    assert predict(*paths, tmp_path / "open", "--save", "labels", "--no-gate") == 0
    assert [line["cameras"] for line in lines(tmp_path / "open")] == gated
    labels = [frames_of(tmp_path / kind / "labels.mkv") for kind in ("out", "open")]
    same = [np.array_equal(a[1], b[1]) for a, b in zip(*labels, strict=True)]
    assert same[:9] == [True] * 9
    assert not same[15]


def test_16_bits_keep_their_counts(world: Any, tmp_path: Path) -> None:
    """In FFV1, and in folders of numbered TIFFs, which may begin late or lack one."""
    counts = [27315 + 11 * view(world, "thermal", i / 10).astype(np.uint16) for i in range(6)]
    rgb = [(i / 10, view(world, "rgb", i / 10)) for i in range(6)]
    video = write(tmp_path / "t.mkv", [(i / 10, c) for i, c in enumerate(counts)], "gray16le")
    for frame, expected in zip(Video(video, thermal=True), counts, strict=True):
        assert frame.image.dtype == np.uint16
        assert np.array_equal(frame.image, expected)
    folder = tmp_path / "tiffs"
    folder.mkdir()
    for i, image in enumerate(counts):
        Image.fromarray(image).save(folder / f"frame_{i + 7:05d}.tiff")
    (folder / "frame_00010.tiff").unlink()
    path = write(tmp_path / "a.mkv", rgb, "rgb24")
    scaling = ("--thermal-scaling", "27315,30120", "--save", "labels")
    assert predict(path, video, tmp_path / "one", *scaling) == 0
    assert predict(path, folder, tmp_path / "two", *scaling, "--fps", "10") == 0
    one, two = (frames_of(tmp_path / name / "labels.mkv") for name in ("one", "two"))
    assert [np.array_equal(a[1], b[1]) for a, b in zip(one, two, strict=True)] == [
        *[True] * 3,
        False,
        *[True] * 2,
    ]
    assert lines(tmp_path / "two")[3]["cameras"]["thermal"] == "dropped"


def test_smoothing_of_folders_and_an_exported_model(
    world: Any, exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in ("rgb", "thermal"):
        (tmp_path / kind).mkdir()
        for i in range(4):
            Image.fromarray(view(world, kind, i / 10)).save(tmp_path / kind / f"{i}.png")
    data = ["--rgb", str(tmp_path / "rgb"), "--thermal", str(tmp_path / "thermal"), "--fps", "10"]
    for words in (("--smooth", "0"), ("--smooth",)):
        out = tmp_path / f"out{len(words)}"
        assert main(["predict", str(exported), *data, "--out", str(out), *words]) == 0
    capsys.readouterr()
    plain, steady = (frames_of(tmp_path / f"out{n}" / "labels.mkv") for n in (2, 1))
    assert np.array_equal(plain[0][1], steady[0][1])
    assert not all(np.array_equal(a[1], b[1]) for a, b in zip(plain, steady, strict=True))
    assert main(["predict", str(exported), *data, "--out", str(tmp_path / "out1")]) == 0
    pictures = tmp_path / "pictures"
    assert main(["predict", str(exported), *data[:4], "--out", str(pictures)]) == 0
    assert main(["predict", str(exported), *data, "--out", str(pictures)]) == 2
    assert "holds predictions of images; give another --out" in capsys.readouterr().err
    assert main(["predict", str(exported), *data[:4], "--out", str(tmp_path / "out1")]) == 2
    assert "holds predictions of a recording; give another --out" in capsys.readouterr().err


def test_a_folder_that_holds_more(
    videos: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What an earlier run wrote is replaced; what the user has there stays."""
    every = ("--save", "labels,overlay,confidence,contours", "--legend")
    assert predict(*videos, tmp_path / "out", *every) == 0
    (tmp_path / "out" / "contours" / "000099.json").write_text("{}")
    assert predict(*videos, tmp_path / "out", "--save", "labels") == 0
    left = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert left == {"labels.mkv", "frames.jsonl", "summary.json"}
    mine = tmp_path / "mine" / "labels.mkv"
    mine.parent.mkdir()
    mine.write_bytes(videos[1].read_bytes())
    capsys.readouterr()
    for out in (mine.parent, tmp_path / "out"):
        thermal = mine if out == mine.parent else out / "labels.mkv"
        assert predict(videos[0], thermal, out) == 2
        assert "labels.mkv: is there already; give another --out" in capsys.readouterr().err
    assert mine.read_bytes() == videos[1].read_bytes()


def test_pairs_are_those_of_files_by_time() -> None:
    """Frame by frame the same pairs as `by_time` finds with all times at hand."""
    rng = np.random.default_rng(1)
    for _ in range(60):
        some, others = (np.sort(rng.uniform(0, 5, rng.integers(1, 30))) for _ in range(2))
        rgb, thermal = ({f"{t:.6f}": Path(f"{t:.6f}.png") for t in part} for part in (some, others))
        frames = [[Frame(float(name), name) for name in part] for part in (rgb, thermal)]
        met = list(meet(*frames, 0.2))
        found = [(a.image, b.image) for a, b in met if a is not None and b is not None]
        assert sum(a is not None for a, _ in met) == len(some)
        try:
            expected = [(a, path.stem) for a, _, path in by_time(rgb, thermal, 0.2)]
        except InputError:
            expected = []
        assert found == expected


def test_recordings_of_any_rate_are_paired_within_a_frame() -> None:
    class Steady:
        def __init__(self, rate: float, start: float, count: int) -> None:
            self.rate, self.start, self.count = rate, start, count

        def __iter__(self) -> Iterator[Frame]:
            for i in range(self.count):
                yield Frame(self.start + i / self.rate, np.zeros(1))

    for rates in ((30, 9), (30, 30), (8.6, 25), (60, 50)):
        recording = Recording(Steady(rates[0], 0.0, 600), Steady(rates[1], 0.004, 600))
        pairs = list(recording)
        slow = min(rates)
        assert len(pairs) >= 0.99 * min(600, 600 * slow / max(rates))
        assert recording.apart <= 1 / max(rates)
        assert all(None not in pair for pair in pairs)


@pytest.mark.parametrize("phase", [0.0, 0.3, 0.5, 0.9])
def test_equal_cameras_lose_no_pair_by_jitter(phase: float) -> None:
    """Each frame's nearest is now the one before, now the one after, half an interval away."""
    rng = np.random.default_rng(0)

    class Jittered:
        rate, count = 30.0, 300

        def __init__(self, start: float) -> None:
            self.start = start

        def __iter__(self) -> Iterator[Frame]:
            for i in range(self.count):
                yield Frame(self.start + i / 30 + 0.002 * rng.normal(), np.zeros(1))

    recording = Recording(Jittered(0.0), Jittered(phase / 30))
    assert sum(None not in pair for pair in recording) >= 297
    assert recording.apart <= 1 / 30


def test_a_video_that_is_cut_off(videos: tuple[Path, Path], tmp_path: Path) -> None:
    torn = tmp_path / "a.mkv"
    torn.write_bytes(videos[0].read_bytes()[: videos[0].stat().st_size * 2 // 3])
    assert predict(torn, videos[1], tmp_path / "out", "--save", "labels") == 0
    assert 3 <= read_json(tmp_path / "out" / "summary.json")["count"] < 10


def test_odd_sizes_and_turned_videos(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (33, 47, 3), np.uint8) for _ in range(3)]
    with VideoWriter(tmp_path / "a.mp4", images[0], 29.97) as video:
        for image in images:
            video.write(image, 0.0)  # as good as at the next tick
        with pytest.raises(InputError, match=r"at 1\.000 s: a frame of 32x33 pixels after 47x33"):
            video.write(images[0][:, :32], 1.0)
    shapes = {frame.image.shape for frame in Video(tmp_path / "a.mp4", thermal=False)}
    assert shapes == {(34, 48, 3)}


def damaged(folder: Path) -> list[str]:
    (folder / "bad.mp4").write_bytes(b"no video" * 50)
    return ["--rgb", str(folder / "bad.mp4")]


def silent(folder: Path) -> list[str]:
    with av.open(str(folder / "sound.mkv"), "w") as container:
        stream: Any = container.add_stream("pcm_s16le", rate=8000)
        stream.layout = "mono"
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    return ["--thermal", str(folder / "sound.mkv")]


def coloured(folder: Path) -> list[str]:
    rng = np.random.default_rng(0)
    frames = [(0.0, rng.integers(0, 255, (48, 64, 3), np.uint8))]
    return ["--thermal", str(write(folder / "false.mkv", frames, "rgb24"))]


def nameless(folder: Path) -> list[str]:
    (folder / "frames").mkdir()
    Image.new("L", (64, 48)).save(folder / "frames" / "17.png")
    return ["--thermal", str(folder / "frames"), "--smooth"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (damaged, "bad.mp4: not a readable video (Invalid data found when processing input); copy"),
        (silent, "sound.mkv: has no video stream; give a video"),
        (coloured, "a thermal image in false colours"),
        (nameless, "no time in its name; for numbered frames give the frames per second"),
        (lambda _: ["--rgb", "none.mp4"], "none.mp4: no such video"),
        (lambda _: ["--rgbt", "a.mp4"], "a video has no 4 channels"),
        (lambda _: ["--rgbt", "a.png", "--smooth"], "--smooth: is for recordings"),
        (lambda _: ["--rgb", "a.mp4", "--allow-unpaired"], "frames of a recording are paired by"),
    ],
)
def test_bad_recordings(
    given: Any, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", "nano", *given(tmp_path), "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("words", [("--fps", "0"), ("--smooth", "1"), ("--smooth", "x")])
def test_bad_numbers(words: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["predict", "nano", "--rgb", "a.mp4", "--out", "o", *words])
    assert stopped.value.code == 2
    assert "is no " in capsys.readouterr().err


def test_without_pyav(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"videos need PyAV; pip install 'samantic\[video\]'"):
        Video(tmp_path / "a.mp4", thermal=False)


def test_a_break_of_weeks(world: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """MP4 holds no frame for so long; the true times stand in frames.jsonl."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in (0, 1, 2, 20_000_000, 20_000_001):
        Image.fromarray(view(world, "rgb", number % 7 / 10)).save(folder / f"{number}.png")
    out = tmp_path / "out"
    words = ["--rgb", str(folder), "--fps", "10", "--out", str(out), "--device", "cpu"]
    assert main(["predict", "nano-small", *words]) == 0
    assert "rgb: nothing from 0.200 s to 2000000.000 s" in capsys.readouterr().err
    assert [line["seconds"] for line in lines(out)] == [0.0, 0.1, 0.2, 2e6, 2e6 + 0.1]
    for name in ("overlay.mp4", "labels.mkv"):
        times = [round(time, 3) for time, _ in frames_of(out / name)]
        assert times == [0.0, 0.1, 0.2, 86400.2, 86400.3]


def test_radiometric_frames_by_their_own_constants(tmp_path: Path) -> None:
    """Two cameras whose counts of one temperature differ give one picture for it."""
    kelvin = np.linspace(273.15, 313.15, 48 * 64).reshape(48, 64)
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, (r1, b, f, o, r2) in enumerate(
        [(16528.178, 1427.5, 1.0, -1307, 0.012258549), (21106.77, 1501.0, 1.0, -7340, 0.0125)]
    ):
        counts = np.rint(r1 / (r2 * (np.exp(b / kelvin) - f)) - o).astype("u2")
        (folder / f"{number}.jpg").write_bytes(flir(counts, planck=(r1, b, f, o, r2)))
    words = ["--thermal", str(folder), "--fps", "10", "--thermal-scaling", "flir-planck:0,40"]
    more = ["--out", str(tmp_path / "out"), "--device", "cpu", "--save", "confidence"]
    assert main(["predict", "nano-small", *words, *more]) == 0
    assert [line["cameras"]["thermal"] for line in lines(tmp_path / "out")] == ["ok", "ok"]
    (_, first), (_, second) = frames_of(tmp_path / "out" / "confidence.mkv")
    assert np.abs(first.astype(int) - second).max() <= 3


@pytest.mark.parametrize("kind", ["video", "folder"])
def test_frames_without_constants(
    kind: str, world: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = view(world, "thermal", 0).astype("u2") * 40
    place = tmp_path / ("b.mkv" if kind == "video" else "b")
    if kind == "video":
        write(place, [(i / 10, counts) for i in range(2)], "gray16le")
    else:
        place.mkdir()
        Image.fromarray(counts).save(place / "1.png")
    words = ["--thermal", str(place), "--fps", "10", "--thermal-scaling", "flir-planck:0,40"]
    out = ["--out", str(tmp_path / "out"), "--device", "cpu"]
    assert main(["predict", "nano-small", *words, *out]) == 2
    what = "a video holds" if kind == "video" else "holds"
    assert f"{what} no constants of Planck's law" in capsys.readouterr().err
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").glob("*.m*"))


@pytest.mark.parametrize(("first", "last"), [(0, 20), (40, 60)])
def test_a_camera_that_was_there_for_a_part(
    first: int, last: int, world: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is told where one was alone: its other has failed, or the file was cut off."""
    for name, numbers in (("rgb", range(60)), ("thermal", range(first, last))):
        (tmp_path / name).mkdir()
        for number in numbers:
            image = Image.fromarray(view(world, name, number / 100))
            image.save(tmp_path / name / f"{number:02d}.png")
    out = tmp_path / "out"
    assert predict(tmp_path / "rgb", tmp_path / "thermal", out, "--fps", "20") == 0
    said = capsys.readouterr().err
    where = "starts at 2.000 s, rgb at 0.000 s" if first else "ends at 0.950 s, rgb at 2.950 s"
    assert "rgb: 40 of 60 frames have no partner in time" in said
    assert f"thermal: {where} (a camera that failed, or a file that is cut off?)" in said
    assert len(lines(out)) == 20
