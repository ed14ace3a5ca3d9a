"""Trained models on disk: a folder with config.json, model.safetensors and a card (README.md).

Where language guided the training, text.safetensors holds the vectors of the class names.

What the base already holds is not stored again: a model adapted from a SAM2 checkpoint keeps its
trained tensors, names the base, and knows it again by a fingerprint. A model on a built-in random
base stores every parameter, and so does a student, which never needs its base again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import torch
from huggingface_hub import snapshot_download
from jinja2 import Environment, PackageLoader
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

import samantic
from samantic.config.read import check_network
from samantic.config.train import (
    EFFICIENTNETS,
    SHORT,
    Fusion,
    SegFormerFusion,
    TextConfig,
    TwoStreamFusion,
)
from samantic.data.class_names import kept_classes
from samantic.errors import InputError
from samantic.files import write_json, write_tensors, write_text
from samantic.models.encoders.bases import SHIPPED_BASES, is_random
from samantic.models.hub import locate
from samantic.models.network import Network, broken
from samantic.models.text import TextVectors, class_vectors, write_vectors
from samantic.models.transfer import take_over
from samantic.predict.info import CONFIG, ModelInfo, read_info
from samantic.provenance import files_digest
from samantic.strings import code, escaped

WEIGHTS, TEXT, CARD = "model.safetensors", "text.safetensors", "README.md"

SHIPPED = Path(__file__).parents[1] / "weights"
"""Models that come with the package, a folder each."""


def build_network(info: ModelInfo, *, trained: bool = False) -> Network:
    """Build the network on its base; a trained student without one.

    A network is imported when it is built: transformers takes seconds, which nano does not need.

    Args:
        info: What to build.
        trained: Trained weights will replace those of the base.

    Raises:
        InputError: The base cannot be loaded, or has no weights for the adaptation to start from,
            or an option does not fit the network.
    """
    model, adapt = info.model, info.adapt
    check_network(model, adapt)
    if model.network == "student":
        classes = len(info.classes)
        if model.base in EFFICIENTNETS:
            from samantic.models.students.two_stream import TwoStream

            streams = cast(TwoStreamFusion, model.fusion)
            return TwoStream(model.base, classes, fusion=streams, pretrained=not trained)
        from samantic.models.students.segformer import Student

        fusion = cast(SegFormerFusion, model.fusion)
        return Student(info.shape or model.base, classes, fusion=fusion)
    if is_random(model.base) and adapt.method in ("lora", "frozen") and not adapt.random_ok:
        raise InputError(
            f"adapt {adapt.method} on base {model.base}: a frozen random network teaches nothing; "
            "use --adapt full, a base with weights, or --adapt.random-ok if you mean it"
        )
    from samantic.models.encoders.sam2 import load_sam2
    from samantic.models.sartm import SARTM

    return SARTM(
        load_sam2(model.base),
        len(info.classes),
        fusion=cast(Fusion, model.fusion),
        auxiliary=model.auxiliary,
        decoder=model.decoder,
        context=model.context,
        adapt=adapt,
    )


def save_model(
    folder: Path, network: Network, info: ModelInfo, text: TextVectors | None = None
) -> None:
    """Write a model folder; an older model in it is replaced only once the new one is whole.

    Raises:
        InputError: A weight is NaN or infinite.
    """
    if (name := broken(_stored(network, info).items())) is not None:
        raise InputError(
            f"{folder}: not written, since {name} of the network is not finite; train anew with a "
            "lower train.learning_rate"
        )
    tensors = {name: p.detach().cpu().contiguous() for name, p in _stored(network, info).items()}
    write_tensors(folder / WEIGHTS, tensors, {"format": "pt"})
    if text is not None:
        write_vectors(folder / TEXT, text, info.classes)
    info = replace(info, shape=network.shape, base_fingerprint=_base_fingerprint(network, info))
    values = {"samantic": samantic.__version__, **asdict(info)}
    del values["camera"]
    write_json(folder / CONFIG, values | info.camera.stored())
    write_card(folder, info)


def write_card(folder: Path, info: ModelInfo, metrics: dict[str, Any] | None = None) -> None:
    """Write the model card, with the figures of an evaluation where there is one."""
    templates = Environment(
        loader=PackageLoader("samantic.predict", "templates"),
        trim_blocks=True,
        autoescape=False,  # noqa: S701  # Markdown, not HTML: names pass through these filters
    )
    templates.filters.update(text=escaped, code=code)
    template = templates.get_template("card.md")
    write_text(folder / CARD, template.render(info=info, metrics=metrics))


def load_model(name_or_path: str | Path) -> tuple[Network, ModelInfo]:
    """Load a trained network, in evaluation mode and float32 on the CPU.

    Args:
        name_or_path: A run folder, a model folder, nano or sartm-nano (which ship), or a hub id
            `owner/name`.

    Raises:
        InputError: There is no model, or its files do not fit together.
    """
    folder = find_model(name_or_path)
    info = read_info(folder)
    network = build_network(info, trained=True)
    if info.base_fingerprint and info.base_fingerprint != _base_fingerprint(network, info):
        raise InputError(
            f"{folder}: trained on other weights of the base {info.model.base} than are there now; "
            "restore those, or train again"
        )
    try:
        tensors = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        reason = str(error) if isinstance(error, OSError) else "no safetensors, or damaged"
        raise InputError(f"{folder / WEIGHTS}: not readable ({reason}); copy it anew") from None
    expected, found = (
        {name: (tensor.shape, tensor.is_floating_point()) for name, tensor in part.items()}
        for part in (_stored(network, info), tensors)
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


def start_from(network: Network, info: ModelInfo, name_or_path: str | Path) -> str:
    """Give a new network the weights of a trained one; see `take_over`.

    Args:
        network: The network that `info` describes.
        info: What it is built from.
        name_or_path: A run folder, a model folder, or a hub id of a model of the same network; one
            with an encoder for each camera may start one with a single encoder, and a short one
            takes over what its encoder has in common.

    Returns:
        A line on which classes keep what was learnt of them, and which start anew.

    Raises:
        InputError: There is no such model, or it describes another network.
    """
    source, other = load_model(name_or_path)
    for part, keys in {
        "model": ("network", "base", "fusion", "auxiliary", "context"),
        "adapt": ("method", "rank", "shared"),
    }.items():
        for key in keys:
            theirs, ours = (getattr(getattr(model, part), key) for model in (other, info))
            shorter = key == "base" and ours == f"{theirs}{SHORT}"
            if theirs != ours and not shorter and (theirs, ours) != ("two-stream", "early"):
                raise InputError(
                    f"{name_or_path}: has {part}.{key} {theirs}, this run {ours}; set {part}.{key} "
                    "alike, or train without train.start"
                )
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
    own = [SHIPPED / path] if str(path) == path.name else []  # a folder of one's own is ./nano
    for folder in (path / "model", path, *own):
        if (folder / CONFIG).is_file() and (folder / WEIGHTS).is_file():
            return folder
    cure = f"no model here; give a run folder, or a folder with {CONFIG} and {WEIGHTS}"
    if path.exists():
        raise InputError(f"{path}: {cure}")
    found = locate(str(name_or_path), "model", cure, (folder.name for folder in SHIPPED.iterdir()))
    try:
        there = Path(found)
        if not there.is_dir():
            there = Path(snapshot_download(found, allow_patterns=[WEIGHTS, CONFIG, TEXT]))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{name_or_path}: the hub stopped answering ({type(error).__name__}); try again"
        ) from None
    if not (there / WEIGHTS).is_file():
        raise InputError(f"{name_or_path}: its repository holds no {WEIGHTS}; {cure}")
    return there


def read_text(folder: Path, info: ModelInfo) -> TextVectors | None:
    """The vectors of the class names that were stored with a model; None without language.

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


def _base_fingerprint(network: Network, info: ModelInfo) -> str | None:
    """Fingerprint of the tensors that the base provides; None without any."""
    stored = _stored(network, info).keys()
    provided = {name: p for name, p in network.named_parameters() if name not in stored}
    return tensors_fingerprint(provided) if provided else None


def _stored(network: Network, info: ModelInfo) -> dict[str, Tensor]:
    """The tensors that the base does not provide; a shared one under its first name."""
    parameters = dict(network.named_parameters())
    if network.learnt is not None and not is_random(info.model.base):
        return {name: p for name, p in parameters.items() if name in network.learnt}
    persistent = network.state_dict().keys()
    buffers = {name: b for name, b in network.named_buffers() if name in persistent}
    return {**parameters, **buffers}
