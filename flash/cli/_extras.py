"""Commands that need more than Flash itself is installed with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click


@contextmanager
def needing(extra: str) -> Iterator[None]:
    """Say what to install when an import of the block fails for want of a package.

    Args:
        extra: The extra of ``dash-flash`` that brings the package.

    Raises:
        click.ClickException: A package is missing.
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] == "flash":
            raise
        raise click.ClickException(f"This needs {missing.name}: pip install 'dash-flash[{extra}]'") from missing
