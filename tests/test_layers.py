"""Imports point one way: a module may use its own layer's earlier modules and lower layers."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

SRC = Path(__file__).parents[1] / "src" / "samantic"

LAYERS = [
    ["errors", "strings", "spelling", "progress"],
    ["yaml_text"],
    ["files"],
    ["config", "provenance"],
    ["metrics", "losses", "display"],
    ["data"],
    ["scenes", "models"],
    ["learn", "predict"],
    ["runtime"],
    ["distill", "measure"],
    ["report"],
    ["run", "check", "convert", "calibrate"],
    ["export", "cluster"],
    ["ablation", "demo", "benchmark", "serve"],
    ["cli"],
    ["__main__"],
]
"""Folders and files of the package, lowest first."""


def imports(path: Path) -> set[str]:
    """First-level samantic modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("samantic."):
            found.add(str(node.module).split(".")[1])
        if isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("samantic.")}
    return found


def test_imports_point_one_way() -> None:
    rank = {name: i for i, layer in enumerate(LAYERS) for name in layer}
    seen = set()
    for path in SRC.rglob("*.py"):
        module = path.relative_to(SRC).parts[0].removesuffix(".py")
        if module == "__init__":
            continue
        seen.add(module)
        for target in imports(path) - {module}:
            assert rank[target] < rank[module], f"{path.name} imports samantic.{target}"
    assert sorted(seen) == sorted(name for layer in LAYERS for name in layer)


def test_contributors_read_the_same_order() -> None:
    text = (SRC.parents[1] / "CONTRIBUTING.md").read_text()
    rows = text.split("| row | holds |")[1].split("\n\n")[0].splitlines()[2:]
    assert [re.findall(r"`(\w+)`", row.split("|")[1]) for row in rows] == LAYERS


def test_pages_do_not_know_distillation() -> None:
    """`report` stands above `distill`, whose pictures are drawn by the run that made them."""
    for path in (SRC / "report").glob("*.py"):
        assert "distill" not in imports(path), path


def test_models_and_losses_do_not_know_lightning() -> None:
    for path in [
        *(SRC / "models").rglob("*.py"),
        SRC / "losses.py",
        *(SRC / "metrics").glob("*.py"),
    ]:
        assert "lightning" not in path.read_text(), path


def test_nothing_loads_what_it_does_not_need() -> None:
    """Neither the command line the numerics, nor prediction what training and reports need."""
    code = (
        "import sys, samantic, samantic.cli, samantic.config; samantic.cli.build_parser();"
        "heavy = {'torch', 'numpy', 'lightning', 'transformers', 'PIL'} & set(sys.modules);"
        "assert not heavy, heavy;"
        "import samantic.cli.predict, samantic.predict.folders, samantic.report.predictions;"
        "samantic.load('nano', device='cpu');"
        "heavy = {'lightning', 'torchmetrics', 'matplotlib', 'sklearn', 'transformers', 'kornia',"
        "'pycocotools', 'samantic.distill'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_only_training_loads_lightning() -> None:
    """It takes seconds, which every other verb does without."""
    code = (
        "import sys, samantic.run.compare, samantic.run.push, samantic.export.job,"
        "samantic.benchmark.job, samantic.check, samantic.convert, samantic.serve.app;"
        "heavy = {'lightning', 'torchmetrics', 'transformers', 'matplotlib'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_model_is_loaded_and_asked_without_detours() -> None:
    """Each of these takes its share of the second in which nano loads; torch takes the most."""
    code = (
        "import sys, numpy, samantic; model = samantic.load('nano', device='cpu');"
        "pair = numpy.zeros((64, 64, 3), 'u1'), numpy.zeros((64, 64), 'u1');"
        "model(*pair).overlay();"
        "heavy = {'transformers', 'lightning', 'torchmetrics', 'matplotlib', 'kornia', 'sklearn',"
        "'scipy', 'huggingface_hub', 'jinja2', 'pycocotools', 'supervision', 'requests',"
        "'httpx', 'samantic.report', 'samantic.learn'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
