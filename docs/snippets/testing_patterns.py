from flash import ALL, MATCH, Flash, Input, Output, html


def make_app() -> Flash:
    app = Flash(__name__)
    app.layout = html.Div()

    @app.callback(Output({"row": MATCH}, "children"), Input({"row": MATCH}, "title"))
    def double(title):
        return title * 2

    @app.callback(Input({"row": ALL}, "title"))
    async def log(titles):
        assert titles == ["a", "b"]

    return app


def test_one_row(flash_client):
    result = flash_client(make_app()).call(Output({"row": 1}, "children"), {Input({"row": 1}, "title"): "a"})
    assert result[Output({"row": 1}, "children")] == "aa"
    assert result.outputs == {'{"row":1}.children': "aa"}


def test_all_rows_and_no_output(flash_client):
    client = flash_client(make_app())
    client.call(inputs={Input({"row": 1}, "title"): "a", Input({"row": 2}, "title"): "b"})
