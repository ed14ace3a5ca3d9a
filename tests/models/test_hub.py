"""Names leave this machine only where they are the hub's, and the hub is asked once."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from samantic.errors import InputError
from samantic.models import hub, load_sam2
from samantic.models.students.segformer_parts import build_segformer
from samantic.predict.model_folder import find_model


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What the hub is asked, which gives no answer but an error."""
    found: list[str] = []

    def ask(url: str, **_: Any) -> None:
        found.append(url)
        raise ConnectionError

    monkeypatch.setattr(hub, "is_offline_mode", lambda: False)
    monkeypatch.setattr(hub, "get_hf_file_metadata", ask)
    monkeypatch.chdir(tmp_path)
    hub.no_answer.cache_clear()
    return found


@pytest.mark.parametrize(
    ("load", "name", "meant"),
    [
        (load_sam2, "sam-nanoo", "sam-nano"),
        (load_sam2, "efficientnet-lite9", "efficientnet-lite0"),
        (lambda name: build_segformer(name, 3), "efficientnet-lite9", "efficientnet-lite"),
        (find_model, "nanno", "nano"),
        (find_model, "sartm_nano", "sartm-nano"),
        *(
            (load, name, None)
            for load in (load_sam2, lambda name: build_segformer(name, 3), find_model)
            for name in ("./no/such/folder", "~/model", "/no/such", "a/b/c", "runs/secret",
                         "mine/x", "../x", "own", "a b/c", "x/")
        ),
    ],
)  # fmt: skip
def test_paths_are_not_asked(
    asked: list[str], tmp_path: Path, load: Any, name: str, meant: str | None
) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError) as caught:
        load(name)
    assert asked == []
    assert name in str(caught.value)
    assert "no such folder" in str(caught.value)
    assert meant is None or f"(did you mean {meant}" in str(caught.value)


@pytest.mark.parametrize("name", ["facebok/sam2", "hf://facebok/sam2"])
@pytest.mark.parametrize("load", [load_sam2, find_model])
def test_the_hub_is_asked_once(asked: list[str], load: Any, name: str) -> None:
    for _ in range(2):
        with pytest.raises(InputError, match="neither a local folder nor reachable on the hub"):
            load(name)
    assert len(asked) == 1
    assert "facebok/sam2" in asked[0]


def test_a_scheme_asks_where_a_folder_has_the_name(asked: list[str], tmp_path: Path) -> None:
    (tmp_path / "facebok").mkdir()
    with pytest.raises(InputError, match="neither"):
        load_sam2("hf://facebok/sam2")
    assert len(asked) == 1


def test_a_hub_that_is_silent(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    silence = threading.Event()
    monkeypatch.setattr(hub, "get_hf_file_metadata", lambda *_, **__: silence.wait())
    monkeypatch.setattr(hub, "PATIENCE", 0.1)
    start = time.perf_counter()
    with pytest.raises(InputError, match=r"no answer in 0\.1 seconds"):
        load_sam2("facebook/sam2")
    assert time.perf_counter() - start < 5
    silence.set()


def test_what_the_hub_has_or_gave_before(
    asked: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = tmp_path / "kept" / "config.json"
    monkeypatch.setattr(hub, "try_to_load_from_cache", lambda *_, **__: str(kept))
    assert hub.locate("owner/model", "base", "") == str(kept.parent)
    hub.no_answer.cache_clear()
    monkeypatch.setattr(hub, "get_hf_file_metadata", lambda *_, **__: None)
    assert hub.locate("owner/model", "base", "") == "owner/model"
    assert hub.locate("hf://owner/model", "base", "") == "owner/model"
