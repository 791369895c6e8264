"""The stock: its database, and the page over it."""

from __future__ import annotations

from pathlib import Path


def test_goods_come_and_go(load, tmp_path: Path):
    stock = load("stock.py").Stock(tmp_path / "stock.sqlite")
    assert ("Oslo", "Rope", 80) in stock.levels(["Oslo"])
    stock.move("Oslo", "Rope", 12)
    assert ("Oslo", "Rope", 92) in stock.levels(["Oslo", "Bergen"])
    stock.move("Oslo", "Rope", -500)
    assert ("Oslo", "Rope", 0) in stock.levels(["Oslo"])
    assert stock.totals(["Oslo"])[-1][1] == 150 + 42
    assert stock.levels([]) == stock.totals([]) == []


def test_what_is_kept_outlives_the_app(load, tmp_path: Path):
    module = load("stock.py")
    module.Stock(tmp_path / "stock.sqlite").move("Oslo", "Rope", 1)
    assert ("Oslo", "Rope", 81) in module.Stock(tmp_path / "stock.sqlite").levels(["Oslo"])


def test_the_page_shows_the_chosen_warehouses(load, flash_client, tmp_path: Path):
    client = flash_client(load("stock.py").create_app())
    page = client.open("/")
    assert page.title == "Stock"
    result = client.call("levels.figure", {"warehouses.value": ["Oslo"]})
    assert [bar["name"] for bar in result["levels.figure"]["data"]] == ["Oslo"]
    assert result["pieces.children"] == str(80 + 150 + 42)
    assert (tmp_path / "instance" / "stock.sqlite").exists()
