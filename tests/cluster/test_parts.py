"""What a job consists of, without Ray: names, patterns, manifests, shards, capacity."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import yaml

pytest.importorskip("pyarrow", reason="the extra ray is not installed")

import pyarrow as pa

from samantic.cli import build_parser, main
from samantic.cli.batch import _order
from samantic.cluster.capacity import Load, Node, Storage, capacity, decoders, saturation
from samantic.cluster.decoding import SCHEMA, packed
from samantic.cluster.identity import block_of, holds, key_of, keys_of, name_problem
from samantic.cluster.inputs import open_source, rows_of
from samantic.cluster.labelling import Labeller, pack_model
from samantic.cluster.patterns import expanded, image_pattern, split_uri
from samantic.cluster.settings import begin_output, check_settings
from samantic.cluster.storage import files_below, open_place, put_new
from samantic.errors import InputError
from samantic.predict.health import Gate
from samantic.scenes import draw_scene
from tests.cluster_helpers import write_pairs

ROOT = Path(__file__).parents[2]


def names(source: str | Path) -> list[str]:
    found = open_source(str(source))
    return [row["name"] for part in found.parts for row in rows_of(found, part)]


def test_a_key_is_of_the_name_alone() -> None:
    """In composed Unicode; a collision of 64 bits is rarer than one in a thousand jobs."""
    assert key_of("a\u0308") == key_of("\xe4") != key_of("a")
    known = np.sort(keys_of(f"drive/{i}" for i in range(1000)))
    asked = keys_of(f"drive/{i}" for i in range(990, 1010))
    assert holds(known, asked).tolist() == [True] * 10 + [False] * 10
    assert not holds(known[:0], asked).any()
    assert block_of(asked) == block_of(asked[::-1]) != block_of(asked[1:])
    assert name_problem("drive/1") is None
    for bad in ("", "/a", "../a", "a//b", "a/..", "a\\b", "a\nb", "x" * 300):
        assert name_problem(bad)


def test_a_file_is_written_once(tmp_path: Path) -> None:
    place = open_place(str(tmp_path), "--output").at("a", "b.png")
    assert put_new(place, b"first")
    assert not put_new(place, b"second")
    assert (tmp_path / "a" / "b.png").read_bytes() == b"first"
    left = tmp_path / "a" / f".b.png.{'0' * 32}"
    left.write_bytes(b"")  # of a process that was killed
    assert list(files_below(open_place(str(tmp_path), "--output"))) == [("a/b.png", 5)]
    assert not left.exists()


def test_patterns() -> None:
    uri = "s3://fleet/2026/*/{rgb,thermal}/*.png?region=eu-west-1"
    assert split_uri(uri) == ("s3://fleet/2026?region=eu-west-1", "*/{rgb,thermal}/*.png")
    pattern = image_pattern("*/{vis,ir}/*_{v,t}.*")
    assert pattern.name("d1/ir/0001_t.tiff") == ("thermal", "d1/0001")
    assert pattern.name("d1/vis/0001_v.jpg") == ("rgb", "d1/0001")
    assert pattern.name("d1/ir/0001_v.jpg") is None
    assert image_pattern("").name("a/b/rgb/c.d.png") == ("rgb", "a/b/c.d")
    assert [p.fullmatch("t-009.tar") is not None for p in expanded("t-{008..010}.tar")] == [
        False,
        True,
        False,
    ]


def test_inputs_give_names(tmp_path: Path) -> None:
    write_pairs(tmp_path / "fleet" / "d1", 2)
    write_pairs(tmp_path / "fleet" / "d2", 1)
    (tmp_path / "fleet" / "d2" / "rgb" / "lone.png").write_bytes(b"")
    assert names(tmp_path / "fleet") == ["d1/00000", "d1/00001", "d2/00000", "d2/lone"]
    assert names(f"{tmp_path}/fleet/*1") == ["d/00000", "d/00001"]
    found = open_source(str(tmp_path / "fleet"))
    rows = [row for part in found.parts for row in rows_of(found, part)]
    assert "has no partner" in rows[-1]["error"]
    manifest = tmp_path / "list.csv"
    manifest.write_text("thermal,rgb,note\nt/1.png,r/1.png,x\n,,y\n")
    assert names(manifest) == ["r/1", "row 2"]
    shard = tmp_path / "s.tar"
    with tarfile.open(shard, "w") as archive:
        for name in ("1.rgb.png", "1.ir.tiff", "1.json", "2.thermal.png"):
            about = tarfile.TarInfo(name)
            about.size = 3
            archive.addfile(about, BytesIO(b"abc"))
    assert names(shard) == ["s/1", "s/2"]
    apart = tmp_path / "a.tar"
    with tarfile.open(apart, "w") as archive:  # as of `tar cf a.tar *.rgb.png *.thermal.png`
        for name in ("1.rgb.png", "2.rgb.png", "1.thermal.png", "1.json", "2.thermal.png"):
            archive.addfile(tarfile.TarInfo(name))
    found = open_source(str(apart))
    rows = list(rows_of(found, found.parts[0]))
    assert [row["name"] for row in rows] == ["a/1", "a/2", "a/1", "a/2"]
    assert all("does not follow the other files of its pair" in row["error"] for row in rows[2:])
    whole = shard.read_bytes()
    shard.write_bytes(whole[:1500])
    found = open_source(str(shard))
    assert "cannot be read on" in list(rows_of(found, found.parts[0]))[-1]["error"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--input", "{tmp}/none"], "none: no such folder; correct the path"),
        (["--input", "{tmp}/x.csv"], "x.csv: no such file; correct the path"),
        (["--input", "{tmp}/bad.csv"], "bad.csv: has the columns a, b; a manifest has rgb"),
        (["--input", "{tmp}/head.csv"], "head.csv: has the columns a, b; a manifest has rgb"),
        (["--input", "{tmp}", "--address", "1.2.3.4"], "'1.2.3.4' is not local, auto or HOST:PORT"),
        (["--input", "{tmp}", "--address", "a:99999"], "'a:99999' is not local, auto or HOST:PORT"),
        (["--input", "{tmp}", "--price=-1"], "'-1' is not a price of 0 or more"),
        (["--input", "{tmp}", "--price", "nan"], "'nan' is not a price of 0 or more"),
        (["--input", "{tmp}/*/a.png"], "a pattern of images names both cameras"),
        (["--input", "{tmp}/{rgb,thermal/*.png"], "a brace without its partner; write {rgb,th"),
        (["--input", "{tmp}/{rgb,thermal}/*}.png"], "a brace without its partner"),
        (["--input", "{tmp}/{a,b}.tar"], "braces hold a range of numbers, as {000..099}"),
        (["--input", "{tmp}/x-{00..99.tar"], "braces hold a range of numbers, as {000..099}"),
        (["--input", "foo://x/y"], "--input: foo://x/y: Unrecognized filesystem type"),
        (["--input", "{tmp}", "--concurrency", "4:2"], "is not A:B with 1 <= A <= B"),
        (["--input", "{tmp}", "--address", "ray://head:10001"], "with --address auto, or submit"),
        (["--input", "{tmp}", "--gpus-per-actor", "1.5"], "neither a whole number of GPUs"),
    ],
)
def test_bad_input_is_one_line(
    words: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    (tmp_path / "head.csv").write_text("a,b\n")
    (tmp_path / "q").mkdir()
    given = [word.replace("{tmp}", str(tmp_path)) for word in words]
    try:
        status = main(["batch", "nano", *given, "--output", str(tmp_path / "out")])
    except SystemExit as stopped:
        status = int(stopped.code or 0)
    told = capsys.readouterr().err
    assert status == 2
    assert line in told
    assert told.count("\n") == 1


def test_a_manifest_may_have_no_rows(tmp_path: Path) -> None:
    (tmp_path / "none.csv").write_text("rgb,thermal,name\n")
    assert names(tmp_path / "none.csv") == []


def test_an_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    words = ["batch", "nano", "--input", str(tmp_path), "--output", str(tmp_path / "file")]
    order = _order(build_parser().parse_args(words))
    with pytest.raises(InputError, match=r"^--output: .*file: a file; give a folder$"):
        check_settings(order)


def test_an_output_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    words = ["batch", "nano", "--input", str(tmp_path), "--output", str(tmp_path / "file" / "out")]
    order = _order(build_parser().parse_args(words))
    check_settings(order)
    with pytest.raises(InputError, match=r"^--output: .*out: cannot be written \(.*; give another"):
        begin_output(order)


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs = write_pairs(tmp_path / "in", 3)
    out = tmp_path / "out"
    words = ["--input", str(pairs), "--output", str(out), "--dry-run", "--nodes", "100"]
    assert main(["batch", "nano", *words, "--pairs", "100000000", "--price", "2"]) == 0
    told = capsys.readouterr().out
    assert "3 pairs timed" in told
    assert "100,000,000 pairs on 100 nodes" in told
    assert "bottleneck: " in told
    assert not out.exists()


def test_what_is_said_of_the_cameras_reaches_the_workers(tmp_path: Path) -> None:
    words = ["batch", "nano", "--input", "in", "--output", str(tmp_path / "out")]
    said = ["--thermal-inverted", "--thermal-scaling", "28000,31000", "--rig", "resize"]
    order = _order(build_parser().parse_args([*words, *said, "--panorama", "--only", "car"]))
    assert {name: order.options[name] for name in ("thermal_inverted", "rig", "panorama")} == {
        "thermal_inverted": True,
        "rig": "resize",
        "panorama": True,
    }
    assert order.options["thermal_scaling"] == "28000,31000"
    assert (order.options["only"], order.options["threshold"]) == (["car"], None)
    assert order.made["thermal_scaling"] == "inverted:28000,31000"
    assert order.made["panorama"] is True


def test_cameras_are_judged_as_by_the_gate_of_streams(tmp_path: Path) -> None:
    """Levels, the stored range and moved rows: the summary says of a pair what the gate says."""
    scene = draw_scene(1, 0, (144, 192))
    rgb, thermal = scene.rgb, 28000 + 10 * scene.thermal.astype(np.uint16)
    moved = rgb.copy()
    moved[48:] = np.roll(moved[48:], 31, axis=1)
    pairs = [
        (rgb, thermal),
        (rgb // 16, thermal),
        (moved, thermal),
        (rgb, np.full_like(thermal, 29000)),
        (rgb // 200 + 252, np.full_like(thermal, 65535)),
        (rgb, thermal + 6000),
    ]
    words = ["batch", "nano", "--input", "in", "--output", str(tmp_path / "out")]
    order = _order(build_parser().parse_args([*words, "--thermal-scaling", "27315,31315"]))
    labeller = Labeller(order, pack_model(order.model))
    for pair in pairs:  # singly: together, values in another unit would be refused
        row = {"key": 1, "name": "a", "there": False, "seconds": 0.0, **packed(pair)}
        (found,) = labeller(pa.Table.from_pylist([row], schema=SCHEMA)).to_pylist()
        states = Gate(labeller.predictor.camera).check(pair)
        assert {name: found[f"{name}_camera"] for name in states} == states
    assert states == {"rgb": "ok", "thermal": "out of range"}


def test_an_exported_file_needs_no_torch(exported: Path, tmp_path: Path) -> None:
    """Neither where the command is typed, nor on any worker."""
    write_pairs(tmp_path / "in", 2, (48, 64))
    program = f"""
