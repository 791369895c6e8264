"""Ways of signing in to a hub: none, a password file, basic, a header of a proxy, OpenID Connect."""

from .base import SignIn
from .none import NoSignIn
from .origins import foreign

__all__ = ["NoSignIn", "SignIn", "foreign"]
