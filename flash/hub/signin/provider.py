"""A provider of identities, as OpenID Connect describes it: what it says of itself, and of who has signed in there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...exceptions import ConfigurationError

if TYPE_CHECKING:
    import httpx
    from joserfc.jwk import KeySet

#: Seconds that the provider has for an answer.
TIMEOUT = 10.0

#: Seconds after which what it says of itself is asked for again.
KEPT = 3600.0

#: Seconds between two questions for its keys, when a signature names one that is not known.
KEYS_AGAIN = 30.0

#: Seconds by which clocks may differ.
LEEWAY = 60

#: Signatures that are accepted. Never "none", and none by the client's secret.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")


class ProviderFailed(Exception):
    """The provider did not answer, or what it said cannot be believed. The text is for the log."""


class Provider:
    """Speaks with a provider.

    Args:
        issuer: Its address: ``"https://accounts.example.com"``.
        client_id: What it calls the hub.
        client_secret: What the hub proves that with; None for a public client, which has PKCE alone.

    Raises:
        ConfigurationError: The address is not safe, or a package is missing.
    """

    def __init__(self, issuer: str, client_id: str, client_secret: str | None) -> None:
        _require_packages()
        if not is_safe(issuer):
            raise ConfigurationError(f"The issuer {issuer!r} must be an address that begins with https://.")
        self.issuer = issuer
        self._client_id = client_id
        self._client_secret = client_secret
        self._http: httpx.AsyncClient | None = None
        self._lock = asyncio.Lock()
        self._metadata: tuple[float, dict[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None

    async def metadata(self) -> dict[str, Any]:
        """What the provider says of itself, from its discovery document.

        Raises:
            ProviderFailed: It does not answer, or speaks for somebody else.
        """
        async with self._lock:
            now = time.monotonic()
            if self._metadata is None or now > self._metadata[0] + KEPT:
                found = await self._get(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
                if found.get("issuer") != self.issuer:
                    raise ProviderFailed(f"{self.issuer} says that it is {found.get('issuer')!r}.")
                for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                    if not is_safe(str(found.get(name))):
                        raise ProviderFailed(f"The {name} of {self.issuer} is no safe address: {found.get(name)!r}.")
                self._metadata = now, found
            return self._metadata[1]

    async def tokens(self, code: str, verifier: str, redirect_uri: str) -> dict[str, Any]:
        """Exchange a code for tokens.

        Args:
            code: What the browser has brought.
            verifier: The secret behind the challenge that the browser was sent with.
            redirect_uri: Where the browser was to come back to.

        Raises:
            ProviderFailed: The code is not good, or there is no ``id_token``.
        """
        from authlib.oauth2.auth import ClientAuth  # type: ignore[import-untyped]
        from authlib.oauth2.rfc6749.parameters import prepare_token_request  # type: ignore[import-untyped]

        metadata = await self.metadata()
        url = metadata["token_endpoint"]
        body = prepare_token_request("authorization_code", redirect_uri=redirect_uri, code=code, code_verifier=verifier)
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        auth = ClientAuth(self._client_id, self._client_secret, self._auth_method(metadata))
        url, headers, body = auth.prepare("POST", url, headers, body)
        found = await self._json("POST", url, headers=headers, content=body)
        if not isinstance(found.get("id_token"), str):
            raise ProviderFailed("The provider has sent no id_token: is 'openid' among the scopes?")
        return found

    async def claims(self, id_token: str, nonce: str) -> dict[str, Any]:
        """What an ``id_token`` says, once its signature, issuer, audience, time and nonce are right.

        Args:
            id_token: The token.
            nonce: What the browser was sent with.

        Raises:
            ProviderFailed: It cannot be believed.
        """
        from joserfc import jwt
        from joserfc.errors import InvalidKeyIdError, JoseError

        offered = (await self.metadata()).get("id_token_signing_alg_values_supported") or ["RS256"]
        algorithms = [each for each in ALGORITHMS if each in offered]
        try:
            try:
                token = jwt.decode(id_token, await self._key_set(), algorithms=algorithms)
            except InvalidKeyIdError:
                token = jwt.decode(id_token, await self._key_set(again=True), algorithms=algorithms)
            self._registry(nonce).validate(token.claims)
        except (JoseError, ValueError) as error:
            raise ProviderFailed(f"The id_token cannot be believed: {error}") from error
        claims = dict(token.claims)
        audience = claims["aud"]
        several = isinstance(audience, list) and len(audience) > 1
        if claims.get("azp", None if several else self._client_id) != self._client_id:
            raise ProviderFailed("The id_token is for another client.")
        return claims

    async def user_info(self, access_token: str, subject: str) -> dict[str, Any]:
        """What the provider tells of a user beside the ``id_token``; nothing when it has no such endpoint.

        Args:
            access_token: What came with the ``id_token``.
            subject: The ``sub`` of the ``id_token``.

        Raises:
            ProviderFailed: It does not answer, or speaks of somebody else.
        """
        url = (await self.metadata()).get("userinfo_endpoint")
        if not is_safe(str(url)):
            return {}
        found = await self._json("GET", str(url), headers={"Authorization": f"Bearer {access_token}"})
        if found.get("sub") != subject:
            raise ProviderFailed("The provider has told of another user.")
        return found

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    def _registry(self, nonce: str) -> Any:
        from joserfc.jwt import JWTClaimsRegistry

        return JWTClaimsRegistry(
            leeway=LEEWAY,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self._client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )

    def _auth_method(self, metadata: Mapping[str, Any]) -> str:
        if self._client_secret is None:
            return "none"
        offered = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        return "client_secret_basic" if "client_secret_basic" in offered else "client_secret_post"

    async def _key_set(self, again: bool = False) -> KeySet:
        """The provider's public keys; asked for again when one is missing, but not by everybody who makes one up."""
        from joserfc.jwk import KeySet

        now = time.monotonic()
        if self._keys is None or now > self._keys[0] + (KEYS_AGAIN if again else KEPT):
            found = await self._get((await self.metadata())["jwks_uri"])
            keys = [key for key in found.get("keys", ()) if key.get("use") != "enc" and key.get("kty") != "oct"]
            self._keys = now, KeySet.import_key_set({"keys": keys})
        return self._keys[1]

    async def _get(self, url: str) -> dict[str, Any]:
        return await self._json("GET", url)

    async def _json(self, method: str, url: str, **request: Any) -> dict[str, Any]:
        import httpx

        if self._http is None:
            self._http = httpx.AsyncClient(timeout=TIMEOUT)
        try:
            answer = await self._http.request(method, url, **request)
            found = answer.json() if answer.is_success else None
        except (httpx.HTTPError, ValueError) as error:
            raise ProviderFailed(f"{url} has not answered: {type(error).__name__}: {error}") from error
        if not isinstance(found, dict):
            raise ProviderFailed(f"{url} has answered with {answer.status_code}: {answer.text[:200]}")
        return found


def is_safe(url: str) -> bool:
    """Whether an address is one of TLS, or of this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1"))


def _require_packages() -> None:
    try:
        import authlib.oauth2  # type: ignore[import-untyped]  # noqa: F401
        import httpx  # noqa: F401
        import joserfc  # noqa: F401
    except ImportError:
        raise ConfigurationError("OIDC() needs Authlib and httpx: pip install 'dash-flash[hub]'.") from None
