import asyncio

from testing_app import make_app

from flash.testing import Client


async def add_two_fruits():
    async with Client(make_app()) as client:
        pear = client.call("basket.children", state={"fruit.value": "pear"})
        plum = client.call("basket.children", state={"fruit.value": "plum"})
        return await asyncio.gather(pear, plum)


def test_at_once():
    results = asyncio.run(add_two_fruits())
    assert [result.status for result in results] == [200, 200]
