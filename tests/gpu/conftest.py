"""Where a machine has no CUDA device, the tests for one run on the stand-in: they have to work when there is one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from tests.support.stand_in_device import StandInDevice


@pytest.fixture(autouse=True)
def device(request: pytest.FixtureRequest) -> Iterator[None]:
    """Give each test a device."""
    if torch.cuda.is_available():
        yield
    elif request.node.get_closest_marker("needs_a_real_device"):
        pytest.skip("this machine has no CUDA device, and a stand-in does not show this")
    else:
        with StandInDevice().there():
            yield
