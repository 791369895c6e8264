"""The reviews: the form, the list, the interface for programs, and the chart."""

from __future__ import annotations

import pytest

REVIEW = {"product": "Rope", "mark": "4", "author": "Ann", "text": "It <holds>."}


@pytest.fixture
def client(load):
    """A browser's place in the app."""
    return load("reviews/app.py").create_app().test_client()


def test_a_review_is_shown(client):
    page = client.post("/", data=REVIEW, follow_redirects=True)
    assert page.status_code == 200
    assert "It &lt;holds&gt;." in page.text
    # Who has written is remembered.
    assert 'value="Ann"' in page.text
    assert client.get("/static/reviews.css").status_code == 200


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        ({"product": "Sail"}, "Choose one of the products."),
        ({"mark": "6"}, "Give a mark from 1 to 5."),
        ({"mark": ""}, "Give a mark from 1 to 5."),
        ({"text": " "}, "Write something"),
    ],
)
def test_what_is_no_review_is_not_kept(client, mistake, sentence):
    page = client.post("/", data=REVIEW | mistake)
    assert (page.status_code, sentence in page.text) == (422, True)
    assert client.get("/api/reviews").json == []


def test_programs_get_the_newest_first(client):
    for mark in "45":
        client.post("/", data=REVIEW | {"mark": mark})
    assert [review["mark"] for review in client.get("/api/reviews").json] == [5, 4]


def test_the_chart_counts_the_marks(client):
    client.post("/", data=REVIEW)
    assert client.get("/chart/").status_code == 200
    body = {
        "output": "marks.figure",
        "outputs": {"id": "marks", "property": "figure"},
        "inputs": [{"id": "products", "property": "value", "value": ["Rope", "Anchor"]}],
        "changedPropIds": [],
    }
    figure = client.post("/chart/_dash-update-component", json=body).json["response"]["marks"]["figure"]
    assert [bar["y"] for bar in figure["data"]] == [[0, 0], [0, 0], [0, 0], [1, 0], [0, 0]]
