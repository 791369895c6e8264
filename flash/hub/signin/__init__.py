"""Ways of signing in to a hub: none, a password file, basic, a header of a proxy, OpenID Connect."""

from .base import SignIn
from .basic import Basic
from .forwarded import Forwarded
from .none import NoSignIn
from .oidc import OIDC
from .origins import foreign
from .password import PasswordFile

__all__ = ["OIDC", "Basic", "Forwarded", "NoSignIn", "PasswordFile", "SignIn", "foreign"]
