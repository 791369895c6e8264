"""A site of apps that are made by functions: dashboards and plain pages, each independent of the others.

Run it with ``python app.py``, and open http://127.0.0.1:8050.
"""

from __future__ import annotations

import os

from flash.hub import Hub

# What the hub remembers, the apps' logs and their instance folders.
hub = Hub(title="Sales and stocks", home=os.environ.get("HUB_HOME", ".hub"))
hub.mount(
    "stock:create_app",
    "/stock",
    title="Stock today",
    description="Prices of three companies, over any range of days, and as a file.",
    tags=["finance"],
)
hub.mount(
    "orders:create_app",
    "/orders",
    title="Orders",
    description="Who has ordered for how much. Kept in a database of its own.",
    tags=["sales"],
)
hub.mount(
    "handbook:create_app",
    "/handbook",
    title="Handbook",
    description="Plain pages: a Quart app with a blueprint.",
    tags=["pages"],
)

if __name__ == "__main__":
    hub.run(host=os.environ.get("HOST", "127.0.0.1"), port=int(os.environ.get("PORT", "8050")))
