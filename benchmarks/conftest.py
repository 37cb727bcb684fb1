"""Ledgers for the benchmarks: homes of their own, a witness of their own."""

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("CONTROL_PLANE_", "OPENCODE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CONTROL_PLANE_WITNESS", str(tmp_path / "witness"))
