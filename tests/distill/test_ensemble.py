"""Where the masks of a distillation come from, by its options."""

from __future__ import annotations

from pathlib import Path

import pytest

from samantic.config.distill import MasksConfig
from samantic.distill.damage import Damage
from samantic.distill.ensemble import mask_source
from samantic.distill.sources import DamagedMasks, FileMasks


@pytest.mark.parametrize("times", [0.5, 2.0])
def test_damage_is_a_multiple_of_the_usual_shares(tmp_path: Path, times: float) -> None:
    """And an eroded mask loses as many pixels as ever."""
    source = mask_source(MasksConfig("instances", damage=times, seed=3), None, tmp_path)
    assert isinstance(source, DamagedMasks)
    assert source.seed == 3
    expected = Damage(0.1 * times, 0.1 * times, 0.2 * times, 0.2 * times, erosion=3)
    assert source.damage == expected
    whole = mask_source(MasksConfig("instances"), None, tmp_path)
    assert whole == FileMasks(tmp_path / "instances")
