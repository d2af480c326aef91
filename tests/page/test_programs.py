"""The endpoints that programs call, on a running server."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from tests.faces.bad_images import bad_images
from tests.faces.pictures import two_people

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]


def test_bad_files_get_a_sentence_through_the_api_and_the_server_lives(
    server: str, examples: Path, tmp_path: Path
) -> None:
    client = Client(server, verbose=False)
    good = handle_file(examples / "obama.jpg")
    hostile = bad_images()
    assert len(hostile) >= 25
    for name, data in hostile.items():
        (tmp_path / "photo").write_bytes(data)
        with pytest.raises((AppError, httpx.HTTPStatusError)) as problem:
            client.predict(
                handle_file(tmp_path / "photo"), good, "sface", "balanced", api_name="/verify"
            )
        said = str(problem.value)
        assert said.startswith("The first photo: ") or "413" in said, f"{name}: {said}"
        assert "\n" not in said
    verdict = client.predict(good, good, "sface", "balanced", api_name="/verify")
    assert verdict["same"]


def test_programs_find_three_endpoints_and_what_they_promise(server: str, examples: Path) -> None:
    client = Client(server, verbose=False)
    endpoints = client.view_api(print_info=False, return_format="dict")["named_endpoints"]
    assert set(endpoints) == {"/verify", "/explain", "/models"}
    known = {model["name"]: model["methods"] for model in client.predict(api_name="/models")}
    assert "patches" in known["rrf56"] and "parts" in known["ecnet"]
    a, b = handle_file(examples / "obama.jpg"), handle_file(examples / "biden.jpg")
    said, picture = client.predict(a, b, "patches", api_name="/explain")
    assert sum(said["contributions"]["a"]) == pytest.approx(said["similarity"], abs=1e-5)
    with Image.open(picture) as figure:
        assert figure.format == "PNG" and figure.width > 600
    for method, model in (("random", ""), ("patches", "sface"), ("occlusion", "nobody")):
        with pytest.raises(AppError) as problem:
            client.predict(a, b, method, model, api_name="/explain")
        assert "\n" not in str(problem.value)


def test_programs_say_which_face_of_a_group_is_meant(
    server: str, examples: Path, tmp_path: Path
) -> None:
    two_people(examples, tmp_path / "two.jpg")
    client = Client(server, verbose=False)
    group, obama = handle_file(tmp_path / "two.jpg"), handle_file(examples / "obama2.jpg")
    found = [
        client.predict(group, obama, "sface", "balanced", face, 1, api_name="/verify")
        for face in (1, 2)
    ]
    assert sorted(verdict["same"] for verdict in found) == [False, True]
    assert [verdict["faces"] for verdict in found] == [[0, 0], [1, 0]]
    with pytest.raises(AppError, match="There is no face 3"):
        client.predict(group, obama, "sface", "balanced", 3, 1, api_name="/verify")


def test_programs_decide_at_their_own_threshold_and_prior(server: str, examples: Path) -> None:
    client = Client(server, verbose=False)
    a, b = (handle_file(examples / name) for name in ("obama.jpg", "biden.jpg"))
    usual = client.predict(a, b, "sface", "balanced", api_name="/verify")
    own = client.predict(a, b, "sface", "balanced", threshold=-0.5, prior=0.01, api_name="/verify")
    assert (usual["same"], own["same"]) == (False, True)
    assert own["operating_point"] == "own" and own["threshold"] == -0.5
    assert own["probability_same"] == usual["probability_same"] and "at_prior" not in usual
    assert own["at_prior"]["prior"] == 0.01
    assert own["at_prior"]["probability"] < own["probability_same"]
    with pytest.raises(AppError, match="A threshold is a similarity"):
        client.predict(a, b, "sface", "balanced", threshold=2, api_name="/verify")
    with pytest.raises(AppError, match="A prior lies between"):
        client.predict(a, b, "sface", "balanced", prior=1, api_name="/verify")


@pytest.mark.parametrize(
    "payload",
    [{"path": "/etc/passwd"}, {"path": str(ROOT / "examples" / "obama.jpg")}, {"path": "../x.png"}],
)
def test_files_of_the_server_are_not_read(server: str, examples: Path, payload: object) -> None:
    client = Client(server, verbose=False)
    good = handle_file(examples / "obama.jpg")
    with pytest.raises((AppError, ValueError)):
        client.predict(payload, good, "sface", "balanced", api_name="/verify")


def test_a_data_url_goes_through_the_same_loader(server: str, examples: Path) -> None:
    client = Client(server, verbose=False)
    good = handle_file(examples / "obama.jpg")
    bomb = {"url": "data:image/png;base64,AAAA", "meta": {"_type": "gradio.FileData"}}
    with pytest.raises(AppError, match="The first photo: "):
        client.predict(bomb, good, "sface", "balanced", api_name="/verify")
