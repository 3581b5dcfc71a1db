"""A proxy that accepts connections and never says a word, from some connection on."""

from __future__ import annotations

import asyncio

from proxy import DelayProxy, End


class SilentProxy(DelayProxy):
    """Forward the first `served` connections to the server; accept all others and do nothing."""

    def __init__(self, server_host: str, server_port: int, *, served: int) -> None:
        super().__init__(server_host, server_port)
        self.served = served
        self.silent = 0

    async def _connect(self, client: End) -> None:
        if self.connections < self.served:
            await super()._connect(client)
        else:
            self.silent += 1
            await asyncio.sleep(0)
