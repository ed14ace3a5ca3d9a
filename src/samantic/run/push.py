"""Upload a trained model to the model hub: weights, config.json and a model card."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from samantic.data.cards.catalog import CATALOG
from samantic.data.cards.rgbt import PAIRS
from samantic.errors import InputError
from samantic.files import MIB, read_json, read_text, read_yaml
from samantic.models.hub import REPOSITORY, SCHEME
from samantic.predict.info import CONFIG, ModelInfo, info_of
from samantic.predict.model_folder import CARD, SHIPPED, TEXT, WEIGHTS, card_text, find_model
from samantic.strings import code, escaped

CONFIGURATION, METRICS = "config.yaml", "metrics.json"
"""Files of the run folder that are uploaded with its model."""


class Pushed(NamedTuple):
    """The place of a model on the hub."""

    url: str
    commit: str


def push(
    name_or_path: str | Path, repository: str, *, private: bool = False, base: str | None = None
) -> Pushed:
    """Upload a trained model in one commit; a missing repository is created.

    huggingface_hub gives token and address: `hf auth login` or HF_TOKEN, and HF_ENDPOINT.

    Args:
        name_or_path: Run folder, model folder or a shipped model.
        repository: owner/name.
        private: Make the repository private.
        base: Hub id of the base, if the model was trained on a folder with the same files.

    Raises:
        InputError: There is no such model, other users could not load it, or the hub refuses it.
    """
    repository = repository.removeprefix(SCHEME)
    if REPOSITORY.fullmatch(repository) is None:
        raise InputError(f"{repository}: no repository; give owner/name")
    folder = find_model(name_or_path)
    files = contents(folder, repository, base)
    return _upload(files, repository, private)


def contents(folder: Path, repository: str, base: str | None = None) -> dict[str, Path | bytes]:
    """The files to upload for a model folder, by name; none contains a path of this machine.

    Raises:
        InputError: The folder is malformed, or other users could not load the model.
    """
    values = read_json(folder / CONFIG, MIB)
    info_of(values, str(folder / CONFIG), "the one saved with the weights")
    _make_public(values, folder, base)
    info = info_of(values, str(folder / CONFIG), "the one saved with the weights")
    card = _card(folder, info, repository)
    content = json.dumps(values, indent=2) + "\n"
    found: dict[str, Path | bytes] = {CARD: card.encode(), CONFIG: content.encode()}
    names = (WEIGHTS, TEXT) if info.language is not None else (WEIGHTS,)
    for name in names:
        if not (folder / name).is_file():
            raise InputError(f"{folder / name}: no such file; copy the model folder anew")
    return found | {name: folder / name for name in names}


def _make_public(values: dict[str, Any], folder: Path, base: str | None) -> None:
    """Replace paths by names; the base must be available to other users.

    Raises:
        InputError: The model needs its base, which is a folder on this machine.
    """
    known = values["model"]["base"]
    if base is not None:
        if REPOSITORY.fullmatch(base) is None:
            raise InputError(f"--base {base}: no hub id; give owner/name")
        values["model"]["base"] = base
    elif _is_place(known):
        if values.get("base_fingerprint"):
            raise InputError(
                f"{folder}: needs its base {known}, a folder that others do not have; give --base "
                "owner/name, the hub's repository with the same files"
            )
        values["model"]["base"] = Path(known).name
    language = values.get("language")
    if language is not None and _is_place(language):
        values["language"] = Path(language).name


def _is_place(text: str) -> bool:
    """Whether a text is a path on this machine."""
    return text.startswith((".", "~")) or Path(text).is_absolute() or Path(text).exists()


def _card(folder: Path, info: ModelInfo, repository: str) -> str:
    """The model card with its terms: made anew with the recipe for a run, else the folder's own."""
    run = folder.parent
    if folder.parent == SHIPPED or not (run / CONFIGURATION).is_file():
        text = read_text(folder / CARD, "card") if (folder / CARD).is_file() else card_text(info)
    else:
        metrics = read_json(run / METRICS) if (run / METRICS).is_file() else None
        text = f"{card_text(info, metrics)}\n{_recipe(run)}"
    for place in ("PATH_OF_THIS_FOLDER", folder.name if folder.parent == SHIPPED else ""):
        text = text.replace(f'samantic.load("{place}")', f'samantic.load("{repository}")')
    head = "library_name: samantic\n"
    if "\nlicense: " not in text.partition("\n---")[0]:
        text = text.replace(head, f"{head}license: other\n", 1)
    return text if "\n## Terms\n" in text else f"{text.rstrip()}\n\n{_terms(info)}"


def _recipe(run: Path) -> str:
    """The configuration of a run, without paths of this machine."""
    values = read_yaml(run / CONFIGURATION, "configuration")
    values.pop("out", None)
    public = yaml.safe_dump(_without_places(values), sort_keys=False, allow_unicode=True)
    return f"## Recipe\n\n```yaml\n{public}```\n"


def _without_places(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _without_places(part, name) for name, part in value.items()}
    if isinstance(value, str) and (key == "root" or _is_place(value)):
        return Path(value).name
    return value


def _terms(info: ModelInfo) -> str:
    """The known terms of data and base."""
    lines = []
    spec = next((s for s in CATALOG.values() if s.title == info.dataset and s != PAIRS), None)
    if spec is None:
        lines.append(f"- Data: {escaped(info.dataset)}, whose owner sets the terms.")
    else:
        lines.append(f"- Data: {spec.title}, {spec.terms} ({spec.paper}; <{spec.source}>).")
    if info.base_fingerprint:
        lines.append(
            f"- Base: {code(info.model.base)}, under the terms of its own card; it is not in this "
            "repository."
        )
    lines.append("- Whoever publishes this model is responsible for the right to do so.")
    return "\n".join(["## Terms\n", *lines, ""])


def _upload(files: dict[str, Path | bytes], repository: str, private: bool) -> Pushed:
    """Upload the files in one commit.

    Raises:
        InputError: The hub does not answer, or refuses.
    """
    from httpx import HTTPError
    from huggingface_hub import CommitOperationAdd, HfApi, get_token
    from huggingface_hub.constants import is_offline_mode
    from huggingface_hub.errors import HfHubHTTPError

    login = "log in with `hf auth login`, or set HF_TOKEN"
    if is_offline_mode():
        raise InputError(f"{repository}: not pushed, since HF_HUB_OFFLINE is set; unset it")
    if get_token() is None:
        raise InputError(f"{repository}: the hub needs a token with write permission; {login}")
    api = HfApi(library_name="samantic")
    added = [
        CommitOperationAdd(name, content if isinstance(content, bytes) else os.fspath(content))
        for name, content in files.items()
    ]
    try:
        api.create_repo(repository, private=private or None, exist_ok=True)
        if private and not api.model_info(repository).private:
            raise InputError(
                f"{repository}: exists and is public; make it private on the hub, or give another"
            )
        done = api.create_commit(repository, added, commit_message="Model by samantic")
    except HfHubHTTPError as error:
        status = error.response.status_code
        cure = (
            f"{login}, with a token that has write permission"
            if status in (401, 403)
            else "try again"
        )
        raise InputError(f"{repository}: the hub refuses ({status}); {cure}") from None
    except (HTTPError, OSError, RuntimeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{repository}: not pushed, the hub did not take all of it ({type(error).__name__}); "
            "nothing was published; try again"
        ) from None
    return Pushed(str(done.repo_url), done.oid)
