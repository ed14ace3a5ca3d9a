"""The notebook of the examples runs, and what it shows is what it gives now."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parents[1] / "examples" / "04_notebook.ipynb"


def shown(notebook: Any) -> list[str]:
    """What each cell prints and returns, with numbers left out, which differ by machine.

    A cell's prints come in one piece or in several, as the clock has it.
    """
    texts = []
    for cell in notebook.cells:
        parts = [
            output.get("text") or output.get("data", {}).get("text/plain", "")
            for output in cell.get("outputs", ())
        ]
        texts.append(re.sub(r"[\d.,]+|\s+", " ", " ".join(map(str, parts))).strip())
    return texts


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_notebook_runs(tmp_path: Path) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    stored = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(stored)
    again = nbformat.read(NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(again, timeout=300, resources={"metadata": {"path": tmp_path}})
    client.execute()
    assert not any("error" in str(cell.get("outputs")) for cell in again.cells)
    code = [cell for cell in again.cells if cell.cell_type == "code"]
    assert all(cell.outputs for cell in code)
    assert "image/png" in code[0].outputs[-1].data
    words = [set(text.split()) for text in shown(stored)]
    assert [set(text.split()) for text in shown(again)] == words
