"""Compressing dynamic responses, for apps with ``compress=True``."""

from __future__ import annotations

import gzip

from quart import Quart, Response
from quart_compress import Compress

from ..pool import Pool

#: Shorter bodies are compressed on the loop: it takes less than a hop to a thread.
LIGHT_BODY = 4096


class ThreadedCompress(Compress):  # type: ignore[misc]
    """Quart-Compress, whose work is done in a thread instead of on the loop.

    Args:
        server: The server whose responses are compressed.
        pool: Where that is done.
    """

    def __init__(self, server: Quart, pool: Pool) -> None:
        self.pool = pool
        super().__init__(server)

    async def compress(self, app: Quart, response: Response) -> bytes:
        """The compressed body of a response."""
        if app.config["COMPRESS_ALGORITHM"] != "gzip":
            compressed: bytes = await super().compress(app, response)
            return compressed
        body = await response.get_data(as_text=False)
        level = app.config["COMPRESS_LEVEL"]
        if len(body) < LIGHT_BODY:
            return gzip.compress(body, level)
        return await self.pool.run(gzip.compress, body, level)
