"""The processes that read the pairs of a training."""

from __future__ import annotations

import signal
import sys

import pytest

from samantic.data.workers import leave_trouble


@pytest.fixture
def in_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    leave_trouble(0)


@pytest.mark.usefixtures("in_a_process")
@pytest.mark.parametrize(
    "error", [ConnectionResetError(104, "reset"), EOFError(), BrokenPipeError()]
)
def test_a_main_process_that_left_is_no_news(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    sys.excepthook(type(error), error, None)
    assert not capsys.readouterr().err


@pytest.mark.usefixtures("in_a_process")
def test_other_errors_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    sys.excepthook(ValueError, ValueError("odd"), None)
    assert "ValueError: odd" in capsys.readouterr().err
