"""`samantic push`, and models of the hub, against a hub on 127.0.0.1."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import samantic
from samantic.cli import main
from samantic.models import hub as asking
from samantic.predict.model_folder import find_model
from tests.fake_hub import TOKEN, Hub, running_hub

# inside huggingface_hub 2.4
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with running_hub() as found:
        constants = huggingface_hub.constants
        monkeypatch.setattr(constants, "ENDPOINT", found.url)
        place = f"{found.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", place)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "kept"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.chdir(tmp_path)
        asking.no_answer.cache_clear()
        yield found
        asking.no_answer.cache_clear()


def failed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line of a command with bad input."""
    capsys.readouterr()
    assert main(list(words)) == 2
    told = re.findall(r"samantic: .+", capsys.readouterr().err)  # beside the hub's own bars
    assert len(told) == 1, told
    return str(told[0])


def test_a_run_is_pushed_and_loaded_at_its_revision(
    hub: Hub, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["push", str(trained), "me/tiny", "--private"]) == 0
    ((commit, files),) = hub.commits["me/tiny"]
    told = capsys.readouterr().out
    assert f'samantic.load("me/tiny@{commit}")' in told
    assert hub.private == {"me/tiny": True}
    assert set(files) == {"README.md", "config.json", "model.safetensors"}
    assert files["model.safetensors"] == (trained / "model" / "model.safetensors").read_bytes()
    card = files["README.md"].decode()
    assert 'samantic.load("me/tiny")' in card
    assert "license: other" in card.partition("\n---")[0]
    assert "95 % bootstrap interval" in card
    assert "## Recipe" in card
    assert "learning_rate: 0.003" in card
    assert "- Data: MFNet, research data, no licence stated" in card
    everything = b"".join(files[name] for name in ("README.md", "config.json")).decode()
    assert str(trained.parent) not in everything
    assert "/tmp" not in everything  # noqa: S108  # where pytest has the run and its data

    files["model.safetensors"] = b""  # the newest state
    hub.commits["me/tiny"].insert(0, (commit[::-1], dict(files)))
    files["model.safetensors"] = (trained / "model" / "model.safetensors").read_bytes()
    here = samantic.load(trained, device="cpu")
    there = samantic.load(f"me/tiny@{commit}", device="cpu")
    ours, theirs = here.network.state_dict(), there.network.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert find_model("me/tiny").name == commit
    assert find_model(f"hf://me/tiny@{commit[::-1]}").name == commit[::-1]


def test_verbs_take_a_hub_id(
    hub: Hub, mfnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["push", "nano", "hf://me/street"]) == 0
    ((commit, files),) = hub.commits["me/street"]
    assert "## What it cannot do" in files["README.md"].decode()
    assert 'samantic.load("me/street")' in files["README.md"].decode()
    words = ["--data", str(mfnet), "--layout", "mfnet", "--split", "test"]
    assert main(["evaluate", f"me/street@{commit}", *words]) == 0
    assert (tmp_path / "runs" / "evaluate" / f"street-{mfnet.name}-test").is_dir()
    name = (mfnet / "test.txt").read_text().split()[0]
    image = str(mfnet / "images" / f"{name}.png")
    assert main(["predict", "me/street", "--rgbt", image, "--out", str(tmp_path / "out")]) == 0
    asked = len(hub.asked)
    (tmp_path / "me" / "street").mkdir(parents=True)
    assert "me/street: no model here" in failed(capsys, "export", "me/street", "--format", "onnx")
    assert len(hub.asked) == asked, "a folder wins"


def test_what_a_push_refuses(
    hub: Hub,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = str(trained)
    assert "mine: no repository; give owner/name" in failed(capsys, "push", run, "mine")
    assert "a/b/c: no repository" in failed(capsys, "push", run, "a/b/c")
    assert "no such folder" in failed(capsys, "push", "runs/none", "me/tiny")
    assert "the hub refuses (403)" in failed(capsys, "push", run, "others/tiny")
    assert main(["push", run, "me/tiny"]) == 0
    told = failed(capsys, "push", run, "me/tiny", "--private")
    assert "me/tiny: exists and is public" in told
    assert len(hub.commits["me/tiny"]) == 1
    hub.full = True
    told = failed(capsys, "push", run, "me/other")
    assert "me/other: not pushed, the hub did not take all of it (RuntimeError)" in told
    assert "me/other" not in hub.commits
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert "the hub refuses (401); log in with" in failed(capsys, "push", run, "me/tiny")
    monkeypatch.delenv("HF_TOKEN")
    assert "needs a token with write permission" in failed(capsys, "push", run, "me/tiny")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set" in failed(capsys, "push", run, "me/tiny")


def test_a_base_that_others_do_not_have(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    source = find_model("sartm-nano")
    values = json.loads((source / "config.json").read_text())
    values["model"]["base"] = str(tmp_path)
    values["language"] = str(tmp_path / "vectors.npz")
    (folder / "config.json").write_text(json.dumps(values))
    for name in ("model.safetensors", "text.safetensors"):
        (folder / name).symlink_to(source / name)
    told = failed(capsys, "push", "model", "me/lora")
    assert "needs its base" in told
    assert "give --base owner/name" in told
    assert "no hub id" in failed(capsys, "push", "model", "me/lora", "--base", "../x")
    assert main(["push", "model", "me/lora", "--base", "facebook/sam2.1-hiera-tiny"]) == 0
    ((_, files),) = hub.commits["me/lora"]
    assert json.loads(files["config.json"])["model"]["base"] == "facebook/sam2.1-hiera-tiny"
    assert json.loads(files["config.json"])["language"] == "vectors.npz"
    assert "- Base: `facebook/sam2.1-hiera-tiny`" in files["README.md"].decode()
    assert str(tmp_path) not in (files["config.json"] + files["README.md"]).decode()


def test_models_that_are_not_there(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (64, 64)).save("x.png")
    words = ["--rgb", "x.png", "--out", "out"]
    assert "it has no such repository" in failed(capsys, "predict", "me/none", *words)
    assert main(["push", "nano-small", "me/small"]) == 0
    told = failed(capsys, "predict", "me/small@v9", *words)
    assert "model me/small: neither a local folder nor reachable" in told
    assert "has no revision v9" in told
    hub.commits["me/small"][0][1].pop("model.safetensors")
    assert "holds no model.safetensors" in failed(capsys, "predict", "me/small", *words)


@pytest.mark.slow
def test_the_command_with_the_hubs_own_settings(trained: Path, tmp_path: Path) -> None:
    """HF_ENDPOINT, HF_TOKEN and HF_HOME, in processes of their own; then offline from the cache."""
    with running_hub() as hub:
        settings = {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HOME": str(tmp_path / "home")}
        settings |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"}
        environment = os.environ | settings
        command = [sys.executable, "-m", "samantic", "push", str(trained), "me/tiny"]
        subprocess.run(command, env=environment, check=True, cwd=tmp_path)
        ((commit, _),) = hub.commits["me/tiny"]
        code = "import samantic; print(samantic.load('me/tiny@{}', device='cpu').folder)"
        load = [sys.executable, "-c", code.format(commit)]
        subprocess.run(load, env=environment, check=True, cwd=tmp_path)
    environment |= {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(load, env=environment, check=True, cwd=tmp_path, capture_output=True)
    folder = Path(done.stdout.decode().strip())
    ours, theirs = (load_file(path / "model.safetensors") for path in (trained / "model", folder))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
