"""What packages offer is there, and typed."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

import samantic

SRC = Path(samantic.__file__).parent
PACKAGES = sorted(
    ".".join(("samantic", *path.parent.relative_to(SRC).parts)) for path in SRC.rglob("__init__.py")
)


@pytest.mark.parametrize("name", PACKAGES)
def test_public_names_are_there(name: str) -> None:
    package = import_module(name)
    for public in getattr(package, "__all__", ()):
        assert getattr(package, public) is not None, public


@pytest.mark.parametrize("name", ["samantic", "samantic.models"])
def test_names_that_are_imported_late_are_listed(name: str) -> None:
    package = import_module(name)
    assert set(package.__all__) <= set(dir(package))
    with pytest.raises(AttributeError, match="nonsense"):
        package.nonsense  # noqa: B018


def test_types_are_for_users_too() -> None:
    assert (SRC / "py.typed").is_file()
