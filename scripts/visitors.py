"""Many visitors at once: python -m scripts.visitors [--visitors 30 --seconds 180] [--checkout DIR]

Starts the page, lets every visitor ask for a verdict every 20 s and for a fast map every 60 s, each
beginning at another moment, and prints what they met: seconds until the verdict, until the map is
shown and until it is judged, who was turned away, failures, and the memory of the server before,
during and after. ``--checkout``: another checkout whose page is measured, with the same photos; one
that gives maps only when they are judged has both at the same time.
"""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import psutil
import typer
from gradio_client import Client, handle_file
from gradio_client.client import Job
from PIL import Image
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
PAIRS = json.loads((EXAMPLES / "pairs.json").read_text(encoding="utf-8"))["pairs"]
VERDICT_EVERY, MAP_EVERY = 20, 60  # seconds
LOOK_EVERY = 0.05  # seconds between two looks for a map
REFUSALS = ("full", "wait a little", "Too many wait")  # words of the queue, the limit, the lanes


def main(
    visitors: int = 30,
    seconds: int = 180,
    rest: Annotated[int, typer.Option(help="Seconds of quiet before memory is read again.")] = 400,
    checkout: Annotated[Path, typer.Option(help="Whose page is measured.")] = ROOT,
) -> None:
    """Drive the page and print one line of JSON."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "app.py", "--port", str(port)]
    environment = {**os.environ, "XFV_PER_MINUTE": "100000"}  # all of them are one address
    began = time.perf_counter()
    server = subprocess.Popen(
        command, cwd=checkout, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    assert server.stdout is not None
    log = [next(line for line in server.stdout if "Running on" in line)]
    start_seconds = time.perf_counter() - began
    threading.Thread(target=lambda: log.extend(server.stdout or []), daemon=True).start()
    try:
        memory = psutil.Process(server.pid)
        first = Client(f"http://127.0.0.1:{port}", verbose=False)
        for endpoint in ("/verify", "/explain"):  # what is set up at first use is no leak
            ask(first, endpoint, 0)
        idle, meanwhile, met = rss(memory), [], Meetings()
        crowd = [
            threading.Thread(target=visit, args=(port, i, seconds, met)) for i in range(visitors)
        ]
        for visitor in crowd:
            visitor.start()
        for _ in tqdm(range(seconds), unit="s"):
            time.sleep(1)
            meanwhile.append(rss(memory))
        for visitor in crowd:
            visitor.join()
        after = rss(memory)
        time.sleep(rest)
        alive = server.poll() is None
        print(json.dumps({
            "checkout": revision(checkout), "visitors": visitors, "seconds": seconds,
            "start_seconds": round(start_seconds, 1),
            **met.summary(), "alive": alive,
            "traceback": any("Traceback" in line for line in log),
            "mib": {
                "idle": idle, "peak": max(meanwhile), "every_30_s": meanwhile[29::30],
                "after": after, "rested": rss(memory),
            },
        }, indent=2))  # fmt: skip
    finally:
        server.terminate()
        server.wait(30)


class Meetings:
    """What visitors met: seconds of the answers, counts of the rest."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: dict[str, list[float]] = {"verdict": [], "shown": [], "judged": []}
        self._turned_away: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()

    def answered(self, endpoint: str, seconds: list[float]) -> None:
        """``seconds``: when each output came."""
        names = ("shown", "judged") if endpoint == "/explain" else ("verdict",)
        with self._lock:
            for name, took in zip(names, (seconds[0], seconds[-1]), strict=False):
                self._seconds[name].append(took)

    def refused(self, endpoint: str, problem: str) -> None:
        with self._lock:
            if any(words in problem for words in REFUSALS):
                self._turned_away[endpoint] += 1
            else:
                self._failed[f"{endpoint}: {problem[:120]}"] += 1

    def summary(self) -> dict[str, Any]:
        quantiles = {
            name: {
                "answers": len(found),
                **{f"p{q}": round(float(np.percentile(found, q)), 2) for q in (50, 95, 100)},
            }
            for name, found in self._seconds.items()
            if found
        }
        return {**quantiles, "turned_away": dict(self._turned_away), "failed": dict(self._failed)}


def visit(port: int, seed: int, seconds: int, met: Meetings) -> None:
    """One visitor: both kinds of requests at their own rhythm, one at a time."""
    rng = random.Random(seed)
    client = Client(f"http://127.0.0.1:{port}", verbose=False)
    now = time.monotonic()
    end = now + seconds
    due = {
        "/verify": now + rng.uniform(0, VERDICT_EVERY),
        "/explain": now + rng.uniform(0, MAP_EVERY),
    }
    every = {"/verify": VERDICT_EVERY, "/explain": MAP_EVERY}
    while (endpoint := min(due, key=lambda name: due[name])) and due[endpoint] < end:
        time.sleep(max(0.0, due[endpoint] - time.monotonic()))
        try:
            met.answered(endpoint, ask(client, endpoint, rng.randrange(len(PAIRS))))
        except Exception as error:
            met.refused(endpoint, str(error) or type(error).__name__)
        due[endpoint] += every[endpoint]


def ask(client: Client, endpoint: str, pair: int) -> list[float]:
    """Seconds until each output of one request, with the photos of an example, changed so that the
    server has never seen them."""
    asked = {
        "/verify": ("sface", "balanced"),
        "/explain": ("occlusion", "sface", "balanced", "fast"),
    }
    with tempfile.TemporaryDirectory() as folder:
        photos = [never_seen(EXAMPLES / PAIRS[pair][side], Path(folder)) for side in "ab"]
        began = time.perf_counter()
        job = client.submit(*map(handle_file, photos), *asked[endpoint], api_name=endpoint)
        if endpoint == "/verify":
            job.result()
            return [time.perf_counter() - began]
        return outputs(job, began)


def outputs(job: Job, began: float) -> list[float]:
    """Seconds until each output; waiting in the client's own iterator would take a core."""
    seen: list[float] = []
    while not job.done():
        time.sleep(LOOK_EVERY)
        if len(job.outputs()) > len(seen):
            seen.append(time.perf_counter() - began)
    job.result()  # raises what went wrong
    return seen or [time.perf_counter() - began]


def never_seen(photo: Path, folder: Path) -> Path:
    """A copy with a pixel of another colour."""
    with Image.open(photo) as picture:
        picture.putpixel((0, 0), tuple(os.urandom(3)))
        picture.save(copy := folder / f"{os.urandom(8).hex()}.jpg", quality=95)
    return copy


def revision(checkout: Path) -> str:
    """The commit that is measured."""
    command = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def rss(process: psutil.Process) -> int:
    """Memory in use, MiB."""
    return round(process.memory_info().rss / 2**20)


if __name__ == "__main__":
    typer.run(main)
