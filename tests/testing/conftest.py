"""Flash's pytest plugin, also where Flash is imported without having been installed; and a browser without a screen."""

from __future__ import annotations

from typing import Any

import pytest
from selenium.webdriver import ChromeOptions

from flash.testing import plugin


def pytest_configure(config: pytest.Config) -> None:
    if not config.pluginmanager.is_registered(plugin):
        config.pluginmanager.register(plugin, "flash")


def pytest_setup_options() -> Any:
    """The options of the browser of Dash's own fixtures, too."""
    options = ChromeOptions()
    options.add_argument("--headless=new")
    return options
