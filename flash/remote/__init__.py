"""Callbacks whose work runs on another server: over HTTP, or through Celery.

    from flash.remote import Remote, api_callback

Needs ``pip install "dash-flash[remote]"``. ``docs/remote.md`` is the guide.
"""

from .declare import api_callback as api_callback
from .errors import RemoteError as RemoteError
from .http import Remote as Remote
from .seed import InputReceiver as InputReceiver
from .seed import Receiver as Receiver

__all__ = ["InputReceiver", "Receiver", "Remote", "RemoteError", "api_callback"]
