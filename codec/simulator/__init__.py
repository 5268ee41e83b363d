"""Servers on loopback, with switches for all that can go wrong.

`Simulator` serves Stork Fast, `Faults` are its switches; `AggregatorSimulator` is the
aggregator, with `AggregatorFaults`; `ShurikenSimulator` is Shuriken's API and socket,
with `ShurikenFaults`. Needs the extra `simulator`.
"""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

from codec.errors import MissingDependencyError as _MissingDependencyError
from codec.simulator.faults import AggregatorFaults, Faults
from codec.simulator.shuriken_faults import ShurikenFaults

if TYPE_CHECKING:
    from codec.simulator.aggregator import AggregatorConnection, AggregatorSimulator
    from codec.simulator.deflate import Deflate
    from codec.simulator.fast import Simulator, SimulatorConnection
    from codec.simulator.market import Market
    from codec.simulator.pusher_connection import PusherConnection
    from codec.simulator.shuriken import ShurikenSimulator

__all__ = [
    "AggregatorConnection",
    "AggregatorFaults",
    "AggregatorSimulator",
    "Deflate",
    "Faults",
    "Market",
    "PusherConnection",
    "ShurikenFaults",
    "ShurikenSimulator",
    "Simulator",
    "SimulatorConnection",
]

_PLACES = {
    "AggregatorConnection": "aggregator",
    "AggregatorSimulator": "aggregator",
    "Deflate": "deflate",
    "Market": "market",
    "PusherConnection": "pusher_connection",
    "ShurikenSimulator": "shuriken",
    "Simulator": "fast",
    "SimulatorConnection": "fast",
}


def __getattr__(name: str) -> object:
    """Loads what needs picows when it is first asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module 'codec.simulator' has no attribute {name!r}")
    try:
        module = _import_module(f"codec.simulator.{_PLACES[name]}")
    except ModuleNotFoundError as error:
        if error.name != "picows":
            raise
        raise _MissingDependencyError(
            "the simulator needs the package picows: pip install"
            " 'stork-codec[simulator]'"
        ) from error
    return getattr(module, name)
