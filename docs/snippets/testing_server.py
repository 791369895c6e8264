from urllib.request import urlopen

from testing_app import make_app


def test_in_a_thread(flash_server):
    server = flash_server(make_app())
    with urlopen(server.url) as response:
        assert b"Basket" in response.read()


def test_in_a_process(flash_server):
    server = flash_server(make_app(), process=True, debug=True)
    with urlopen(server.url) as response:
        assert b"Basket" in response.read()
