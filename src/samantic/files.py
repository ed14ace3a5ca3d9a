"""Files that are either whole or absent: written under a temporary name, then renamed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from samantic.errors import InputError


class _OnceLoader(yaml.SafeLoader):
    """YAML's safe loader, which refuses a key that stands twice: the first would be lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for number, key in enumerate(keys):
            if key in keys[:number] and key != "<<":
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key} is given twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it becomes `path`, on failure it vanishes.

    The suffix of `path` is kept, since libraries choose a format by it. Folders are created.

    Example:
        >>> with replacing(Path("labels.png")) as temporary:
        ...     image.save(temporary)
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON atomically; NaN is refused, since JSON has none."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_tensors(path: Path, tensors: dict[str, Any], metadata: dict[str, str]) -> None:
    """Write safetensors atomically.

    Raises:
        OSError: The disk is full.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    with replacing(path) as temporary:
        try:
            save_file(tensors, temporary, metadata)
        except SafetensorError as error:  # its word for a full disk
            raise OSError(f"{path}: {error}") from error
        temporary.chmod(0o644)  # safetensors leaves it to its owner alone


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises:
        InputError: The file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: not valid JSON ({error}); write it anew") from None


def holds_json(path: Path, value: Any) -> bool:
    """Whether there is a file with what `write_json` makes of a value, which turns tuples to lists.

    Raises:
        InputError: The file is not JSON.
    """
    return path.exists() and read_json(path) == json.loads(json.dumps(value))


def read_yaml(path: Path, what: str) -> Any:
    """Read YAML.

    Args:
        path: The file.
        what: What it should be, for the error if there is none.

    Raises:
        InputError: The file is missing or is not YAML.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _OnceLoader)  # noqa: S506  # a safe one
    except FileNotFoundError:
        raise InputError(f"{path}: no such {what}") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from None
