"""A pusher beside a command, made of a configuration."""

from __future__ import annotations

import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from codec.chain import Budget, Pusher, Rpc, Submitter
from codec.cli.background import Background
from codec.feeds import ConnectionSettings, FastFeed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codec.chain.push.config import PushConfig
    from codec.chain.push.state import Push
    from codec.feeds.stork_fast import Channel

__all__ = ["Pushing"]


class Pushing(Background):
    """Pushes as long as the `with` lasts.

    end: set when it has ended by itself. unresolved: what was out at the end.
    metrics_port: where metrics are served, from before the first push on.
    """

    def __init__(
        self, config: PushConfig, end: threading.Event, *, is_dry: bool
    ) -> None:
        super().__init__(self._push, "pushing", end)
        self._pusher: Pusher | None = None
        self.metrics_port: int | None = None
        self._config = config
        self._is_dry = is_dry
        self._made = threading.Event()

    @property
    def unresolved(self) -> Push | None:
        """What was out at the end, and is not known to be on the chain."""
        return None if self._pusher is None else self._pusher.unresolved

    def __enter__(self) -> Pusher:
        """Raises what kept the pusher from being made."""
        self.start()
        self._made.wait()
        if self._pusher is None:
            self._thread.join()
            self.check()
        assert self._pusher is not None
        return self._pusher

    def __exit__(self, *_: object) -> None:
        assert self._pusher is not None
        self.stop(self._pusher.stop)

    def _run(self) -> None:
        try:
            super()._run()
        finally:
            self._made.set()

    async def _push(self) -> None:
        config = self._config
        async with (
            Rpc(
                config.nodes, chain_id=config.chain_id, timeout_s=config.timeout_s
            ) as rpc,
            Submitter(
                rpc,
                config.wallet,
                config.target,
                policy=config.policy,
                checks=config.checks,
                confirmations=config.confirmations,
                replace_after_s=config.replace_after_s,
                deadline_s=config.deadline_s,
            ) as submitter,
        ):
            pusher = Pusher(
                self._feed,
                submitter,
                config.rules,
                taxonomy=config.feed.taxonomy,
                budget=Budget(config.max_wei_per_hour),
                window_s=config.window_s,
                min_balance_wei=config.min_balance_wei,
                dry_run=self._is_dry,
            )
            with self._served(pusher):
                self._pusher = pusher
                self._made.set()
                await pusher.run()

    @contextmanager
    def _served(self, pusher: Pusher) -> Iterator[None]:
        if self._config.metrics_port is None:
            yield
            return
        from codec.chain.push.metrics import serve_push_metrics

        with serve_push_metrics(pusher, self._config.metrics_port) as metrics:
            self.metrics_port = metrics.port
            yield

    def _feed(self) -> FastFeed:
        config = self._config
        feed = config.feed
        context = None
        if feed.ca_file is not None:
            context = ssl.create_default_context(cafile=feed.ca_file)
        return FastFeed(
            urls=feed.urls,
            token=feed.token.read,
            assets=config.rules,
            channel=cast("Channel", feed.channel),
            signers=feed.signers or None,
            on_bad_signature="mark",
            on_overflow="conflate",
            taxonomy=config.rules.taxonomy_id,
            connection=ConnectionSettings(ssl_context=context, proxy=feed.proxy),
        )
