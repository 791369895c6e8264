import pytest
from testing_app import make_app

from flash.testing import CallbackFailed


def test_add(flash_client):
    client = flash_client(make_app())
    result = client.call("basket.children", inputs={"add.n_clicks": 1}, state={"fruit.value": "pear"})
    assert result["basket.children"][0]["props"]["children"] == "pear"
    assert result.side_updates == {"fruit.value": ""}


def test_on_a_page(flash_client):
    client = flash_client(make_app())
    page = client.open("/")
    assert page.title == "Basket"
    assert page["fruit"]["value"] == "apple"

    client.call("basket.children", {"add.n_clicks": 1})
    assert page["fruit"]["value"] == ""
    assert client.call("count.children")["count.children"] == "1 in the basket"


def test_nothing_to_add(flash_client):
    result = flash_client(make_app()).call("basket.children", state={"fruit.value": ""})
    assert result.prevented


def test_a_stone(flash_client):
    client = flash_client(make_app())
    with pytest.raises(CallbackFailed, match="a stone is no fruit") as failed:
        client.call("basket.children", state={"fruit.value": "stone"})
    assert isinstance(failed.value.__cause__, ValueError)

    result = client.call("basket.children", state={"fruit.value": "stone"}, check=False)
    assert result.status == 500
    assert "testing_app.py" in result.error.traceback
