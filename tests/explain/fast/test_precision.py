"""Full precision is a switch of the process: threads share it, and it is put back."""

from __future__ import annotations

import pytest
import torch

from xfv_core.explain.fast.pullback import WITHOUT_TF32


@pytest.fixture
def tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)


@pytest.mark.usefixtures("tf32")
def test_tf32_stays_off_until_the_last_has_left() -> None:
    one = another = WITHOUT_TF32  # of two threads
    one.__enter__()
    another.__enter__()
    one.__exit__()
    assert not torch.backends.cudnn.allow_tf32  # the other still computes
    another.__exit__()
    assert torch.backends.cudnn.allow_tf32


@pytest.mark.usefixtures("tf32")
def test_other_settings_of_the_host_program_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    with WITHOUT_TF32:
        assert torch.backends.cudnn.deterministic


def test_a_host_program_that_allows_none_gets_none_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    with WITHOUT_TF32:
        pass
    assert not torch.backends.cudnn.allow_tf32
