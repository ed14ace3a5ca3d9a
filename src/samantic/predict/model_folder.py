"""Trained models on disk: a folder with config.json, model.safetensors and a card (README.md).

If language guided the training, text.safetensors holds the vectors of the class names.

Tensors of the base are not stored again. A model adapted from a SAM2 checkpoint stores its trained
tensors, the name of the base and a fingerprint by which the base is checked. A model on a built-in
random base stores every parameter. So does a student, which never needs its base again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from samantic.config.train import TextConfig
from samantic.data.class_names import kept_classes
from samantic.errors import InputError
from samantic.files import write_json, write_tensors, write_text
from samantic.models.build import build
from samantic.models.encoders.bases import SHIPPED_BASES
from samantic.models.network import Network, broken
from samantic.models.text import TextVectors, class_vectors, write_vectors
from samantic.models.transfer import take_over
from samantic.predict.info import CONFIG, EXPORTED, ModelInfo, read_info, stored_info
from samantic.provenance import files_digest
from samantic.spelling import remedy
from samantic.strings import code, escaped

WEIGHTS, TEXT, CARD = "model.safetensors", "text.safetensors", "README.md"

SHIPPED = Path(__file__).parents[1] / "weights"
"""Models that come with the package, a folder each."""


def save_model(
    folder: Path, network: Network, info: ModelInfo, text: TextVectors | None = None
) -> None:
    """Write a model folder; an older model in it is replaced only once the new one is complete.

    Raises:
        InputError: A weight is NaN or infinite.
    """
    if (name := broken(network.stored().items())) is not None:
        raise InputError(
            f"{folder}: not written, since {name} of the network is not finite; train anew with a "
            "lower train.learning_rate"
        )
    tensors = {name: p.detach().cpu().contiguous() for name, p in network.stored().items()}
    write_tensors(folder / WEIGHTS, tensors, {"format": "pt"})
    if text is not None:
        write_vectors(folder / TEXT, text, info.classes)
    store_info(
        folder, replace(info, shape=network.shape, base_fingerprint=base_fingerprint(network))
    )
    write_card(folder, info)


def store_info(folder: Path, info: ModelInfo) -> None:
    """Write config.json of a model folder."""
    write_json(folder / CONFIG, stored_info(info))


def write_card(folder: Path, info: ModelInfo, metrics: dict[str, Any] | None = None) -> None:
    """Write the model card, with the metrics of an evaluation where there is one."""
    write_text(folder / CARD, card_text(info, metrics))


def card_text(info: ModelInfo, metrics: dict[str, Any] | None = None) -> str:
    """The model card, in Markdown."""
    from jinja2 import Environment, PackageLoader

    templates = Environment(
        loader=PackageLoader("samantic.predict", "templates"),
        trim_blocks=True,
        autoescape=False,  # noqa: S701  # Markdown, not HTML: names pass through these filters
    )
    templates.filters.update(text=escaped, code=code)
    return templates.get_template("card.md").render(info=info, metrics=metrics)


def load_model(name_or_path: str | Path) -> tuple[Network, ModelInfo]:
    """Load a trained network, in evaluation mode and float32 on the CPU.

    Args:
        name_or_path: A run folder, a model folder, nano or sartm-nano (both come with the package),
            or a hub id `owner/name`; `owner/name@revision` pins a commit, tag or branch.

    Raises:
        InputError: There is no model, or its files do not fit together.
    """
    folder = find_model(name_or_path)
    info = read_info(folder)
    network = build(info.model, info.adapt, len(info.classes), shape=info.shape, trained=True)
    if info.base_fingerprint and info.base_fingerprint != base_fingerprint(network):
        raise InputError(
            f"{folder}: trained on other weights of the base {info.model.base} than are there now; "
            "restore the old weights, or train again"
        )
    try:
        tensors = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        reason = str(error) if isinstance(error, OSError) else "no safetensors, or damaged"
        raise InputError(f"{folder / WEIGHTS}: not readable ({reason}); copy it anew") from None
    expected, found = (
        {name: (tensor.shape, tensor.is_floating_point()) for name, tensor in part.items()}
        for part in (network.stored(), tensors)
    )
    wrong = sorted(
        name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)
    )
    if wrong:
        raise InputError(
            f"{folder / WEIGHTS}: does not fit config.json, first at {wrong[0]}; take both files "
            "from the same run"
        )
    if (name := broken(tensors.items())) is not None:
        raise InputError(
            f"{folder / WEIGHTS}: {name} is not finite, so the model cannot answer; train anew "
            "with a lower train.learning_rate"
        )
    network.load_state_dict(tensors, strict=False)
    return network.eval(), info


def check_start(info: ModelInfo, name_or_path: str | Path) -> None:
    """Refuse a model of another network to start from, before anything is built or fetched.

    Args:
        info: What the new network is built from.
        name_or_path: See `start_from`.

    Raises:
        InputError: There is no such model, or it describes another network; the line ends with the
            command that takes its network.
    """
    other = read_info(find_model(name_or_path))
    section, alike = info.model.section, info.model.network == other.model.network
    differ: dict[str, tuple[str, object]] = {}
    for key in other.model.structure:
        theirs, ours = getattr(other.model, key), getattr(info.model, key, None)
        if theirs != ours and not (alike and info.model.starts_from(key, theirs)):
            differ[f"{section}.{key}"] = theirs, ours
    for key in ("method", "rank", "shared") if alike else ():  # another network adapts otherwise
        theirs, ours = getattr(other.adapt, key), getattr(info.adapt, key)
        if theirs != ours:
            differ[f"adapt.{key}"] = theirs, ours
    if differ:
        full, (theirs, ours) = next(iter(differ.items()))
        values = {
            key: str(theirs).lower() if isinstance(theirs, bool) else str(theirs)
            for key, (theirs, _) in differ.items()
        }
        raise InputError(
            f"{name_or_path}: has {full} {theirs}, this run {ours}; set the same, as in "
            f"{remedy(values)}, or train without train.start"
        )


def start_from(network: Network, info: ModelInfo, name_or_path: str | Path) -> str:
    """Initialise a new network with the weights of a trained one; see `take_over`.

    Args:
        network: The network that `info` describes.
        info: Its description.
        name_or_path: A run folder, a model folder, or a hub id of a model of the same kind of
            network. A model with an encoder for each camera can initialise one with a single
            encoder; a short encoder takes the blocks that both have.

    Returns:
        A line that says which classes keep their weights and which start anew.

    Raises:
        InputError: There is no such model, or its network differs.
    """
    check_start(info, name_or_path)
    source, other = load_model(name_or_path)
    same = take_over(network, info.classes, source, other.classes)
    return f"started from {name_or_path}: {kept_classes(info.classes, other.classes, same)}"


def find_model(name_or_path: str | Path) -> Path:
    """The model folder of a run folder, a model folder, a shipped model or a hub id.

    Raises:
        InputError: There is none.
    """
    path = Path(name_or_path)
    if str(path) in SHIPPED_BASES:
        raise InputError(
            f"{path}: a base, not a trained model; train on it with model.base {path}, or use "
            "sartm-nano"
        )
    own = [SHIPPED / path] if str(path) == path.name else []  # the user's own folder is ./nano
    for folder in (path / "model", path, *own):
        if (folder / CONFIG).is_file() and (folder / WEIGHTS).is_file():
            return folder
    cure = f"no model here; give a run folder, or a folder with {CONFIG} and {WEIGHTS}"
    if path.suffix in EXPORTED and path.is_file():
        raise InputError(f"{path}: an exported file; give the model that it was made from")
    if path.exists():
        raise InputError(f"{path}: {cure}")
    return _from_hub(str(name_or_path), cure)


def _from_hub(full: str, cure: str) -> Path:
    """The folder into which a hub model is downloaded, or the model folder inside it.

    Args:
        full: `owner/name`, or `owner/name@revision`: a commit, a tag or a branch.
        cure: What the user can do, for the error.

    Raises:
        InputError: There is no such model, or the hub does not answer.
    """
    from httpx import HTTPError  # huggingface_hub raises it
    from huggingface_hub import snapshot_download  # not needed for a model on this disk

    from samantic.models.hub import locate

    name, _, revision = full.partition("@")
    known = (folder.name for folder in SHIPPED.iterdir())
    if "/" not in name:  # no repository id, even with a revision
        name, revision = full, ""
    found = locate(name, "model", cure, known, revision or None)
    try:
        there = Path(found)
        if not there.is_dir():
            wanted = [WEIGHTS, CONFIG, TEXT]
            there = Path(snapshot_download(found, revision=revision or None, allow_patterns=wanted))
    except (HTTPError, OSError, ValueError) as error:
        raise InputError(
            f"{full}: the hub stopped answering ({type(error).__name__}); try again"
        ) from None
    if not (there / WEIGHTS).is_file():
        raise InputError(f"{full}: its repository holds no {WEIGHTS}; {cure}")
    return there


def read_text_vectors(folder: Path, info: ModelInfo) -> TextVectors | None:
    """Read the vectors of the class names stored with a model; None without language.

    Raises:
        InputError: The file is missing or malformed.
    """
    if info.language is None:
        return None
    config = TextConfig(str(folder / TEXT))
    return class_vectors(config, info.classes)._replace(source=info.language, terms=info.terms)


def fingerprint(folder: Path) -> str:
    """SHA-256 of a model's weights and of its config.json, 16 hexadecimal digits."""
    return files_digest((folder / WEIGHTS, folder / CONFIG))


def tensors_fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of tensors and their names, 16 hexadecimal digits."""
    found = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        found.update(name.encode())
        content = tensor.detach().cpu().contiguous().view(-1).view(torch.uint8)
        found.update(content.numpy().data)
    return found.hexdigest()[:16]


def base_fingerprint(network: Network) -> str | None:
    """Fingerprint of the tensors that the base provides; None without any."""
    provided = network.provided()
    return tensors_fingerprint(provided) if provided else None
