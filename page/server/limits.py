"""How much one visitor may ask for: the machine is shared, and no place to search for a face."""

from __future__ import annotations

import os

import gradio as gr
from gradio.route_utils import StarletteRequest
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from xfv_core import XfvError
from xfv_core.explain import Method

PER_MINUTE = int(os.environ.get("XFV_PER_MINUTE", "40"))  # a person clicking does not reach it
ALLOWED = {
    what: parse(f"{max(1, round(PER_MINUTE * share))}/minute")
    for what, share in (
        ("verdict", 1), ("maps", 0.75), ("report", 0.15),
        ("uploads", 2), ("megabytes", 4), ("events", 8), ("frames", 60),  # counted at the gate
    )
}  # fmt: skip
PROXIED = "SPACE_ID" in os.environ  # a Space is reached through the Hub's router only

limiter = MovingWindowRateLimiter(MemoryStorage())


class TooManyError(XfvError):
    """A visitor asks for more than is fair."""


def admit(request: gr.Request | None, what: str, *, cost: int = 1) -> None:
    """Count a request of a visitor as ``cost``; TooManyError above what ``ALLOWED`` says.

    Calls from within the server have no request and are not counted.
    """
    if request is not None:
        count(visitor(request), what, cost)


def admit_maps(request: gr.Request | None, method: Method) -> None:
    """Count maps as what they cost the machine."""
    admit(request, "maps", cost=method.cost)


def count(who: str, what: str, cost: int = 1) -> None:
    """Count a request of ``who``; TooManyError above what ``ALLOWED`` says."""
    most = ALLOWED[what]
    if not limiter.hit(most, what, who, cost=min(cost, most.amount)):
        raise TooManyError("That is more than one visitor may ask for in a minute; wait a little.")


def visitor(request: gr.Request | StarletteRequest) -> str:
    """Where a request comes from; behind the Hub's router, what that says, never the client."""
    forwarded = ",".join(request.headers.getlist("x-forwarded-for")) if PROXIED else ""
    client = request.client.host if request.client else "unknown"
    return forwarded.rpartition(",")[2].strip() or client
