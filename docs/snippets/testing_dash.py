from testing_app import make_app


def test_add(dash_duo):
    dash_duo.start_server(make_app())
    dash_duo.wait_for_text_to_equal("#count", "0 in the basket")
