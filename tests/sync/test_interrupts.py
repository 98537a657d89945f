"""A signal that comes while an outcome is noted waits until it is noted in full."""

from __future__ import annotations

import signal
import threading

import pytest

from lokictl.sync.apply import interrupts_later

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def stop(number: int, frame: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("sent", SIGNALS)
def test_a_signal_waits_for_the_end_of_the_block(sent: signal.Signals) -> None:
    before = signal.signal(sent, stop)
    steps: list[str] = []

    def note() -> None:
        with interrupts_later():
            steps.append("written")
            signal.raise_signal(sent)
            signal.raise_signal(sent)
            steps.append("noted")

    try:
        with pytest.raises(KeyboardInterrupt):
            note()
        assert signal.getsignal(sent) is stop
    finally:
        signal.signal(sent, before)
    assert steps == ["written", "noted"]


@pytest.mark.parametrize("sent", SIGNALS)
def test_handlers_are_put_back(sent: signal.Signals) -> None:
    before = signal.getsignal(sent)
    with interrupts_later():
        assert signal.getsignal(sent) is not before
    assert signal.getsignal(sent) is before


def test_other_threads_leave_signals_alone() -> None:
    seen: list[object] = []

    def work() -> None:
        with interrupts_later():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]