import sys
from samantic.cli import build_parser
from samantic.cli.batch import _order
from samantic.cluster.decoding import Decoder
from samantic.cluster.inputs import open_source, rows_of, tables_of
from samantic.cluster.stages import Reader
from samantic.cluster.labelling import Labeller, pack_model
from samantic.cluster.writing import Writer
words = ["batch", {str(exported)!r}, "--input", "in", "--output", "out", "--form", "parquet"]
order, source = _order(build_parser().parse_args(words)), open_source("in")
(block,) = tables_of(rows_of(source, source.parts[0]), 64)
decoded = Decoder(source.base, order.made)(block)
result = Writer(order)(Labeller(order, pack_model(order.model))(decoded))
assert result["state"].to_pylist() == ["done", "done"]
assert "torch" not in sys.modules and "ray" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)


def test_capacity_is_that_of_the_scarcest() -> None:
    """Against the sums by hand of docs/scale.md."""
    load = Load(device_seconds=0.02, cpu_seconds=0.04, bytes_in=1e6, bytes_out=2e4)
    node = Node(models=4, cores=44, price=4.6)
    found = capacity(load, node, 100)
    assert found.rates["models"] == pytest.approx(100 * 4 / 0.02)
    assert found.rates["storage requests"] == pytest.approx(5500 / 5)
    assert found.bottleneck == "storage requests"
    wide = Storage(bytes_per_second=1e12, requests_per_second=1e6)
    found = capacity(load, node, 100, wide)
    assert found.bottleneck == "models"
    assert found.hours(1e8) == pytest.approx(1e8 / 20000 / 3600)
    assert found.cost(1e8) == pytest.approx(found.hours(1e8) * 460)
    assert max(found.use().values()) == 1
    assert decoders(load, node) == 2
    assert saturation(load, node)["storage requests"] == pytest.approx(1100 / 200)


