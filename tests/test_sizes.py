"""Functions fit a screen, and files hold one idea: the longest of each stay within a bound."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SRC = Path(__file__).parents[1] / "src" / "samantic"

MOST_IN_FUNCTION = 45
"""Lines of a function without its docstring."""

MOST_IN_FILE = 300
"""Lines of a file."""


def functions(path: Path) -> Iterator[tuple[int, str]]:
    """Lines of each function of a file without its docstring, and where it begins."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = int(node.end_lineno or 0) - node.lineno + 1
            if ast.get_docstring(node) is not None:
                said = node.body[0]
                lines -= int(said.end_lineno or 0) - said.lineno + 1
            yield lines, f"{path.relative_to(SRC)}:{node.lineno} {node.name}"


def test_functions_fit_a_screen() -> None:
    long = [one for path in SRC.rglob("*.py") for one in functions(path)]
    assert not [one for one in sorted(long, reverse=True) if one[0] > MOST_IN_FUNCTION]


def test_files_hold_one_idea() -> None:
    long = {
        str(path.relative_to(SRC)): len(path.read_text(encoding="utf-8").splitlines())
        for path in SRC.rglob("*.py")
    }
    assert not {path: lines for path, lines in long.items() if lines > MOST_IN_FILE}
