"""Signing in with a browser: on a page of the hub, with a session and a cookie afterwards."""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, cast

from quart import Blueprint, Response, redirect, request

from ...exceptions import ConfigurationError
from ..host import Scope
from ..visitor import NOBODY, Visitor, cookie_name
from .base import LOGIN, Headers, SignIn, is_navigation
from .cookies import cookies_of, set_cookie
from .sessions import TABLE, Session, Sessions

if TYPE_CHECKING:
    from ..hub import Hub

logger = logging.getLogger("flash.hub")

LOGOUT = "/_hub/logout"

#: Where one goes back to from a provider of identities.
CALLBACK = "/_hub/oidc/callback"

#: Pages that set the cookie themselves.
_BEGIN_OR_END = (LOGIN, LOGOUT, CALLBACK)

#: Seconds between looks at what has ended and has to be written.
INTERVAL = 5.0


class BrowserSignIn(SignIn):
    """What the ways with a page of their own share.

    Args:
        idle: Seconds without a request after which one has to sign in again.
        absolute: Seconds after which one has to in any case.
    """

    def __init__(self, *, idle: float, absolute: float) -> None:
        super().__init__()
        if not 0 < idle or not 0 < absolute:
            raise ConfigurationError("Sessions last for some seconds: idle= and absolute= are greater than 0.")
        self._idle = idle
        self._absolute = absolute
        #: What is signed with.
        self.secret = b""
        self._hub: Hub | None = None
        self._sessions: Sessions | None = None
        self._watching: asyncio.Task[None] | None = None

    # To be provided.

    @abstractmethod
    def visitor_of(self, session: Session) -> Visitor | None:
        """Whose session it is, with the roles of now; None: nobody's any more."""

    @abstractmethod
    def add_pages(self, pages: Blueprint) -> None:
        """Add the page of :data:`~flash.hub.signin.base.LOGIN`, and what else it takes."""

    async def after_sign_out(self, session: Session | None) -> Response:
        """What one sees who has just signed out."""
        return as_response(redirect("/", 303))

    # What the hub calls.

    async def prepare(self, hub: Hub) -> None:
        """See :meth:`SignIn.prepare`."""
        self._hub = hub
        self.secret = await asyncio.to_thread(hub.folders.secret)
        hub.state.ensure(TABLE)

    async def start(self) -> None:
        """See :meth:`SignIn.start`."""
        self._sessions = Sessions(self.hub.state, idle=self._idle, absolute=self._absolute)
        await self._sessions.load()
        self._watching = asyncio.create_task(self._watch(), name="flash-hub-signin")

    async def close(self) -> None:
        """See :meth:`SignIn.close`."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
            await self.sessions.flush()

    async def identify(self, scope: Scope) -> Visitor:
        """See :meth:`SignIn.identify`."""
        session = self.session_of(scope)
        return NOBODY if session is None else self.visitor_of(session) or NOBODY

    def session_key(self, scope: Scope) -> str | None:
        """See :meth:`SignIn.session_key`."""
        session = self.session_of(scope)
        return None if session is None else session.key

    def refresh_headers(self, visitor: Visitor, scope: Scope) -> Headers:
        """See :meth:`SignIn.refresh_headers`. Only what no cache keeps for others gets a cookie."""
        if scope["type"] != "http" or (scope["method"] == "GET" and not is_navigation(scope)):
            return []
        if scope["path"].endswith(_BEGIN_OR_END):
            return []
        session = self.session_of(scope)
        token = None if session is None else self.sessions.turned(session)
        if token is None:
            return []
        return [(b"set-cookie", self._cookie(token, scope).encode()), (b"cache-control", b"private")]

    def blueprint(self) -> Blueprint | None:
        """See :meth:`SignIn.blueprint`."""
        pages = Blueprint("signin", __name__)

        @pages.post(LOGOUT)
        async def logout() -> Response:
            session = self.session_of(asked())
            if session is not None:
                await self.end(session)
                logger.info("%r has signed out.", session.user)
            response = await self.after_sign_out(session)
            response.headers.add("Set-Cookie", self._cookie("", asked()))
            return response

        self.add_pages(pages)
        return pages

    # For those who derive.

    @property
    def hub(self) -> Hub:
        """The hub, once it has begun."""
        assert self._hub is not None, "The hub has not begun."
        return self._hub

    @property
    def sessions(self) -> Sessions:
        """The sessions, once the hub has begun."""
        assert self._sessions is not None, "The hub has not begun."
        return self._sessions

    def session_of(self, scope: Scope) -> Session | None:
        """The session that the browser shows, if it has not ended.

        Of several cookies with the hub's name the one with the shortest path counts: an app's page can set one for its
        own paths.
        """
        for token in reversed(cookies_of(scope, cookie_name(scope["scheme"]))):
            session = self.sessions.find(token)
            if session is not None and self.visitor_of(session) is not None:
                return session
        return None

    async def sign_in(self, user: str, data: dict[str, Any], goal: str) -> Response:
        """Begin a session with the browser that is being answered, in the place of one that it had.

        Args:
            user: Who has signed in.
            data: What is to be kept of it.
            goal: Where to go: a path that :func:`~flash.hub.signin.base.safe_next` has returned.
        """
        had = self.session_of(asked())
        if had is not None:
            await self.end(had)
        _, token, ended = await self.sessions.begin(user, data)
        for session in ended:
            self._ended(session.key)
        logger.info("%r has signed in from %s.", user, request.remote_addr)
        response = as_response(redirect(goal, 303))
        response.headers.add("Set-Cookie", self._cookie(token, asked()))
        return response

    async def end(self, *sessions: Session) -> None:
        """End sessions, and what they have begun."""
        for session in sessions:
            self._ended(session.key)
        await self.sessions.end(*sessions)

    def _cookie(self, token: str, scope: Scope) -> str:
        seconds = self.sessions.absolute if token else 0
        return set_cookie(cookie_name(scope["scheme"]), token, scope, seconds=seconds)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            try:
                await self.end(*self.sessions.over())
                await self.sessions.flush()
            except Exception:
                logger.exception("The sessions could not be looked after.")


def asked() -> Scope:
    """The scope of the request to a page of the hub's own that is being answered."""
    return cast(Scope, request.scope)


def as_response(answer: Any) -> Response:
    """What :func:`quart.redirect` returns is a Response of Quart's, and is declared as one of Werkzeug's."""
    assert isinstance(answer, Response)
    return answer
