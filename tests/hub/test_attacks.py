"""What is tried against a hub that is served by Hypercorn, byte by byte, with apps in both ways to host them."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from flash.hub.hub import Hub
from flash.hub.keeper import AppState
from flash.hub.signin import PasswordFile
from flash.hub.visitor import Visitor

from ..live.conftest import wait_until
from .apps.teller import app as teller
from .serving import on_loop, serving
from .signin.site import PASSWORD, users_in

WAYS = ("inline", "process")
EVIL = "http://evil.example"


class Site:
    """A hub on the network.

    Attributes:
        url: Its address.
        hub: The hub.
    """

    def __init__(self, url: str, hub: Hub) -> None:
        self.url = url
        self.hub = hub
        self.host = urlsplit(url).netloc

    def send(
        self, target: str, *headers: str, method: str = "GET", body: str = "", chunks: str = ""
    ) -> tuple[int, dict[str, str], str]:
        """Send a request as it is written, and return status, headers and body."""
        host, port = self.host.split(":")
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.host}", "Connection: close", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        with socket.create_connection((host, int(port)), 30) as connection:
            connection.sendall("\r\n".join([*lines, "", *([chunks, "", ""] if chunks else [body])]).encode("latin-1"))
            answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode("latin-1")
        head, _, rest = answer.partition("\r\n\r\n")
        status, *fields = head.split("\r\n")
        return int(status.split()[1]), {n.lower(): v for n, _, v in (f.partition(": ") for f in fields)}, rest

    def told(self, target: str, *headers: str) -> dict[str, Any]:
        """What an app tells of a request."""
        status, _, body = self.send(target, *headers)
        assert status == 200, body
        return told_in(body)

    def browser(self) -> httpx.Client:
        """A browser that nobody has signed in with."""
        return httpx.Client(base_url=self.url, timeout=30)

    @contextmanager
    def signed_in(self, name: str) -> Iterator[httpx.Client]:
        """A browser that somebody has signed in with."""
        with self.browser() as client:
            self.sign_in(client, name)
            yield client

    def sign_in(self, client: httpx.Client, name: str) -> None:
        """Sign in with a browser."""
        page = client.get("/_hub/login")
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))
        answer = client.post("/_hub/login", data={**fields, "name": name, "password": PASSWORD})
        assert answer.status_code == 303, answer.text

    def socket(self, path: str, cookie: str | None = None, origin: str | None = None) -> ClientConnection:
        """A WebSocket."""
        headers = {"Cookie": cookie} if cookie else {}
        url = self.url.replace("http", "ws", 1) + path
        return connect(url, origin=origin, additional_headers=headers, proxy=None)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("hub")
    users = users_in(folder, ann="finance", bob="", eve="")
    hub = Hub(home=str(folder / "home"), signin=PasswordFile(users))
    for way in WAYS:
        target: Any = teller if way == "inline" else str(Path(__file__).parent / "apps" / "teller.py")
        hub.mount(target, f"/{way}/open", access="public", isolation=way)
        hub.mount(target, f"/{way}/app", isolation=way)
        hub.mount(target, f"/{way}/finance", access=["finance"], isolation=way)
    with serving(hub) as url:
        for name, mount in hub.mounts.items():
            on_loop(hub, mount.keeper.until(AppState.RUNNING, AppState.FAILED))
            assert mount.keeper.state is AppState.RUNNING, (name, mount.keeper.error)
        yield Site(url, hub)


def told_in(body: str) -> dict[str, Any]:
    """What the app has told; the body may be chunked."""
    told: dict[str, Any] = json.loads(body[body.index("{") : body.rindex("}") + 1])
    return told


def cookie_of(client: httpx.Client) -> str:
    return f"flash-hub={client.cookies['flash-hub']}"


# Paths.

TRICKS = [
    "/open/../finance/",
    "/open/%2e%2e/finance/",
    "/open/.%2e/finance/",
    "/open/..%2ffinance/",
    "/open/%2e%2e%2ffinance/",
    "/open/..%5cfinance/",
    "/open/..\\finance/",
    "/open\\..\\finance/",
    "/open/%252e%252e/finance/",
    "/open/%c0%ae%c0%ae/finance/",
    "/open/%u002e%u002e/finance/",
    "/open/..;/finance/",
    "/open/./../finance/",
    "/open//../finance/",
    "/open/..%00/finance/",
    "/finance",
    "/finance/",
    "/finance%2f",
    "/finance%2fx",
    "/finance%5c",
    "/finance\\",
    "/finance//",
    "/finance/.",
    "/finance/x%2f..%2f",
    "/%66inance/",
    "/finance%00/",
    "/finance%20/",
    "/finance;x/",
    "/finance#/",
    "/finance%23/",
    "/Finance/",
    "/finance-x/",
    "/financex/",
    "/finance.html",
    "//finance/",
    "/open%2f..%2ffinance/",
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("trick", TRICKS)
def test_no_spelling_of_a_path_leads_past_who_may(site: Site, way: str, trick: str) -> None:
    status, _, body = site.send(f"/{way}{trick}")
    assert '"app": "inline-finance"' not in body and '"app": "process-finance"' not in body
    assert status in (400, 401, 404) or trick in ("/open/%252e%252e/finance/", "/open/..;/finance/")
    if status == 200:
        assert ".." not in told_in(body)["path"].split("/"), "It went to the open app, which reads it as one name."


@pytest.mark.parametrize("target", ["*", "http://evil.example/", "finance/", "//evil.example/", "/\\evil.example/"])
def test_what_is_no_path_is_refused(site: Site, target: str) -> None:
    assert site.send(target, method="OPTIONS" if target == "*" else "GET")[0] == 400


@pytest.mark.parametrize(
    "target",
    [
        "/inline/app",
        "/inline/open",
        "/inline/open?next=//evil.example",
        "//evil.example/inline/open",
        "/inline/open//evil.example/",
        "/inline/open/%2fevil.example/",
        "/inline/open/%5cevil.example/",
        "/_hub/login?next=//evil.example",
        "/_hub/",
        "/",
        "/none?next=//evil.example",
        "/inline/app/?x=//evil.example",
        "/inline/app/%0d%0aLocation:%20http://evil.example",
    ],
)
def test_no_redirect_leaves_the_site(site: Site, target: str) -> None:
    for headers in ((), ("Accept: text/html",), ("Accept: text/html", "X-Forwarded-Host: evil.example")):
        status, answered, _ = site.send(target, *headers)
        assert status < 500
        if "location" in answered:
            assert urlsplit(urljoin(site.url + target, answered["location"])).netloc == site.host
            assert "\\" not in answered["location"] and not answered["location"].startswith("//")


@pytest.mark.parametrize("way", WAYS)
def test_a_redirect_to_no_address_is_passed_on(site: Site, way: str) -> None:
    assert site.send(f"/{way}/open/answer?location=//%5Bx")[0] == 302


# Who asks.

FORGED = (
    "X-Hub-User: admin",
    "X-Hub-Roles: admin",
    "x_hub_user: admin",
    "X-Hub_User: admin",
    "X-Hub-Secret: x",
    "X-Forwarded-User: admin",
    "X-Forwarded-For: 127.0.0.1",
    "X-Forwarded-Prefix: /evil",
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Proto: https",
    "Forwarded: for=127.0.0.1;host=evil.example;proto=https",
)


@pytest.mark.parametrize("way", WAYS)
def test_nobody_says_who_they_are(site: Site, way: str) -> None:
    told = site.told(f"/{way}/open/", *FORGED)
    assert (told["user"], told["roles"]) == (None, [])
    assert not [name for name, _ in told["pairs"] if "user" in name or "roles" in name or "secret" in name]
    assert not [value for _, value in told["pairs"] if "evil" in value or "admin" in value]
    assert told["headers"].get("x-forwarded-proto") == ("http" if way == "process" else None)
    for headers in (FORGED, (*FORGED, "Authorization: Basic YWRtaW46YWRtaW4=")):
        assert site.send(f"/{way}/app/", *headers)[0] == 401
        assert "inline-open" in site.send("/_hub/api/apps", *headers)[2]
        assert "finance" not in site.send("/_hub/api/apps", *headers)[2]


def test_no_role_stands_for_a_user() -> None:
    """A provider may let its users name the groups that become roles."""
    eve = Visitor("eve", frozenset({"user:ann"}))
    assert not eve.is_one_of(["user:ann"]) and eve.is_one_of(["user:eve"])


@pytest.mark.parametrize("way", WAYS)
def test_what_the_hub_says_of_somebody_cannot_be_taken_away(site: Site, way: str) -> None:
    with site.signed_in("bob") as bob:
        hops = ("Connection: x-hub-user, x-hub-roles, x-forwarded-for, cookie", f"Cookie: {cookie_of(bob)}; a=1")
        told = site.told(f"/{way}/app/", *FORGED, *hops)
        assert (told["user"], told["roles"], told["headers"]["x-hub-user"]) == ("bob", [], "bob")
        assert [value for name, value in told["pairs"] if "user" in name] == ["bob"]
        assert "flash-hub" not in json.dumps(told["headers"]), "The hub's token is no app's business."
        assert site.send(f"/{way}/finance/", *FORGED, *hops)[0] == 403


# The length of a body.


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("length", [5, 500])
def test_no_request_hides_in_the_body_of_another(site: Site, way: str, length: int) -> None:
    """Of a request with two lengths, the hub and the app take the same one."""
    hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\nX-Hub-User: admin\r\n\r\n"
    chunks = f"{len(hidden) + 5:x}\r\n12345{hidden}\r\n0"
    lengths = (f"Content-Length: {length}", "Transfer-Encoding: chunked")
    for _ in range(3):
        status, _, body = site.send(f"/{way}/open/", *lengths, method="POST", chunks=chunks)
        assert (status, told_in(body)["path"]) == (200, "/")
        assert "content-length" not in told_in(body)["headers"]
        assert site.told(f"/{way}/open/next")["path"] == "/next"


# Foreign origins.


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "headers",
    [
        (f"Origin: {EVIL}", "Sec-Fetch-Site: cross-site"),
        (f"Origin: {EVIL}",),
        ("Origin: null",),
        ("Sec-Fetch-Site: cross-site",),
        ("Origin: http://evil.127.0.0.1", "Sec-Fetch-Site: same-site"),
        (f"Origin: {EVIL}", "X-HTTP-Method-Override: GET"),
    ],
)
def test_pages_of_other_sites_change_nothing(site: Site, way: str, headers: tuple[str, ...]) -> None:
    with site.signed_in("bob") as bob:
        cookie = f"Cookie: {cookie_of(bob)}"
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert site.send(f"/{way}/app/", cookie, *headers, method=method, body="{}")[0] == 403
            assert site.send(f"/{way}/open/", *headers, method=method, body="{}")[0] == 403
        assert site.send("/_hub/logout", cookie, *headers, method="POST", body="x=1")[0] == 403
        assert site.send(f"/_hub/api/apps/{way}-app/stop", cookie, *headers, method="POST", body="{}")[0] == 403
        assert site.send(f"/{way}/app/", cookie, *headers)[0] == 200, "A link of theirs works."
        assert site.told(f"/{way}/app/", cookie)["user"] == "bob"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("origin", [EVIL, "null", "http://localhost", "https://127.0.0.1"])
def test_pages_of_other_sites_open_no_socket(site: Site, way: str, origin: str) -> None:
    with site.signed_in("bob") as bob:
        for path, cookie in ((f"/{way}/app/", cookie_of(bob)), (f"/{way}/open/", None)):
            with pytest.raises(InvalidStatus) as refused:
                site.socket(path, cookie, origin)
            assert refused.value.response.status_code == 403
        for own in (site.url, None):
            with site.socket(f"/{way}/app/", cookie_of(bob), own):
                pass


# Sessions.


@pytest.mark.parametrize("way", WAYS)
def test_after_signing_out_nothing_is_left(site: Site, way: str) -> None:
    with site.signed_in("bob") as bob, site.signed_in("bob") as elsewhere:
        cookie = cookie_of(bob)
        with (
            site.socket(f"/{way}/app/", cookie) as opened,
            site.socket(f"/{way}/app/", cookie_of(elsewhere)) as other,
            site.browser() as listener,
            listener.stream("GET", f"/{way}/app/stream", headers={"cookie": cookie}) as stream,
        ):
            lines = stream.iter_lines()
            assert next(lines) == "data: on"
            assert bob.post("/_hub/logout").status_code == 303
            with pytest.raises(ConnectionClosed) as closed:
                opened.recv(timeout=30)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1008
            for _ in lines:  # It ends.
                pass
            assert other.ping().wait(30), "Another browser of the same user goes on."
        for target in (f"/{way}/app/", f"/{way}/app/assets/a.js", f"/_hub/apps/{way}-app/picture"):
            assert site.send(target, f"Cookie: {cookie}")[0] == 401, target
        with pytest.raises(InvalidStatus) as refused:
            site.socket(f"/{way}/app/", cookie)
        assert refused.value.response.status_code == 401
        assert site.send("/_hub/logout", f"Cookie: {cookie}", method="POST", body="x=1")[0] == 303
        assert elsewhere.get(f"/{way}/app/").status_code == 200


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("asked", ["kind=application/x-ndjson", "kind=Text/Event-Stream", "after=1"])
def test_no_stream_goes_on_after_signing_out(site: Site, way: str, asked: str) -> None:
    """Whatever it is a stream of, and if its app has not begun to answer."""
    with site.signed_in("bob") as bob, site.browser() as reader, ThreadPoolExecutor(1) as thread:
        sent = {"cookie": cookie_of(bob)}
        reading = thread.submit(lambda: reader.get(f"/{way}/app/stream?{asked}", headers=sent, timeout=30).status_code)
        wait_until(lambda: len(site.hub.mounts[f"{way}-app"].uses))
        assert bob.post("/_hub/logout").status_code == 303
        assert reading.result(30) in (200, 403)


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_to_a_handshake_sets_nothing_of_the_hubs(site: Site, way: str) -> None:
    cookies = "set-cookie=flash-hub%3Devil%3B%20Path%3D/&set-cookie=a%3D1%3B%20Path%3D/&clear-site-data=*"
    with site.socket(f"/{way}/open/?{cookies}") as opened:
        assert opened.response is not None
        assert opened.response.headers.get_all("set-cookie") == [f"a=1; Path=/{way}/open/"]
        assert "clear-site-data" not in opened.response.headers


def test_a_planted_cookie_is_not_taken_over(site: Site) -> None:
    with site.signed_in("eve") as eve, site.browser() as victim:
        planted = eve.cookies["flash-hub"]
        victim.cookies.set("flash-hub", planted, domain="127.0.0.1", path="/")
        site.sign_in(victim, "ann")
        token = next(cookie.value for cookie in victim.cookies.jar if cookie.value != planted and cookie.path == "/")
        assert site.told("/inline/app/", f"Cookie: flash-hub={token}")["user"] == "ann"
        assert site.send("/inline/app/", f"Cookie: flash-hub={planted}")[0] == 401


@pytest.mark.parametrize("cookie", ["x", "", "a" * 4000, "%00", "' OR 1=1 --", "é", "x; flash-hub=y", '"x"'])
def test_a_made_up_token_is_nobodys(site: Site, cookie: str) -> None:
    assert site.send("/inline/app/", f"Cookie: flash-hub={cookie}")[0] == 401


@pytest.mark.parametrize("way", WAYS)
def test_an_app_cannot_toss_cookies_to_the_hub_or_others(site: Site, way: str) -> None:
    tossed = {
        "flash-hub=evil; Path=/": None,
        "flash-hub=evil; Path=/; Domain=127.0.0.1": None,
        " flash-hub =evil": None,
        "=flash-hub=evil": None,
        "session=1; Path=/": f"session=1; Path=/{way}/open/",
        "session=1; Path=/_hub/": f"session=1; Path=/{way}/open/",
        f"session=1; Path=/{way}/finance/": f"session=1; Path=/{way}/open/",
    }
    for sent, expected in tossed.items():
        with site.browser() as client:
            answer = client.get(f"/{way}/open/answer", params={"set-cookie": sent})
            assert answer.headers.get("set-cookie") == expected, sent
            assert "flash-hub" not in client.cookies
    with site.browser() as client:
        assert "clear-site-data" not in client.get(f"/{way}/open/answer", params={"clear-site-data": "*"}).headers


def test_a_cookie_of_an_apps_page_does_not_stand_before_the_hubs(site: Site) -> None:
    """A script can set a cookie with the hub's name for the paths of its app; browsers send it first."""
    with site.signed_in("ann") as ann, site.signed_in("eve") as eve:
        both = f"Cookie: {cookie_of(eve)}; {cookie_of(ann)}"
        assert site.told("/inline/app/", both)["user"] == "ann"
        assert site.told("/inline/app/", f"Cookie: flash-hub=junk; {cookie_of(ann)}")["user"] == "ann"


# Who sits at the machine.


@pytest.mark.parametrize(
    "header",
    [
        "X-Forwarded-For: 203.0.113.9",
        "X-Forwarded-Proto: https",
        "Forwarded: for=203.0.113.9",
        "X-Real-IP: 203.0.113.9",
        "Via: 1.1 proxy",
        "CF-Connecting-IP: 203.0.113.9",
    ],
)
def test_a_proxy_on_the_machine_is_nobody_who_sits_at_it(open_site: Site, header: str) -> None:
    """Where nobody signs in, who sits at the machine may switch apps."""
    assert told_in(open_site.send("/_hub/api/apps")[2])["apps"][0]["managed"] is not None
    assert told_in(open_site.send("/_hub/api/apps", header)[2])["apps"][0]["managed"] is None
    assert open_site.send("/_hub/api/apps/app/off", header, method="POST", body="{}")[0] == 403


@pytest.fixture(scope="module")
def open_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    hub = Hub(home=str(tmp_path_factory.mktemp("open")))
    hub.mount(teller, "/app")
    with serving(hub) as url:
        yield Site(url, hub)
