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
from samantic.data.images import open_image
from samantic.files import read_json
from tests.cluster_helpers import label_bytes, short_folder, two_nodes, write_pairs, written

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::UserWarning:ray.*"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning"),
]


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
    cluster: Any, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bad pairs are recorded, the rest is done; a second run does the bad ones alone."""
    pairs = write_pairs(tmp_path / "in", 30)
    bad = [pairs / "thermal" / f"{i:05d}.png" for i in (3, 17)]
    whole = bad[0].read_bytes()
    for path in bad:
        path.write_bytes(whole[:90])
    out, log = tmp_path / "out", tmp_path / "log"
    words = ["--input", pairs, "--output", out, "--block", 4, "--write-log", log]
    assert batch(trained, *words) == 1
    told = capsys.readouterr()
    assert "28 pairs labelled, 2 failed" in told.out
    assert f"{bad[0]}: not a readable image" in told.err
    assert label_bytes(out) == predicted(trained, pairs, tmp_path / "one")
    rows = parquet.read_table(out / "summary.parquet").to_pylist()
    assert sorted(row["name"] for row in rows) == [f"{i:05d}" for i in range(30)]
    failed = {row["name"]: row["error"] for row in rows if row["error"]}
    assert sorted(failed) == ["00003", "00017"]
    good = next(row for row in rows if row["name"] == "00000")
    ids = open_image(out / "labels" / "00000.png")
    assert good["shares"]["car"] == np.mean(ids == 1)
    assert 0 < good["confidence"] <= 1
    assert good["seconds"] > 0
    assert good["rgb_camera"] == "ok"
    totals = read_json(out / "summary.json")
    assert [totals[k] for k in ("pairs", "done", "skipped", "failed")] == [30, 28, 0, 2]
    bad[0].write_bytes(whole)
    assert batch(trained, *words) == 1
    assert "1 pairs labelled, 28 before, 1 failed" in capsys.readouterr().out
    assert Counter(written(log)) == Counter(f"{i:05d}" for i in range(30) if i != 17)
    assert read_json(out / "summary.json")["output"]["done"] == 29
    assert batch("nano", *words) == 2
    assert "labels of another model; give another --output" in capsys.readouterr().err


def test_other_forms_hold_the_same_labels(cluster: Any, trained: Path, tmp_path: Path) -> None:
    """Shards go in too, and a manifest; nothing is done twice."""
    pairs = write_pairs(tmp_path / "in", 12)
    expected = predicted(trained, pairs, tmp_path / "one")
    manifest = tmp_path / "pairs.csv"
    lines = [f"in/rgb/{i:05d}.png,in/thermal/{i:05d}.png,drive/{i:05d}" for i in range(12)]
    manifest.write_text("\n".join(["rgb,thermal,name", *lines]) + "\n")
    rows, log = tmp_path / "rows", tmp_path / "log"
    words = ["--output", rows, "--form", "parquet", "--block", 5, "--write-log", log]
    assert batch(trained, "--input", manifest, *words) == 0
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
    assert batch(trained, *words, "--write-log", tmp_path / "log2") == 0
    assert batch(trained, *words, "--write-log", tmp_path / "log2") == 0
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


def test_a_node_is_killed_in_the_middle(trained: Path, tmp_path: Path) -> None:
    """The job ends; every pair has its label once, the same bytes as of one process."""
    import ray

    ray.shutdown()
    pairs = write_pairs(tmp_path / "in", 120)
    out, log = tmp_path / "out", tmp_path / "log"
    with two_nodes() as (_, second):
        raylet = psutil.Process(second.all_processes["raylet"][0].process.pid)
        done: list[float] = []

        def kill() -> None:
            while not log.exists() or len(written(log)) < 30:
                time.sleep(0.02)
            victims = [raylet, *raylet.children(recursive=True)]
            for process in victims:
                os.kill(process.pid, signal.SIGKILL)
            done.append(len(written(log)))

        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        words = ["--input", pairs, "--output", out, "--block", 4, "--write-log", log]
        assert batch(trained, *words) == 0
        killer.join(timeout=1)
    assert 30 <= done[0] < 120
    assert_once(log, 120, killed=2)
    assert label_bytes(out) == predicted(trained, pairs, tmp_path / "one")
    names = parquet.read_table(out / "summary.parquet")["name"].to_pylist()
    assert sorted(names) == [f"{i:05d}" for i in range(120)]


def test_the_driver_is_killed_and_the_command_repeated(trained: Path, tmp_path: Path) -> None:
    """Nothing is written twice, and the summary has every pair."""
    pairs = write_pairs(tmp_path / "in", 80)
    out, log = tmp_path / "out", tmp_path / "log"
    words = ["--input", pairs, "--output", out, "--block", 4, "--write-log", log]
    words += ["--concurrency", "1:1"]
    command = [sys.executable, "-m", "samantic", "batch", trained, *words]
    with short_folder() as folder:
        environment = os.environ | {"RAY_TMPDIR": str(folder)}
        process = subprocess.Popen([*map(str, command)], env=environment, start_new_session=True)
        while not log.exists() or len(written(log)) < 20:
            assert process.poll() is None
            time.sleep(0.02)
        ours = psutil.Process(process.pid).children(recursive=True)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        psutil.wait_procs(ours, timeout=20)
        for left in ours:
            if left.is_running():
                left.kill()
        first = len(written(log))
        assert first < 80
        run = subprocess.run([*map(str, command)], env=environment, check=False, timeout=120)
    assert run.returncode == 0
    assert_once(log, 80, killed=1)
    assert label_bytes(out) == predicted(trained, pairs, tmp_path / "one")
    assert not [path for path in (out / "labels").iterdir() if path.name.startswith(".")]
    totals = read_json(out / "summary.json")
    assert totals["skipped"] >= first
    assert totals["output"]["done"] == 80
    assert parquet.read_table(out / "summary.parquet").num_rows == 80
