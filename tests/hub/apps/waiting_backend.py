"""A backend whose answers the test gives: FastAPI. It tells what has become of the requests that asked for work."""

import asyncio
from collections import defaultdict

from fastapi import FastAPI, Request

#: What was told of each work, by its name: "began", then "answered" or "cancelled".
told: dict[str, list[str]] = defaultdict(list)
released: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

app = FastAPI()


@app.post("/work/{name}")
async def work(name: str, request: Request) -> dict[str, str]:
    told[name].append("began")
    # No ASGI server cancels a view whose client has gone; it is told, and this one listens.
    working = asyncio.create_task(released[name].wait())
    leaving = asyncio.create_task(departure(request))
    await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
    told[name].append("answered" if working.done() else "cancelled")
    for task in (working, leaving):
        task.cancel()
    return {"result": f"result of {name}"}


@app.post("/work")
async def named_work(named: dict[str, str], request: Request) -> dict[str, str]:
    """The same for one who names the work in the body."""
    return await work(named["name"], request)


async def departure(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


@app.post("/release/{name}")
async def release(name: str) -> None:
    released[name].set()


@app.get("/told/{name}")
async def tell(name: str) -> list[str]:
    return told[name]
