"""What the documents tell a reader to type is typed here, in their order, in an empty folder."""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tools.reference import MODULES, page, public_names
from tools.reference import main as write_reference

from samantic.cli import main
from samantic.scenes.write import split_indices, write_scenes

ROOT = Path(__file__).parents[1]
WIDTH = 100
DOCUMENTS = sorted(
    path.relative_to(ROOT)
    for pattern in ("README.md", "CONTRIBUTING.md", "docs/**/*.md", "training/*.md", "src/**/*.md")
    for path in ROOT.glob(pattern)
    if path.parent != ROOT / "docs" / "reference" or path.name == "README.md"  # others are made
)
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run_blocks(document: Path, folder: Path, less: dict[str, str] | None = None) -> int:
    """Run what a document says, with less work where `less` says so, in place of what it says."""
    text = document.read_text()
    for long, short in (less or {}).items():
        assert text.count(long) == 1
        text = text.replace(long, short)
    blocks = BLOCK.findall(text)
    programs = Path(sys.executable).parent
    for language, block in blocks:
        command = {"sh": ["bash", "-euc", block], "python": [sys.executable, "-c", block]}[language]
        environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"}
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    return len(blocks)


def run_commands(block: str) -> None:
    """Run lines that only call samantic and write files, without a process for each."""
    file = re.compile(r"^cat > (\S+) <<END\n(.*?)^END$", re.MULTILINE | re.DOTALL)
    for name, text in file.findall(block):
        Path(name).write_text(text)
    for line in file.sub("", block).replace("\\\n", " ").splitlines():
        program, *words = shlex.split(line) or [""]
        assert program in ("", "samantic")
        assert not program or main(words) == 0, line


@pytest.mark.slow
def test_quickstart(tmp_path: Path) -> None:
    less = {
        "--count 20": "--count 10",
        "--size 240x320": "--size 120x160",
        "[224, 288]": "[96, 128]",
    }
    assert run_blocks(ROOT / "docs" / "quickstart.md", tmp_path, less) == 5
    assert len(list((tmp_path / "predictions" / "overlays").iterdir())) == 10
    assert (tmp_path / "overlay.png").exists()
    assert (tmp_path / "runs" / "mine" / "report.html").exists()


@pytest.mark.slow
def test_readme(tmp_path: Path) -> None:
    write_scenes(tmp_path / "mine", "pairs", split_indices(5), seed=0, size=(64, 96))
    for path in (tmp_path / "mine" / "labels").iterdir():
        labels = np.asarray(Image.open(path))
        Image.fromarray(np.where(labels < 3, labels, 0).astype(np.uint8)).save(path)
    for kind in ("rgb", "thermal"):
        shutil.copy(next((tmp_path / "mine" / kind).iterdir()), tmp_path / f"{kind}.png")
    less = {"crop: [256, 320]": "crop: [64, 96]", "batch_size: 4": "batch_size: 4, epochs: 2"}
    assert run_blocks(ROOT / "README.md", tmp_path, less) == 3
    assert (tmp_path / "runs" / "mine" / "report.html").exists()


