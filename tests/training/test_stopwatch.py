from __future__ import annotations

import time

import torch

from freeze_gui.training.stopwatch import Stopwatch


def test_the_time_between_two_marks_is_that_of_the_clock() -> None:
    watch = Stopwatch(torch.device("cpu"))
    outside = time.perf_counter()
    begin = watch.mark()
    time.sleep(0.01)
    end = watch.mark()
    outside = time.perf_counter() - outside
    assert 0.01 <= watch.total([(begin, end)]) <= outside
    assert watch.total([(begin, end), (begin, begin)]) == watch.total([(begin, end)])
