"""Labels on a Ray cluster: each pair once, whatever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

pytest.importorskip("ray.data", reason="the extra ray is not installed")

from pyarrow import parquet
from pyarrow.fs import FileSelector, FileSystem

from samantic.cli import main
from samantic.cluster.forms import labels_of
from samantic.data.image_files import open_image
from samantic.files import read_json
from tests.cluster_helpers import label_bytes, short_folder, two_nodes, write_pairs, written

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::UserWarning:ray.*"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning"),
]


MODEL = "nano"


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[Any, Any]]:
    with two_nodes() as nodes:
        yield nodes


def batch(model: Path | str, *words: object) -> int:
    return main(["batch", str(model), *map(str, words)])


def predicted(model: Path | str, pairs: Path, out: Path) -> dict[str, bytes]:
    """What one process makes of the pairs."""
    words = ["--rgb", pairs / "rgb", "--thermal", pairs / "thermal", "--save", "labels"]
    main(["predict", str(model), *map(str, words), "--out", str(out), "--device", "cpu"])
    return label_bytes(out)


def kill(processes: list[psutil.Process]) -> None:
    """Leave them no time; some may have ended by themselves."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def assert_once(log: Path, pairs: int, killed: int) -> None:
    """No pair is written twice, and every pair is; a killed process may have had no time to say so.

    Args:
        log: The names of the pairs, each appended after its labels were written.
        pairs: How many there are.
        killed: Processes that were writing when they were killed.
    """
    times = Counter(written(log))
    assert set(times.values()) == {1}
    assert set(times) <= {f"{i:05d}" for i in range(pairs)}
    assert pairs - killed <= len(times)


