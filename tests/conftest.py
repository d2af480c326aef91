"""Shared fixtures: where the photos are, and small helpers every test file may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

if "PYTEST_XDIST_WORKER" in os.environ:  # before torch is imported, here and in what tests start
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # workers times threads must not exceed the cores

from tests.page.browser import browser, chromium, open_page, running, server  # noqa: F401
from tests.wheel import programs, wheel  # noqa: F401

# a busy machine must not fail a test
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def examples() -> Path:
    """Folder of public-domain example photos."""
    return ROOT / "examples"


@pytest.fixture(scope="session")
def research_data() -> Path:
    """Folder of the research photos (never part of the repository); skips where it is absent."""
    folder = Path(os.environ.get("XFV_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "lfw_pairs.txt").exists():
        pytest.skip("research photos not here (set XFV_DATA to their folder)")
    return folder