def test_who_works_where(tmp_path: Path) -> None:
    """A model for each GPU, or for each few CPUs, as far as there is room or machines come."""
    from samantic.cluster.order import Order
    from samantic.cluster.pools import pool_of

    order = Order("nano", {}, {}, ("a",), open_place(str(tmp_path), "--output"))
    assert pool_of(order, 8, 0).models == (8, 8)  # all of a machine start at once
    assert pool_of(order, 8, 0, blocks=3).models == (3, 3)  # none that finds nothing to do
    assert pool_of(order, 8, 0, blocks=0).models == (1, 1)
    assert pool_of(order, 8, 0, grows=True).models == (1, 8)
    assert pool_of(replace(order, cpus=4), 8, 0).models == (2, 2)
    assert pool_of(replace(order, gpus=0.5, concurrency=(3, 30)), 8, 2).models == (3, 4)
    few = replace(order, gpus=1.0, concurrency=(4, 400))
    assert pool_of(few, 0, 0, grows=True).models == (1, 400)
    with pytest.raises(InputError, match="one model takes 1 GPUs, and there are 8 CPUs and 0 GPUs"):
        pool_of(few, 8, 0)
    pool = pool_of(order, 1, 0)
    assert pool.model_cpus + 3 * pool.task_cpus <= 1  # one CPU holds a model and its tasks