def test_labels_are_those_of_one_process(
    cluster: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bad pairs are recorded, the rest is done; a second run does the bad ones alone."""
    pairs = write_pairs(tmp_path / "in", 14)
    bad = [pairs / "thermal" / f"{i:05d}.png" for i in (3, 11)]
    whole = bad[0].read_bytes()
    for path in bad:
        path.write_bytes(whole[:90])
    out, log = tmp_path / "out", tmp_path / "log"
    words = ["--input", pairs, "--output", out, "--block", 4, "--write-log", log]
    assert batch(MODEL, *words) == 1
    told = capsys.readouterr()
    assert "12 pairs labelled, 2 failed" in told.out
    assert f"{bad[0]}: not a readable image" in told.err
    assert label_bytes(out) == predicted(MODEL, pairs, tmp_path / "one")
    rows = parquet.read_table(out / "summary.parquet").to_pylist()
    assert sorted(row["name"] for row in rows) == [f"{i:05d}" for i in range(14)]
    failed = {row["name"]: row["error"] for row in rows if row["error"]}
    assert sorted(failed) == ["00003", "00011"]
    good = next(row for row in rows if row["name"] == "00000")
    ids = open_image(out / "labels" / "00000.png")
    assert good["shares"]["car"] == np.mean(ids == 1)
    assert 0 < good["confidence"] <= 1
    assert good["seconds"] > 0
    assert good["rgb_camera"] == "ok"
    totals = read_json(out / "summary.json")
    assert [totals[k] for k in ("pairs", "done", "skipped", "failed")] == [14, 12, 0, 2]
    bad[0].write_bytes(whole)
    assert batch(MODEL, *words) == 1
    assert "1 pairs labelled, 12 before, 1 failed" in capsys.readouterr().out
    assert Counter(written(log)) == Counter(f"{i:05d}" for i in range(14) if i != 11)
    assert read_json(out / "summary.json")["output"]["done"] == 13
    assert batch("nano-small", *words) == 2
    assert "labels of another model; give another --output" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    refused = ["--input", tmp_path / "empty", "--output", tmp_path / "none"]
    assert batch(MODEL, *refused) == 2
    assert not (tmp_path / "none").exists()


def test_other_forms_hold_the_same_labels(cluster: Any, tmp_path: Path) -> None:
    """Shards go in too, and a manifest; nothing is done twice."""
    pairs = write_pairs(tmp_path / "in", 12)
    expected = predicted(MODEL, pairs, tmp_path / "one")
    manifest = tmp_path / "pairs.csv"
    lines = [f"in/rgb/{i:05d}.png,in/thermal/{i:05d}.png,drive/{i:05d}" for i in range(12)]
    manifest.write_text("\n".join(["rgb,thermal,name", *lines]) + "\n")
    rows, log = tmp_path / "rows", tmp_path / "log"
    words = ["--output", rows, "--form", "parquet", "--block", 5, "--write-log", log]
    assert batch(MODEL, "--input", manifest, *words) == 0
    assert len(written(log)) == 12
    found = [
        row
        for path in sorted((rows / "labels").iterdir())
        for row in parquet.read_table(path).to_pylist()
    ]
    for row in found:
        ids = open_image(tmp_path / "one" / "labels" / f"{row['name'].removeprefix('drive/')}.png")
        assert np.array_equal(labels_of(row), ids)
    shards = tmp_path / "shards"
    shards.mkdir()
    import tarfile

    for number in range(3):
        with tarfile.open(shards / f"{number}.tar", "w") as archive:
            for i in range(4 * number, 4 * number + 4):
                for kind in ("rgb", "thermal"):
                    archive.add(pairs / kind / f"{i:05d}.png", f"{i:05d}.{kind}.png")
    out = tmp_path / "tars"
    words = ["--input", f"{shards}/*.tar", "--output", out, "--form", "shards"]
    assert batch(MODEL, *words, "--write-log", tmp_path / "log2") == 0
    assert batch(MODEL, *words, "--write-log", tmp_path / "log2") == 0
    assert len(written(tmp_path / "log2")) == 12
    assert read_json(out / "summary.json")["skipped"] == 12
    members = {}
    for path in (out / "labels").iterdir():
        with tarfile.open(path) as archive:
            for member in archive:
                file = archive.extractfile(member)
                assert file is not None
                members[member.name.partition("/")[2]] = file.read()
    assert {k: v for k, v in members.items() if k.endswith(".png")} == expected


def test_an_object_store_in_and_out(
    cluster: Any, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an exported file, whose workers need no torch; a second run does nothing."""
    server = pytest.importorskip("moto.server")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    s3 = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    s3.start()
    try:
        host, port = s3.get_host_and_port()
        where = f"endpoint_override=http://{host}:{port}&region=us-east-1"
        files, _ = FileSystem.from_uri(f"s3://k:s@fleet?{where}&allow_bucket_creation=true")
        for bucket in ("fleet", "labels"):
            files.create_dir(bucket)
        pairs = write_pairs(tmp_path / "in", 10, (48, 64))
        bad = pairs / "rgb" / "00004.png"
        bad.write_bytes(bad.read_bytes()[:80])
        for path in pairs.rglob("*.png"):
            with files.open_output_stream(f"fleet/day 1/{path.relative_to(pairs)}") as stream:
                stream.write(path.read_bytes())
        log = tmp_path / "log"
        words = ["--input", f"s3://k:s@fleet/day 1?{where}", "--block", 4, "--write-log", log]
        words += ["--output", f"s3://k:s@labels/out?{where}"]
        assert batch(exported, *words) == 1
        assert batch(exported, *words) == 1
        assert Counter(written(log)) == Counter(f"{i:05d}" for i in range(10) if i != 4)
        found = {
            info.base_name: files.open_input_stream(info.path).read()
            for info in files.get_file_info(FileSelector("labels/out/labels"))
        }
        assert found == predicted(exported, pairs, tmp_path / "one")
        with files.open_input_file("labels/out/summary.parquet") as file:
            rows = parquet.read_table(file).to_pylist()
        (failed,) = (row["error"] for row in rows if row["error"])
        assert "s3://fleet/day 1/rgb/00004.png: not a readable image" in failed
        assert len(rows) == 10
    finally:
        s3.stop()


def test_the_driver_is_killed_and_the_command_repeated(cluster: Any, tmp_path: Path) -> None:
    """Nothing is written twice, and the summary has every pair. It has started Ray on its own."""
    pairs = write_pairs(tmp_path / "in", 40)
    out, log = tmp_path / "out", tmp_path / "log"
    words = ["--input", pairs, "--output", out, "--block", 4, "--write-log", log]
    command = [sys.executable, "-m", "samantic", "batch", MODEL, *words, "--concurrency", "1:1"]
    with short_folder() as folder:
        environment = os.environ | {"RAY_TMPDIR": str(folder)}
        process = subprocess.Popen([*map(str, command)], env=environment, start_new_session=True)
        while not log.exists() or len(written(log)) < 8:
            assert process.poll() is None
            time.sleep(0.02)
        workers = psutil.Process(process.pid).children(recursive=True)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kill(workers)
    first = len(written(log))
    assert first < 40
    assert batch(MODEL, *words) == 0
    assert_once(log, 40, killed=2)
    assert label_bytes(out) == predicted(MODEL, pairs, tmp_path / "one")
    assert not [path for path in (out / "labels").iterdir() if path.name.startswith(".")]
    totals = read_json(out / "summary.json")
    assert totals["skipped"] >= first
    assert (totals["output"]["done"], totals["output"]["rebuilt"]) == (40, 0)
    names = parquet.read_table(out / "summary.parquet")["name"].to_pylist()
    assert sorted(names) == [f"{i:05d}" for i in range(40)]


def test_a_node_is_killed_in_the_middle(cluster: Any, tmp_path: Path) -> None:
    """The job ends; every pair has its label once, the same bytes as of one process."""
    pairs = write_pairs(tmp_path / "in", 60)
    out, log = tmp_path / "out", tmp_path / "log"
    raylet = psutil.Process(cluster[1].all_processes["raylet"][0].process.pid)  # of no test after
    done: list[float] = []

    def lose_node() -> None:
        while not log.exists() or len(written(log)) < 12:
            time.sleep(0.02)
        kill([raylet, *raylet.children(recursive=True)])
        done.append(len(written(log)))

    killer = threading.Thread(target=lose_node, daemon=True)
    killer.start()
    words = ["--input", pairs, "--output", out, "--block", 4, "--write-log", log]
    assert batch(MODEL, *words) == 0
    killer.join(timeout=1)
    assert 12 <= done[0] < 60
    assert_once(log, 60, killed=2)
    assert label_bytes(out) == predicted(MODEL, pairs, tmp_path / "one")
    names = parquet.read_table(out / "summary.parquet")["name"].to_pylist()
    assert sorted(names) == [f"{i:05d}" for i in range(60)]
