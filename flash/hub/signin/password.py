"""Signing in with a name and a password, on a page of the hub."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import secrets
from typing import TYPE_CHECKING

from itsdangerous import BadSignature, TimestampSigner
from quart import Blueprint, Response, abort, make_response, render_template, request

from ..visitor import Visitor
from .base import safe_next
from .browser import BrowserSignIn, asked
from .checking import Checking, Wrong
from .cookies import cookies_of, set_cookie
from .sessions import Session
from .users import UserFile

if TYPE_CHECKING:
    from ..hub import Hub

logger = logging.getLogger("flash.hub")

#: Ties the form of the login page to the browser that it was sent to.
FORM_COOKIE = "flash-hub-login"

#: Seconds for which the form can be sent.
FORM_LASTS = 3600

#: Bytes of a form that is sent.
LARGEST_FORM = 16_384

#: Seconds between looks at the file.
LOOK = 1.0


class PasswordFile(BrowserSignIn):
    """Users with passwords from a file, which ``flash user`` edits.

    Who is removed from the file, or gets another password, is signed out within a second; other roles count as soon.

    Args:
        users: The file of users; see :mod:`flash.hub.signin.users`.
        idle: Seconds without a request after which one has to sign in again.
        absolute: Seconds after which one has to in any case.

    Example:
        >>> hub = Hub(signin=PasswordFile("users.txt"))
    """

    def __init__(
        self, users: str | os.PathLike[str], *, idle: float = 12 * 3600.0, absolute: float = 7 * 86400.0
    ) -> None:
        super().__init__(idle=idle, absolute=absolute)
        self._checking = Checking(UserFile(users))
        self._looking: asyncio.Task[None] | None = None

    async def prepare(self, hub: Hub) -> None:
        """See :meth:`SignIn.prepare`."""
        await super().prepare(hub)
        await self._checking.prepare()

    async def start(self) -> None:
        """See :meth:`SignIn.start`."""
        await super().start()
        await self._end_those_of_nobody()
        self._looking = asyncio.create_task(self._checking.watch(LOOK, self._changed), name="flash-hub-users")

    async def close(self) -> None:
        """See :meth:`SignIn.close`."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await super().close()
        self._checking.close()

    def visitor_of(self, session: Session) -> Visitor | None:
        """See :meth:`BrowserSignIn.visitor_of`."""
        return self._checking.visitor(session.user, session.data.get("fingerprint", ""))

    def add_pages(self, pages: Blueprint) -> None:
        """See :meth:`BrowserSignIn.add_pages`."""

        @pages.get("/_hub/login")
        async def login() -> Response:
            return await self._form(safe_next(request.args.get("next")))

        @pages.post("/_hub/login")
        async def send() -> Response:
            if (request.content_length or LARGEST_FORM + 1) > LARGEST_FORM:
                abort(413)
            form = await request.form
            goal = safe_next(form.get("next"))
            if not self._is_of_this_browser(form.get("token", "")):
                return await self._form(goal, 400, "This page was open for too long. Try again.")
            return await self._attempt(form.get("name", ""), form.get("password", ""), goal)

    async def _attempt(self, name: str, password: str, goal: str) -> Response:
        try:
            user = await self._checking.check(request.remote_addr or "", name, password)
        except Wrong as wrong:
            status = 429 if wrong.wait else 401
            response = await self._form(goal, status, str(wrong), name)
            if wrong.wait:
                response.headers["Retry-After"] = str(math.ceil(wrong.wait))
            return response
        return await self.sign_in(user.name, {"fingerprint": user.fingerprint}, goal)

    async def _form(self, goal: str, status: int = 200, error: str = "", name: str = "") -> Response:
        """The page, with a form that only this browser can send."""
        known = self._browser_id()
        browser = known or secrets.token_urlsafe(16)
        page = await render_template(
            "login.html", goal=goal, error=error, name=name[:200], token=self._signer.sign(browser).decode()
        )
        response = await make_response(page, status)
        assert isinstance(response, Response)
        if known is None:
            cookie = set_cookie(FORM_COOKIE, browser, asked(), path="/_hub/", seconds=FORM_LASTS, same_site="Strict")
            response.headers.add("Set-Cookie", cookie)
        return response

    def _is_of_this_browser(self, token: str) -> bool:
        browser = self._browser_id()
        try:
            signed = self._signer.unsign(token, max_age=FORM_LASTS).decode()
        except (BadSignature, UnicodeDecodeError):
            return False
        return browser is not None and secrets.compare_digest(signed.encode(), browser.encode())

    def _browser_id(self) -> str | None:
        found = cookies_of(asked(), FORM_COOKIE)
        return found[-1] if found and len(found[-1]) == 22 else None

    @property
    def _signer(self) -> TimestampSigner:
        return TimestampSigner(self.secret, salt="flash-hub-login")

    async def _changed(self, names: set[str]) -> None:
        """Take in that some users have other roles or are gone: what they have open is closed, and opened anew."""
        await self._end_those_of_nobody()
        for session in self.sessions:
            if session.user in names:
                self._ended(session.key)

    async def _end_those_of_nobody(self) -> None:
        await self.end(*(session for session in self.sessions if self.visitor_of(session) is None))
