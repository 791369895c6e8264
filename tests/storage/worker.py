"""A process of its own for the tests: ``python -m tests.storage.worker WHAT ARGUMENT...``."""

from __future__ import annotations

import asyncio
import sys
import time

from flash.storage import ProcessLock, SeveralProcesses, Storage, refuse_several, storage_of


def main(what: str, *arguments: str) -> None:
    {"publish": publish, "race": race, "hold": hold, "refuse": refuse}[what](*arguments)


def storage_named(name: str) -> Storage:
    """``dash:NAMESPACE`` is Dash's local storage, everything else a url."""
    if not name.startswith("dash:"):
        return storage_of(name)
    import dash

    return storage_of(dash.LocalSharedStorage(namespace=name.removeprefix("dash:"), buffer_size=5000))


def publish(name: str, who: str, count: str) -> None:
    """Publish messages, by tasks and by a thread."""

    async def run() -> None:
        storage = storage_named(name)

        async def one(task: int) -> None:
            for number in range(int(count)):
                await storage.apublish("news", [who, task, number])

        def plain(task: int) -> None:
            for number in range(int(count)):
                storage.publish("news", [who, task, number])

        await asyncio.gather(one(0), one(1), one(2), asyncio.to_thread(plain, 3))
        await storage.aclose()

    asyncio.run(run())


def race(name: str, owner: str, seconds: str) -> None:
    """Take a lease again and again, and write down when it was held, by which token."""
    storage = storage_named(name)
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        token = storage.acquire("leader", owner, 5)
        if token is None:
            continue
        begin = time.time_ns()
        time.sleep(0.002)
        if storage.renew("leader", owner, 5):
            print(token, begin, time.time_ns(), flush=True)
        storage.release("leader", owner)
    storage.close()


def hold(name: str) -> None:
    """Hold a process lock until standard input ends."""
    print(ProcessLock(name).take(), flush=True)
    sys.stdin.read()


def refuse(name: str, grace: str) -> None:
    """Say whether this is the only process."""
    try:
        asyncio.run(refuse_several(name, float(grace)))
        print("alone", flush=True)
    except SeveralProcesses as error:
        print(error, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
