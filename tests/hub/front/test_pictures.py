"""Pictures of apps: the file that was named, or one drawn from the title."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from flash.hub.front import pictures
from flash.hub.front.pictures import drawn, initials, picture_of
from flash.hub.hub import Hub

from ..serving import serving
from .site import ByCookie, client, hub_at, page

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    hub = hub_at(tmp_path / "hub", ByCookie())
    (tmp_path / "sales.png").write_bytes(PNG)
    (tmp_path / "secret.txt").write_text("hunter2")
    hub.mount(page, "/sales", picture=str(tmp_path / "sales.png"), access="public")
    hub.mount(page, "/text", picture=str(tmp_path / "secret.txt"), access="public")
    hub.mount(page, "/drawn", title="Drawn <here>", access="public")
    hub.mount(page, "/team", access=["team"])
    return hub


@pytest.fixture
def url(hub: Hub) -> Iterator[str]:
    with serving(hub) as url:
        yield url


def test_a_file_is_sent_until_the_browser_has_it(url: str, tmp_path: Path) -> None:
    with client(url) as visitor:
        answer = visitor.get("/_hub/apps/sales/picture")
        assert (answer.content, answer.headers["content-type"]) == (PNG, "image/png")
        assert "sandbox" in answer.headers["content-security-policy"]
        known = {"If-None-Match": answer.headers["etag"]}
        assert visitor.get("/_hub/apps/sales/picture", headers=known).status_code == 304
        (tmp_path / "sales.png").write_bytes(PNG + b"1")
        assert visitor.get("/_hub/apps/sales/picture", headers=known).status_code == 200
        (tmp_path / "sales.png").unlink()
        assert visitor.get("/_hub/apps/sales/picture").headers["content-type"] == "image/svg+xml"


def test_only_images_are_sent(url: str) -> None:
    with client(url) as visitor:
        answer = visitor.get("/_hub/apps/text/picture")
    assert answer.headers["content-type"] == "image/svg+xml" and "hunter2" not in answer.text


def test_pictures_are_for_those_who_may_see_the_app(url: str) -> None:
    with client(url, "ann:") as ann, client(url, "tom:team") as tom, client(url) as nobody:
        assert ann.get("/_hub/apps/team/picture").status_code == 404
        assert tom.get("/_hub/apps/team/picture").status_code == 200
        assert nobody.get("/_hub/apps/team/picture").status_code == 401


def test_drawings_are_well_formed_and_differ() -> None:
    names = [f"app-{number}" for number in range(40)]
    found = {drawn("Drawn <here> & there", name) for name in names}
    assert len(found) == len(names)
    for each in found:
        assert ElementTree.fromstring(each).tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize(
    ("title", "letters"), [("Sales", "S"), ("sales report of 2024", "SR"), ("<b>", ""), ("Ü & Ö", "ÜÖ"), ("  ", "")]
)
def test_a_drawing_has_the_initials_of_the_title(title: str, letters: str) -> None:
    assert initials(title) == letters


def test_files_that_are_too_large_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "LARGEST", 10)
    (tmp_path / "large.png").write_bytes(PNG)
    assert picture_of("Sales", "sales", str(tmp_path / "large.png"))[1] == "image/svg+xml"
