"""The clock that limits in seconds are held against: what the machine does else is taken off, and nothing more."""

from __future__ import annotations

import os
import threading

import pytest

from tests.chaos.fair import Spent, of, own, slower


def test_waiting_for_a_processor_is_taken_off_and_work_is_scaled() -> None:
    """Five seconds in the queue do not count, three of work on a machine three times slower are one."""
    assert Spent(wall=9.0, on=3.0, queued=5.0).fair(slower=3.0) == pytest.approx(2.0)
    assert Spent(wall=9.0, on=3.0, queued=0.0).fair(slower=1.0) == pytest.approx(9.0)
    assert slower() >= 1.0


def test_sleeping_counts_in_full() -> None:
    """What waits for nothing is late on any machine."""
    begun = own()
    threading.Event().wait(0.2)
    spent = own() - begun

    assert spent.wall >= 0.2
    assert spent.fair(slower=10.0) > 0.15


def test_a_process_is_looked_at_from_outside() -> None:
    """Its main thread and its children's: at least what this thread used."""
    before = own()

    assert of(os.getpid()).on >= before.on > 0
