"""Testing Flash apps: an in-process client, servers on free ports, and the pytest plugin's fixtures.

See ``docs/testing.md``.
"""

from .client import Client as Client
from .client import SyncClient as SyncClient
from .page import Page as Page
from .page import PageFailed as PageFailed
from .results import Answer as Answer
from .results import CallbackFailed as CallbackFailed
from .results import Failure as Failure
from .results import Result as Result
from .servers import ProcessServer as ProcessServer
from .servers import ThreadServer as ThreadServer

__all__ = [
    "Answer",
    "CallbackFailed",
    "Client",
    "Failure",
    "Page",
    "PageFailed",
    "ProcessServer",
    "Result",
    "SyncClient",
    "ThreadServer",
]
