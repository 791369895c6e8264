"""What serves the dashboard: waitress, with the schedule beside it (``python server.py``)."""

from __future__ import annotations

import signal
import sys

import waitress
from flash import data

from app import create_app
from setting import HOST, LOGS, PORT, USERS, start_logging
from signin import Users

#: Requests that are answered at the same time.
THREADS = 10

#: More connections than this wait; each open page keeps one.
CONNECTIONS = 1000


def main() -> None:
    """Serve until the process is ended."""
    start_logging(LOGS)
    # As services and containers are ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    app = create_app(Users(USERS))
    data.start()
    try:
        waitress.serve(
            app.server,
            host=HOST,
            port=PORT,
            threads=THREADS,
            connection_limit=CONNECTIONS,
            # Who is believed is decided by signin.py.
            clear_untrusted_proxy_headers=False,
        )
    finally:
        data.stop()


if __name__ == "__main__":
    main()
