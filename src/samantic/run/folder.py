"""When a run folder may be written to, and when a stopped run may be resumed in it.

A resumed run must be the same run: its data and their content, its classes, and every option that
affects what is learnt must equal those at its start. Options that only affect duration, place or
device may change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from samantic.config.distill import DistillConfig
from samantic.config.read import read_any_config
from samantic.config.train import Config
from samantic.data.pairs import PairedFolder
from samantic.errors import InputError
from samantic.files import read_json
from samantic.learn.resume import checkpoints
from samantic.progress import progress, tell
from samantic.provenance import INPUTS, digest, files_digest, write_inputs

MAY_CHANGE = frozenset(
    {
        "out",
        "data.test",
        "data.workers",
        "masks.cache",
        "train.accumulate",
        "train.checkpointing",
        "train.compile",
        "train.devices",
        "train.epochs",
        "train.log",
        "train.precision",
        "train.save_minutes",
        "train.steps",
        "train.validations",
    }
)
"""Keys of a configuration that may change when a run is resumed."""

RESULTS = ("metrics.json", "comparison.json", "summary.json", "report.html")
"""Files that a finished run holds, or that evaluations and predictions write."""

Inputs = dict[str, dict[str, str]]
"""Digests of a run's inputs by name: of pairs by split, and of models, texts and masks."""


def claim(out: Path, resume: bool) -> None:
    """Refuse to overwrite a run or another verb's results, or to resume a run that is not there.

    Raises:
        InputError: One of these is the case.
    """
    there = bool(checkpoints(out))
    if there and not resume:
        raise InputError(
            f"{out}: holds a run already; add --resume to continue it, or give another --out"
        )
    if found := [] if there else [name for name in RESULTS if (out / name).exists()]:
        raise InputError(
            f"{out}: holds {found[0]}, and no run that could be continued; give another --out"
        )
    if resume and not there:
        raise InputError(f"{out}: no last.ckpt to resume from; start without --resume")
    if not there and (out / "config.yaml").exists():
        tell(f"{out}: a run started here and ended before its first save; it starts again")


def check_config(out: Path, config: Config | DistillConfig) -> None:
    """Refuse to resume a run whose options differ in keys other than `MAY_CHANGE`.

    Raises:
        InputError: The options differ; the message names the keys.
    """
    before = read_any_config(out / "config.yaml")
    if type(before) is not type(config):
        raise InputError(f"{out}: holds a run of another kind; give another --out")
    old, new = (_flat(asdict(values)) for values in (before, config))
    differ = sorted(k for k in new if old.get(k) != new[k] and k not in MAY_CHANGE)
    if differ:
        first = differ[0]
        raise InputError(
            f"{out}: the run was started with other {', '.join(differ)} ({first} {old.get(first)}, "
            f"now {new[first]}); resume it with its own config.yaml, or give another --out"
        )


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Values by their whole key, such as `data.root`; tuples become lists, paths absolute."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            found |= _flat(value, f"{name}.")
        elif name == "data.root":
            found[name] = str(Path(value).resolve())
        else:
            found[name] = _listed(value)
    return found


def _listed(value: Any) -> Any:
    return [_listed(part) for part in value] if isinstance(value, list | tuple) else value


def data_inputs(splits: Mapping[str, PairedFolder]) -> Inputs:
    """Digests of the content of every pair's files; a pair that is listed twice has another digest.

    The rig belongs to the content, because it may come from a file.
    """
    found: Inputs = {}
    for key, pairs in splits.items():
        often = Counter(files.name for files in pairs.files)
        files = {pair.name: pair for pair in pairs.files}
        bar = progress(files.items(), f"look at {key}", "pair", delay=1, leave=False)
        found[key] = {
            name: files_digest((*pair.paths, pair.labels), str(often[name])) for name, pair in bar
        }
    camera = splits["train"].camera
    return {**found, "camera": {"data.rig": digest(camera.stored())}}


def keep_inputs(out: Path, inputs: Inputs, resume: bool) -> None:
    """Record the inputs of a run, or refuse to resume a run with other inputs.

    The test pairs and the model from which the run started may change.

    Raises:
        InputError: The content of the data, the base, the teacher or the masks has changed.
    """
    before = {}
    if resume and (out / INPUTS).exists():
        check_inputs(out, {k: part for k, part in inputs.items() if k not in ("test", "start")})
        before = {"start": read_json(out / INPUTS).get("start", {})}
    write_inputs(out, inputs | before)


def check_inputs(out: Path, inputs: Inputs) -> None:
    """Refuse a run folder with other inputs; those that an older version did not record may differ.

    Raises:
        InputError: An input has changed; the message names the first.
    """
    if not (out / INPUTS).exists():
        return
    before = read_json(out / INPUTS)
    for key, now in inputs.items():
        then = before.get(key, now) if isinstance(before, dict) else None
        if not isinstance(then, dict):
            raise InputError(f"{out / INPUTS}: not written by samantic; remove it")
        changed = sorted(name for name in {**then, **now} if then.get(name) != now.get(name))
        if changed:
            raise InputError(
                f"{out}: the run was started with other content ({len(changed)} of {len(now)} in "
                f"{key} differ, first {changed[0]}); restore them, give another --out, or remove "
                f"{INPUTS} there if the change is meant"
            )
