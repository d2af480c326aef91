"""A verifier with a network of colours, and small photos to compare with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lists.colours import colours_verifier, small_photos
from xfv_core import Verifier


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    return colours_verifier()


@pytest.fixture(scope="module")
def photos(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    small_photos(examples, folder)
    return folder