def test_a_block_travels_as_one_row() -> None:
    from samantic.cluster.stages import carried, opened

    row = {"key": 1, "name": "a", "rgb_pixels": b"123", "rgb_shape": [1, 1, 3]}
    block = pa.Table.from_pylist([row, {**row, "key": 2}], schema=SCHEMA)
    assert carried(block).num_rows == 1
    assert opened(carried(block)).equals(block)


def test_the_files_for_clusters_are_what_their_readers_take() -> None:
    pytest.importorskip("ray")
    import json

    import jsonschema
    import ray

    schema = Path(ray.__file__).parent / "autoscaler" / "ray-schema.json"
    config = yaml.safe_load((ROOT / "deploy" / "ray-cluster.yaml").read_text())
    jsonschema.validate(config, json.loads(schema.read_text()))
    assert config["head_node_type"] in config["available_node_types"]
    job = yaml.safe_load((ROOT / "deploy" / "kuberay.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    spec = job["spec"]["rayClusterSpec"]
    groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    for group in groups:
        (container,) = group["template"]["spec"]["containers"]
        assert container["resources"]["requests"] == container["resources"]["limits"]
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
    for group in spec["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    script = ROOT / "deploy" / "batch_slurm.sh"
    subprocess.run(["bash", "-n", script], check=True)  # noqa: S607
    lines = [line for line in script.read_text().splitlines() if line.startswith("#SBATCH ")]
    assert all(line.split()[1].startswith("--") for line in lines)
    for text in (job["spec"]["entrypoint"], script.read_text()):
        assert "--address" in text
