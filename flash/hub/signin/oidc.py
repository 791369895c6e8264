"""Signing in at a provider of identities, by OpenID Connect: authorization code with PKCE."""

from __future__ import annotations

import logging
import os
import secrets
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlencode

from itsdangerous import BadSignature, URLSafeTimedSerializer
from quart import Blueprint, Response, make_response, redirect, render_template, request

from ...exceptions import ConfigurationError
from ..visitor import ADMIN, Visitor
from .base import LOGIN, safe_next
from .browser import CALLBACK, BrowserSignIn, as_response, asked
from .cookies import cookies_of, set_cookie
from .provider import Provider, ProviderFailed
from .sessions import Session

logger = logging.getLogger("flash.hub")

#: The environment variable that holds the hub's secret at the provider.
SECRET_VARIABLE = "FLASH_OIDC_CLIENT_SECRET"

SIGNED_OUT = "/_hub/signed-out"

#: Seconds that one has to sign in at the provider.
LASTS = 600

_UNAVAILABLE = "The sign-in service has not answered as it should. Try again in a moment."
_EXPIRED = "Signing in took too long, or was begun in another browser."


class Refused(Exception):
    """The provider knows who it is, and the hub does not let this one in. The text is for who tried."""


class OIDC(BrowserSignIn):
    """Users of a provider of identities: Keycloak, Entra ID, Google, Okta, Auth0 and others.

    The provider must know the hub's address ``https://.../_hub/oidc/callback``. Roles are those that the provider told
    when the user signed in.

    Args:
        issuer: The provider's address.
        client_id: What it calls the hub.
        client_secret: What the hub proves that with; None: ``FLASH_OIDC_CLIENT_SECRET``, or a public client.
        scope: What is asked for.
        user_claim: The claim that names the user. It must be one that users cannot choose themselves.
        roles_claim: The claim that holds the roles, with dots into objects: ``"realm_access.roles"``.
        role_names: What the hub calls roles that the provider names otherwise: ``{"hub-admins": "admin"}``.
        allowed_domains: Domains of the e-mail addresses that may sign in; all when empty.
        admins: Users who are administrators, whatever their roles.
        redirect_uri: The whole address of the callback, when the hub cannot know its own.
        idle: Seconds without a request after which one has to sign in again.
        absolute: Seconds after which one has to in any case.

    Example:
        >>> hub = Hub(signin=OIDC("https://login.example.com", "hub", roles_claim="groups"))
    """

    def __init__(
        self,
        issuer: str,
        client_id: str,
        client_secret: str | None = None,
        *,
        scope: str = "openid profile email",
        user_claim: str = "email",
        roles_claim: str | None = None,
        role_names: Mapping[str, str] | None = None,
        allowed_domains: Collection[str] = (),
        admins: Collection[str] = (),
        redirect_uri: str | None = None,
        idle: float = 12 * 3600.0,
        absolute: float = 7 * 86400.0,
    ) -> None:
        super().__init__(idle=idle, absolute=absolute)
        if "openid" not in scope.split():
            raise ConfigurationError(f"scope={scope!r} does not ask who it is: add 'openid'.")
        if isinstance(allowed_domains, str) or isinstance(admins, str):
            raise ConfigurationError("allowed_domains and admins are lists: write ['example.com'].")
        secret = client_secret or os.environ.get(SECRET_VARIABLE) or None
        self._provider = Provider(issuer, client_id, secret)
        self._client_id = client_id
        self._scope = scope
        self._user_claim = user_claim
        self._roles_claim = roles_claim
        self._role_names = dict(role_names or {})
        self._domains = frozenset(domain.lower().lstrip("@") for domain in allowed_domains)
        self._admins = frozenset(admins)
        self._redirect_uri = redirect_uri

    async def close(self) -> None:
        """See :meth:`SignIn.close`."""
        await super().close()
        await self._provider.close()

    def visitor_of(self, session: Session) -> Visitor | None:
        """See :meth:`BrowserSignIn.visitor_of`."""
        if (roles := session.data.get("roles")) is None:
            return None  # Begun by another way of signing in.
        return Visitor(session.user, frozenset(roles))

    def add_pages(self, pages: Blueprint) -> None:
        """See :meth:`BrowserSignIn.add_pages`."""

        @pages.get(LOGIN)
        async def login() -> Response:
            try:
                return await self._send_away(safe_next(request.args.get("next")), "again" in request.args)
            except ProviderFailed as error:
                logger.error("Nobody can sign in. %s", error)
                return await _page("Not signed in", _UNAVAILABLE, 502)

        @pages.get(CALLBACK)
        async def callback() -> Response:
            try:
                return await self._taken_back()
            except ProviderFailed as error:
                logger.warning("A sign-in has failed. %s", error)
                return await _page("Not signed in", _UNAVAILABLE, 502)
            except Refused as refused:
                return await _page("Not signed in", str(refused), 403)

        @pages.get(SIGNED_OUT)
        async def signed_out() -> Response:
            return await _page("You have signed out", "This hub knows you no more.", 200)

    async def after_sign_out(self, session: Session | None) -> Response:
        """See :meth:`BrowserSignIn.after_sign_out`: the provider is told, if it wants to know.

        By a page that leads there: the hub's pages may send forms to the hub alone, redirects included.
        """
        try:
            end = (await self._provider.metadata()).get("end_session_endpoint")
        except ProviderFailed as error:
            logger.warning("The provider is not told that somebody has signed out. %s", error)
            end = None
        if session is None or not isinstance(end, str) or not end.startswith(("https://", "http://")):
            return as_response(redirect(SIGNED_OUT, 303))
        told = {
            "client_id": self._client_id,
            "id_token_hint": session.data["id_token"],
            "post_logout_redirect_uri": _address(SIGNED_OUT),
        }
        onward = f"{end}{'&' if '?' in end else '?'}{urlencode(told)}"
        return await _page("You have signed out", "You are being signed out at the provider too.", 200, onward)

    # The way there and back.

    async def _send_away(self, goal: str, again: bool) -> Response:
        """Send the browser to the provider, with what it must bring back in a cookie."""
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri  # type: ignore[import-untyped]
        from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]

        metadata = await self._provider.metadata()
        kept = {
            "state": secrets.token_urlsafe(24),
            "nonce": secrets.token_urlsafe(24),
            "verifier": secrets.token_urlsafe(48),
            "goal": goal,
            "uri": self._redirect_uri or _address(CALLBACK),
        }
        url = prepare_grant_uri(
            metadata["authorization_endpoint"],
            self._client_id,
            "code",
            redirect_uri=kept["uri"],
            scope=self._scope,
            state=kept["state"],
            nonce=kept["nonce"],
            code_challenge=create_s256_code_challenge(kept["verifier"]),
            code_challenge_method="S256",
            **({"prompt": "select_account"} if again else {}),
        )
        response = as_response(redirect(url, 303))
        response.headers.add("Set-Cookie", _cookie(kept["state"], str(self._signer.dumps(kept)), LASTS))
        return response

    async def _taken_back(self) -> Response:
        """The browser comes back from the provider."""
        kept = self._kept(request.args.get("state", ""))
        if kept is None:
            return await _page("Not signed in", _EXPIRED, 400)
        if request.args.get("iss", self._provider.issuer) != self._provider.issuer:
            raise ProviderFailed("The answer comes from another provider.")
        if "error" in request.args or "code" not in request.args:
            logger.warning("The provider has refused a sign-in: %r.", request.args.get("error", "")[:100])
            raise Refused("The sign-in service has not let you in.")
        tokens = await self._provider.tokens(request.args["code"], kept["verifier"], kept["uri"])
        claims = await self._provider.claims(tokens["id_token"], kept["nonce"])
        claims = {**await self._more(tokens, claims), **claims}
        user, roles = self._who(claims)
        response = await self.sign_in(user, {"roles": roles, "id_token": tokens["id_token"]}, safe_next(kept["goal"]))
        response.headers.add("Set-Cookie", _cookie(kept["state"], "", 0))
        return response

    def _kept(self, state: str) -> dict[str, str] | None:
        """What the browser was sent away with; None when it was not this one, or too long ago."""
        for value in cookies_of(asked(), _cookie_name(state)):
            try:
                kept: dict[str, str] = self._signer.loads(value, max_age=LASTS)
            except BadSignature:
                continue
            if secrets.compare_digest(kept["state"].encode(), state.encode()):
                return kept
        return None

    async def _more(self, tokens: Mapping[str, Any], claims: Mapping[str, Any]) -> dict[str, Any]:
        """What has to be asked for, because the ``id_token`` does not tell it."""
        wanted = [self._user_claim, *([self._roles_claim] if self._roles_claim else [])]
        if all(_claim(claims, name) is not None for name in wanted) or "access_token" not in tokens:
            return {}
        return await self._provider.user_info(tokens["access_token"], claims["sub"])

    def _who(self, claims: Mapping[str, Any]) -> tuple[str, list[str]]:
        """Name and roles of a user.

        Raises:
            Refused: This one may not sign in.
        """
        user = _claim(claims, self._user_claim)
        if not isinstance(user, str) or not user.strip() or not user.isprintable():
            logger.error("Nobody can sign in without the claim %r: set user_claim= or scope=.", self._user_claim)
            raise Refused("The sign-in service has not said who you are.")
        if (self._user_claim == "email" and claims.get("email_verified") is False) or not self._is_of_a_domain(claims):
            logger.warning("%r may not sign in: the address is not verified, or of another domain.", user)
            raise Refused("Your account may not use this hub.")
        name = unicodedata.normalize("NFC", user.strip())
        told = _claim(claims, self._roles_claim) if self._roles_claim else None
        roles = {self._role_names.get(role, role) for role in _as_names(told)}
        return name, sorted(roles | {ADMIN} if name in self._admins else roles)

    def _is_of_a_domain(self, claims: Mapping[str, Any]) -> bool:
        if not self._domains:
            return True
        email = str(claims.get("email", "")).lower()
        return claims.get("email_verified") is True and email.rpartition("@")[2] in self._domains

    @property
    def _signer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self.secret, salt="flash-hub-oidc")


async def _page(title: str, text: str, status: int, onward: str | None = None) -> Response:
    page = await render_template("signin.html", title=title, text=text, onward=onward)
    response = await make_response(page, status)
    assert isinstance(response, Response)
    return response


def _address(path: str) -> str:
    """The whole address of a page of the hub's, as the browser knows it."""
    return f"{request.scheme}://{request.host}{path}"


def _cookie_name(state: str) -> str:
    # One for each tab that is under way.
    return f"flash-hub-oidc-{state[:8]}"


def _cookie(state: str, value: str, seconds: float) -> str:
    return set_cookie(_cookie_name(state), value, asked(), path=CALLBACK, seconds=seconds)


def _claim(claims: Mapping[str, Any], path: str) -> Any:
    """A claim: by its whole name, or else by the parts of it between dots."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _as_names(told: Any) -> list[str]:
    """Roles as a provider tells them: a list, or words in one string."""
    if isinstance(told, str):
        return told.replace(",", " ").split()
    return [each for each in told if isinstance(each, str)] if isinstance(told, list) else []
