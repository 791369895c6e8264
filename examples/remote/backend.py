"""The server that does the work: FastAPI. It knows nothing of the pages that ask it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from hypercorn.asyncio import serve
from hypercorn.config import Config
from pydantic import BaseModel, Field

STEPS = 40

app = FastAPI()


class Limit(BaseModel):
    limit: int = Field(ge=100, le=2_000_000)


class Number(BaseModel):
    number: int = Field(ge=2, le=1_000_000_000_000)


@app.get("/")
def health() -> dict[str, bool]:
    """Says that it is there."""
    return {"ready": True}


@app.post("/primes")
async def primes(asked: Limit) -> StreamingResponse:
    """Answers bit by bit: a line for each step, and one with the result."""
    return StreamingResponse(count(asked.limit), media_type="application/x-ndjson")


async def count(limit: int) -> AsyncIterator[str]:
    """When the page hangs up, the framework ends this generator where it waits."""
    found = 0
    try:
        for step in range(STEPS):
            first, last = limit * step // STEPS, limit * (step + 1) // STEPS
            found += await asyncio.to_thread(count_between, first, last)
            yield line(progress=[str(100 * (step + 1) // STEPS), f"{found:,} up to {last:,}"])
            await asyncio.sleep(0.05)
        yield line(result={"found": found})
    finally:
        print(f"Counted {found}.", file=sys.stderr, flush=True)


def line(**message: object) -> str:
    return json.dumps(message) + "\n"


def count_between(first: int, last: int) -> int:
    return sum(1 for number in range(max(first, 2), last) if len(factors_of(number)) == 1)


@app.post("/factors")
def factors(asked: Number) -> dict[str, list[int]]:
    """Answers at once, with JSON. It takes its time."""
    time.sleep(0.3)
    return {"factors": factors_of(asked.number)}


def factors_of(number: int) -> list[int]:
    found, factor = [], 2
    while factor * factor <= number:
        while number % factor == 0:
            found.append(factor)
            number //= factor
        factor += 1
    return [*found, number] if number > 1 else found


if __name__ == "__main__":
    config = Config()
    config.bind = [f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"]
    asyncio.run(serve(app, config))  # type: ignore[arg-type]