@pytest.mark.slow
def test_recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs follow one another, as the page says."""
    write_scenes(tmp_path / "mine", "pairs", split_indices(10), seed=0, size=(64, 96))
    for path in (tmp_path / "mine" / "labels").iterdir():
        labels = np.asarray(Image.open(path))
        Image.fromarray(np.where(labels < 3, labels, 0).astype(np.uint8)).save(path)
    names = sorted(path.name for path in (tmp_path / "mine" / "rgb").iterdir())[:3]
    for kind in ("thermal16", "rgb-times", "thermal-times"):
        (tmp_path / "mine" / kind).mkdir()
    for path in (tmp_path / "mine" / "thermal").iterdir():
        counts = 28000 + 12 * np.asarray(Image.open(path)).astype(np.uint16)
        Image.fromarray(counts[::2, ::2]).save(tmp_path / "mine" / "thermal16" / path.name)
    for i, name in enumerate(names):
        for kind, late in (("rgb", 0), ("thermal", 17)):
            target = tmp_path / "mine" / f"{kind}-times" / f"{1706702400000 + 100 * i + late}.png"
            shutil.copy(tmp_path / "mine" / kind / name, target)
    for kind in ("rgb", "thermal", "thermal16"):
        shutil.copy(tmp_path / "mine" / kind / names[0], tmp_path / f"{kind}.png")
    counts = 28000 + 12 * np.asarray(Image.open(tmp_path / "thermal.png")).astype(np.uint16)
    Image.fromarray(counts).save(tmp_path / "thermal16.png")
    text = (ROOT / "docs" / "recipes.md").read_text()
    assert len(re.findall(r"^## \d+\. ", text, re.MULTILINE)) == 12
    programs = "\n".join(block for kind, block in BLOCK.findall(text) if kind == "python")
    commands = "\n".join(block for kind, block in BLOCK.findall(text) if kind == "sh")
    once = tmp_path / "recipes.md"
    once.write_text(f"```python\n{programs}```\n")
    assert run_blocks(once, tmp_path) == 1
    monkeypatch.chdir(tmp_path)
    run_commands(commands)
    assert (tmp_path / "coco.json").is_file()
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("thermal-only", "rig", "times", "night", "larger", "sure", "check", "two")
    }


def test_messages_of_the_troubleshooting_page_exist() -> None:
    """What stands in the first column is a part of a text in the package."""
    texts = [
        node.value
        for path in (ROOT / "src").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    everything = "\n".join(texts)
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    messages = [
        m for row in re.findall(r"^\| (`.*?) \| ", page, re.M) for m in row.split("`")[1::2]
    ]
    assert len(messages) > 20
    assert [message for message in messages if message not in everything] == []


def test_the_site_builds_without_warnings(tmp_path: Path) -> None:
    """A copy is built, since the tool writes beside what it reads."""
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    write_reference(tmp_path / "docs" / "reference")
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = {p.relative_to(tmp_path / "docs") for p in (tmp_path / "docs").rglob("*.md")}
    home = (tmp_path / "site" / "index.html").read_text()
    assert "images/nano.jpg" in home
    cards = home.partition('class="grid cards"')[2].partition("</div>")[0]
    assert len(re.findall(r"<li>\s*<p><strong><a href=", cards)) == 8
    navigation = (ROOT / "mkdocs.yml").read_text()
    assert all(f": {page.as_posix()}" in navigation for page in pages)


def test_pages_lead_to_the_next_one() -> None:
    """In the order of the navigation; results are one page here, and the reference comes last."""
    order = re.findall(r"^  - [^\n]+: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    order += ["results/README.md", "reference/README.md"]
    for here, after in pairwise(order):
        last = (ROOT / "docs" / here).read_text().splitlines()[-1]
        target = re.fullmatch(r"Next: \[[^\]]+\]\((\S+)\)", last)
        assert target, f"{here} does not end with a link to {after}"
        assert (
            (ROOT / "docs" / here)
            .parent.joinpath(target[1])
            .resolve()
            .samefile(ROOT / "docs" / after)
        ), here


def test_the_reference_has_every_public_name() -> None:
    index = (ROOT / "docs" / "reference" / "README.md").read_text()
    for module in MODULES:
        headings = re.findall(r"^## (\w+)$", page(module), re.MULTILINE)
        assert headings == public_names(module), module
        assert f"`{module}`" in index
        assert f"{module}.md" in (ROOT / "mkdocs.yml").read_text()


def test_the_reference_shows_what_docstrings_say() -> None:
    text = page("samantic.models")
    assert "samantic.models.FeatureRectification(channels: int)" in text
    assert "- `channels`: Channels C of a map." in text
    assert "AuxiliaryHead.forward" not in text  # its class describes it


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_prose_wraps_at_one_width(document: Path) -> None:
    """Tables, code, pictures and what cannot be broken, such as addresses, may be longer."""
    long, fenced = [], False
    for number, line in enumerate((ROOT / document).read_text().splitlines(), 1):
        fenced ^= line.lstrip().startswith("```")
        free = fenced or line.startswith(("|", "![", "{%")) or re.fullmatch(r"`[^`]*`", line)
        breakable = " " in re.sub(r"^\s*([-*]|\d+\.)?\s*", "", line)[: WIDTH - 4]
        if len(line) > WIDTH and breakable and not free:
            long.append(number)
    assert not long, f"{document}: lines {long} have more than {WIDTH} characters"


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_no_sentence_becomes_a_list(document: Path) -> None:
    """A line of a paragraph that begins like an item, as "32. The ..." would, is taken for one."""
    item = re.compile(r"\s*(\d+[.)]|[-+*])\s")
    prose = re.sub(r"```.*?```", "", (ROOT / document).read_text(), flags=re.DOTALL)
    for before, line in pairwise(prose.splitlines()):
        inside = before.strip() and not item.match(before) and not before.startswith(" ")
        assert not (inside and item.match(line)), f"{document}: {line}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_programs_in_documents_import_what_exists(document: Path) -> None:
    """Programs that are not run here: those that the shell gives to python, and links' targets."""
    text = (ROOT / document).read_text()
    programs = re.findall(r"^python - <<'?END'?\n(.*?)^END$", text, re.MULTILINE | re.DOTALL)
    programs += re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    programs += re.findall(r"python -c \"([^\"]*)\"", text)
    for program in programs:
        for node in ast.walk(ast.parse(program)):
            if isinstance(node, ast.ImportFrom):
                module = import_module(str(node.module))
                for alias in node.names:
                    assert hasattr(module, alias.name), f"{document}: {node.module}.{alias.name}"
            if isinstance(node, ast.Import):
                for alias in node.names:
                    import_module(alias.name)


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_files_that_documents_name_exist(document: Path) -> None:
    """Modules in backticks such as `models/fusion.py`, scripts, configurations and links."""
    text = (ROOT / document).read_text()
    for name in re.findall(r"`((?:\w+/)*\w+\.py)`", text):
        places = (ROOT / name, ROOT / "src" / "samantic" / name)
        assert any(place.exists() for place in places), f"{document}: {name}"
    folders = r"\b(?:training|benchmarks|examples|configs|tools)"
    for script in re.findall(rf"{folders}/[\w/]+\.(?:py|yaml)", text):
        assert (ROOT / script).exists(), f"{document}: {script}"
    for module in re.findall(r"`(samantic(?:\.[a-z_]\w*)+)`", text):
        assert found(module), f"{document}: {module}"
    for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
        assert (ROOT / document).parent.joinpath(link).exists(), f"{document}: {link}"


def found(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    try:
        return bool(import_module(name))
    except ModuleNotFoundError:
        module, _, last = name.rpartition(".")
        return hasattr(import_module(module), last)
