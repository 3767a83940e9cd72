"""Methods that iterate, for the command line to run: they do next to nothing, and tell about it."""

from __future__ import annotations

import pytest
from stub_methods import Frames, Steps

from kolumn.recon import METHODS


@pytest.fixture
def stubs(monkeypatch):
    monkeypatch.setitem(METHODS, "steps", Steps)
    monkeypatch.setitem(METHODS, "frames", Frames)
