from testing_app import make_app


def test_add(flash_duo):
    flash_duo.start_server(make_app(), debug=True)
    flash_duo.wait_for_text_to_equal("#count", "0 in the basket")
    flash_duo.find_element("#add").click()
    flash_duo.wait_for_text_to_equal("#count", "1 in the basket")
    assert flash_duo.get_logs() == []


def test_add_in_a_process(flash_duo_mp):
    flash_duo_mp.start_server(make_app())
    flash_duo_mp.wait_for_text_to_equal("#count", "0 in the basket")
