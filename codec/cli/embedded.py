"""A simulator in the same process, on a thread and a loop of its own."""

from __future__ import annotations

import asyncio
import secrets
from threading import Event, Thread
from typing import TYPE_CHECKING, Self

from codec.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codec import Taxonomy

__all__ = ["EmbeddedSimulator"]


class EmbeddedSimulator:
    """Serves on a port of loopback as long as the `with` lasts.

    url, token, signer: of the server; both secrets are made anew each time. taxonomy:
    names the assets; more than one raises ValueError.
    """

    def __init__(self, assets: Iterable[int], taxonomy: Taxonomy | None = None) -> None:
        self.token = secrets.token_hex(16)
        self._simulator = Simulator(
            taxonomy=taxonomy,
            assets=sorted(assets),
            token=self.token,
            seed=secrets.randbits(62),
        )
        self.signer = self._simulator.signer
        self.taxonomy = self._simulator.taxonomy
        self._started = Event()
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._run, name="simulator", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._simulator.url

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        async with self._simulator:
            self._started.set()
            await self._end.wait()
