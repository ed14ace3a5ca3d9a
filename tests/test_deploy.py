"""The scripts of deploy/, with stand-ins for what they start."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SLURM = Path(__file__).parents[1] / "deploy" / "train_slurm.sh"


def test_slurm_is_a_script() -> None:
    subprocess.run(["/bin/bash", "-n", str(SLURM)], check=True)
    head = SLURM.read_text()
    for word in ("--requeue", "--signal=TERM@120", "--ntasks-per-node=4", "--gres=gpu:4"):
        assert f"#SBATCH {word}" in head


@pytest.mark.parametrize(("kept", "resumes"), [(None, False), ("last", True), ("previous", True)])
def test_slurm_goes_on_where_there_is_a_state(
    tmp_path: Path, kept: str | None, resumes: bool
) -> None:
    (tmp_path / "srun").write_text('#!/bin/bash\nprintf "%s\\n" "$@"\n')
    (tmp_path / "srun").chmod(0o755)
    out = tmp_path / "my run"
    out.mkdir()
    if kept is not None:
        (out / f"{kept}.ckpt").touch()
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/bash", str(SLURM), "mine.yaml", str(out), "--data.root", "/data/my set"],
        env=os.environ | {"PATH": path, "SLURM_NTASKS_PER_NODE": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    start = ["samantic", "train", "mine.yaml", "--out", str(out), "--train.devices", "2"]
    rest = [*(["--resume"] if resumes else []), "--data.root", "/data/my set"]
    assert done.stdout.splitlines() == start + rest
