"""What serves the dashboard: ``python server.py``, or any ASGI server that is told ``server:app``. See README.md."""

from __future__ import annotations

from app import create_app
from setting import HOST, LOGS, PORT, USERS, start_logging
from signin import Users

start_logging(LOGS)
app = create_app(Users(USERS))

if __name__ == "__main__":
    app.run(host=HOST, port=PORT)
