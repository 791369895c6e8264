"""A small provider of identities, by the book, that tests can make lie.

Example:
    >>> provider = Provider()
    >>> provider.claims["groups"] = ["finance"]
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from quart import Quart, Response, jsonify, redirect, request

ISSUER = "https://login.example"
CLIENT_ID = "hub"
CLIENT_SECRET = "s3cret"


class Provider:
    """Signs everybody in who comes, as the user whom its ``claims`` tell of.

    Attributes:
        claims: What it says of the user in the ``id_token``.
        told: What it says of the user when it is asked with the access token.
        metadata: What it says of itself.
        key: What it signs with.
        keys: The public keys that it shows.
        algorithm: How it signs.
        asked: The paths that the hub has asked for.
        signed_out: The arguments of the sign-outs.
    """

    def __init__(self, secret: str | None = CLIENT_SECRET) -> None:
        self.secret = secret
        self.claims: dict[str, Any] = {"sub": "1234", "email": "ann@example.com", "email_verified": True}
        self.told: dict[str, Any] = {"sub": "1234"}
        self.key = key_called("first")
        self.keys = [self.key]
        self.algorithm = "RS256"
        self.asked: list[str] = []
        self.signed_out: list[dict[str, str]] = []
        self._codes: dict[str, dict[str, str]] = {}
        self.metadata: dict[str, Any] = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/keys",
            "userinfo_endpoint": f"{ISSUER}/me",
            "end_session_endpoint": f"{ISSUER}/end",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        }
        self.app = self._app()

    def transport(self) -> httpx.ASGITransport:
        """The way to it."""
        return httpx.ASGITransport(app=self.app)

    async def visit(self, url: str) -> str:
        """What a browser does there that is sent to it: the address that it is sent back to."""
        async with httpx.AsyncClient(transport=self.transport()) as browser:
            answer = await browser.get(url)
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    def _app(self) -> Quart:
        app = Quart("provider")

        @app.before_request
        def note() -> None:
            self.asked.append(request.path)

        @app.get("/.well-known/openid-configuration")
        def configuration() -> Response:
            return jsonify(self.metadata)

        @app.get("/keys")
        def keys() -> Response:
            return jsonify(KeySet(self.keys).as_dict(private=False))

        @app.get("/authorize")
        def authorize() -> Any:
            asked = request.args
            assert (asked["client_id"], asked["response_type"]) == (CLIENT_ID, "code")
            assert asked["code_challenge_method"] == "S256" and "openid" in asked["scope"].split()
            code = secrets.token_urlsafe()
            self._codes[code] = dict(asked)
            back = {"code": code, "state": asked["state"], "iss": ISSUER}
            return redirect(f"{asked['redirect_uri']}?{urlencode(back)}", 302)

        @app.post("/token")
        async def token() -> Any:
            sent = await request.form
            asked = self._codes.pop(sent["code"], None)
            if asked is None or not self._is_the_client(sent) or sent["redirect_uri"] != asked["redirect_uri"]:
                return jsonify(error="invalid_grant"), 400
            digest = hashlib.sha256(sent["code_verifier"].encode()).digest()
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]:
                return jsonify(error="invalid_grant"), 400
            return jsonify(access_token="access", token_type="Bearer", id_token=self._id_token(asked["nonce"]))

        @app.get("/me")
        def me() -> Any:
            assert request.headers["Authorization"] == "Bearer access"
            return jsonify(self.told)

        return app

    def _is_the_client(self, sent: Any) -> bool:
        if self.secret is None:
            return bool(sent["client_id"] == CLIENT_ID)
        given = request.authorization
        return given is not None and (given.username, given.password) == (CLIENT_ID, self.secret)

    def _id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": nonce, **self.claims}
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": self.algorithm, "kid": self.key.kid}
        if self.algorithm == "none":
            return unsigned(header, claims)
        if self.algorithm == "HS256":
            return signed_with(self.key.as_pem(private=False), header, claims)
        return jwt.encode(header, claims, self.key, algorithms=[self.algorithm])


@lru_cache
def key_called(name: str, version: int = 1) -> RSAKey:
    """A key; those of other versions have the same name. Making one takes a moment."""
    return RSAKey.generate_key(2048, {"kid": name}, private=True)


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A token without a signature."""
    return ".".join((*map(_encoded, (header, claims)), ""))


def signed_with(public_key: bytes, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A token whose signature everybody can make who knows a public key."""
    parts = ".".join(map(_encoded, (header, claims)))
    signature = hmac.digest(public_key, parts.encode(), "sha256")
    return f"{parts}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def arguments_of(url: str) -> dict[str, str]:
    """The query of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
