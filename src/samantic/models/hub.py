"""Where a network's files are: in a local folder, or on the model hub, which is queried once."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
from huggingface_hub.constants import is_offline_mode
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from samantic.config.values import similar
from samantic.errors import InputError

SCHEME = "hf://"
"""Prefix of a name that always means the hub, whatever local folders exist."""

PATIENCE = 12.0
"""Seconds to wait for the hub's answer."""

OWN_FOLDERS = ("runs", "run", "models", "model", "data", "out", "output", "weights", "checkpoints")
"""Usual names of local folders, which are not taken for owners on the hub."""


REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
"""A repository's name on the hub: owner/name."""


def locate(
    name: str, what: str, cure: str, known: Iterable[str] = (), revision: str | None = None
) -> str:
    """The local folder or hub id for a name.

    The hub is queried for `owner/name` only if there is no local folder `owner`. It is always
    queried for `hf://owner/name`, and never for any other name. If the hub does not answer, files
    that were downloaded before are used.

    Args:
        name: The name that the user gave.
        what: Its key or kind, for the error.
        cure: What the user can do, for the error.
        known: Names without a folder that the user may have meant.
        revision: Commit, tag or branch of the repository; None for its main branch.

    Returns:
        A folder, or the id of a repository that the hub has.

    Raises:
        InputError: There is neither; the line says where the name was looked up.
    """
    asked, repository = name.startswith(SCHEME), name.removeprefix(SCHEME)
    if not asked and Path(name).is_dir():
        return name
    plain = REPOSITORY.fullmatch(repository)
    owner = repository.partition("/")[0]
    own = not asked and (owner.lower() in OWN_FOLDERS or Path(owner).exists())
    if plain is None or own or (not asked and Path(name).exists()):
        meant = similar(name, known)
        guess = "" if meant is None else f" (did you mean {meant}?)"
        raise InputError(
            f"{what} {name}: no such folder{guess}, and not looked up on the hub, whose names are "
            f"owner/name or {SCHEME}owner/name; {cure}"
        )
    reason = no_answer(repository, revision)
    if reason is None:
        return repository
    kept = try_to_load_from_cache(repository, "config.json", revision=revision)
    if isinstance(kept, str):
        return str(Path(kept).parent)
    raise InputError(
        f"{what} {name}: neither a local folder nor reachable on the hub ({reason}); {cure}"
    )


@cache
def no_answer(repository: str, revision: str | None = None) -> str | None:
    """Why the hub does not return a repository's config.json; None if it does. One query."""
    if is_offline_mode():
        return "HF_HUB_OFFLINE is set"
    reasons: list[str | None] = []

    def ask() -> None:
        try:
            url = hf_hub_url(repository, "config.json", revision=revision)
            get_hf_file_metadata(url, timeout=PATIENCE / 3)
            reasons.append(None)
        except RepositoryNotFoundError:
            reasons.append("it has no such repository, or a private one")
        except RevisionNotFoundError:
            reasons.append(f"the repository has no revision {revision}")
        except EntryNotFoundError:
            reasons.append("the repository has no config.json")
        except HfHubHTTPError as error:
            reasons.append(f"its answer is {error.response.status_code}")
        except Exception as error:  # a network can fail in many ways
            reasons.append(f"no connection: {type(error).__name__}")

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PATIENCE)  # a host name may have several addresses, which are tried in turn
    return reasons[0] if reasons else f"no answer in {PATIENCE:g} seconds"
