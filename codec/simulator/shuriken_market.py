"""What comes on Shuriken's streams: payloads of a market that a seed gives."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from codec.simulator.pusher_words import dumps
from codec.simulator.shuriken_evm import EVM_MAKERS
from codec.simulator.shuriken_signals import SIGNALS
from codec.simulator.shuriken_svm import SVM_MAKERS
from codec.simulator.shuriken_tokens import Token, base58

if TYPE_CHECKING:
    from collections.abc import Callable

    from codec.simulator.shuriken_streams import Topic

__all__ = ["ShurikenMarket"]

_MAX_KEPT = 10_000  # tokens and topics, each
_MAKERS = {**SVM_MAKERS, **EVM_MAKERS}
_SAFE = 2**53  # numbers of JSON below it are exact in all languages


class ShurikenMarket:
    """Makes payloads. The same seed, clock and calls give the same texts."""

    def __init__(self, seed: int, time_ns: Callable[[], int]) -> None:
        self._seed = seed
        self._time_ns = time_ns
        self._tokens: dict[tuple[str, str], Token] = {}
        self._randoms: dict[Topic, Random] = {}

    def event(self, topic: Topic) -> str:
        """The next payload of a topic, as JSON."""
        random = self._randoms.get(topic)
        if random is None:
            random = Random(f"topic {self._seed} {topic}")
            _keep(self._randoms, topic, random)
        make = _MAKERS.get(topic.stream)
        given = dict(topic.filter)
        if make is not None:
            return dumps(make(self, random, given, self._time_ns()))
        token = self.token("sol", base58(random, 44))
        signal = SIGNALS[topic.stream]
        return dumps(signal(random, given, token, topic.user_id, self._time_ns()))

    def token(self, chain_id: str, address: str) -> Token:
        """A token; on all streams it is the same."""
        token = self._tokens.get((chain_id, address))
        if token is None:
            token = Token(self._seed, chain_id, address)
            _keep(self._tokens, (chain_id, address), token)
        return token


def _keep(places: dict[Any, Any], key: Any, value: Any) -> None:
    places[key] = value
    if len(places) > _MAX_KEPT:
        del places[next(iter(places))]
