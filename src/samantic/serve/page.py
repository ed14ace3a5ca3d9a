"""The files of the page, which are part of the package, and a page that describes the API."""

from __future__ import annotations

import mimetypes
from html import escape
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("page")

START = "index.html"

KINDS = {".js": "text/javascript", ".mjs": "text/javascript", ".svg": "image/svg+xml"}
"""Media types that differ between machines."""


def page_files() -> dict[str, tuple[bytes, str]]:
    """Content and media type of each file by its name below the page's folder."""
    return {
        path.relative_to(FOLDER).as_posix(): (path.read_bytes(), _kind(path))
        for path in sorted(FOLDER.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def _kind(path: Path) -> str:
    usual = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return KINDS.get(path.suffix, usual)


def describe(api: dict[str, Any]) -> str:
    """A plain page about an API, made from its OpenAPI description; it loads no other files."""
    parts = [
        _operation(path, method, one)
        for path, ways in api["paths"].items()
        for method, one in ways.items()
    ]
    title = escape(api["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><h1>{title}</h1>'
        f"<p>{escape(api['info']['description'])} The same for programs: "
        f'<a href="/openapi.json">openapi.json</a>.</p>{"".join(parts)}</html>'
    )


def _operation(path: str, method: str, one: dict[str, Any]) -> str:
    content = one.get("requestBody", {}).get("content", {})
    fields = [
        (name, about.get("description", ""))
        for form in content.values()
        for name, about in form["schema"].get("properties", {}).items()
    ]
    fields += [(each["name"], each.get("description", "")) for each in one.get("parameters", ())]
    answers = [(code, about["description"]) for code, about in one["responses"].items()]
    return (
        f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
        f"<p>{escape(one.get('description', one['summary']))}</p>{_list(fields)}{_list(answers)}"
    )


def _list(items: list[tuple[str, str]]) -> str:
    lines = (f"<dt><code>{escape(n)}</code></dt><dd>{escape(t)}</dd>" for n, t in items)
    return f"<dl>{''.join(lines)}</dl>" if items else ""
