"""What happens around the steps of a training: validations, and steps that are not finite."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from samantic.errors import InputError
from samantic.learn.steps import SkipBroken, Validations, ends_part


def test_a_validation_follows_the_last_step_of_each_part() -> None:
    validations, due = Validations(3), list[tuple[int, int]]()
    for done in range(7):
        trainer: Any = SimpleNamespace(
            global_step=done, max_steps=7, val_check_batch=None, accumulate_grad_batches=2
        )
        for index in (2 * done, 2 * done + 1):  # two batches a step
            validations.on_train_batch_start(trainer, None, None, index)  # type: ignore[arg-type]
            if ends_part(trainer):
                due.append((done + 1, index))
    assert due == [(3, 5), (5, 9), (7, 13)]


def test_only_steps_in_a_row_end_a_training_and_only_their_pairs_are_named() -> None:
    """Nine broken steps and a good one, again and again, do not; ten in a row do."""
    strategy = SimpleNamespace(reduce_boolean_decision=bool)
    trainer: Any = SimpleNamespace(
        global_step=0, is_global_zero=True, strategy=strategy, accumulate_grad_batches=1
    )
    module: Any = torch.nn.BatchNorm1d(1)
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    skip = SkipBroken()

    def step(finite: bool) -> None:
        batch = SimpleNamespace(names=[f"pair {trainer.global_step}"])
        skip.on_train_batch_start(trainer, module, batch, 0)
        skip.on_before_backward(trainer, module, torch.tensor(1.0 if finite else torch.nan))
        skip.on_before_optimizer_step(trainer, module, optimizer)
        trainer.global_step += 1

    for finite in ([False] * 9 + [True]) * 2 + [False] * 9:
        step(finite)
    with pytest.raises(InputError) as caught:
        step(False)
    assert str(caught.value).startswith(
        "step 30: the loss was not finite in 10 steps in a row, for the pairs "
        + ", ".join(f"pair {i}" for i in range(20, 30))
        + ";"
    )
    assert skip.count == 28
