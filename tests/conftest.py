"""Set before anything else is imported: no display, no network, one thread."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")   # read once, when CUDA starts

import socket
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection but those within the machine: a test that needs the network is no test."""

    def refuse(self: socket.socket, address: Any, *rest: object) -> NoReturn:
        raise OSError(f"tests run without a network, and this one asked for {address}")

    connect = socket.socket.connect

    def local_only(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            refuse(self, address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)


@pytest.fixture(autouse=True)
def torch_as_it_was() -> Iterator[None]:
    """Give every test the same threads, random state and determinism, whatever the test before left."""
    torch.manual_seed(0)
    yield
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(False)
