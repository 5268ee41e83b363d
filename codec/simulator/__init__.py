"""A Stork Fast server on loopback, with switches for all that can go wrong.

`Simulator` is the server, `Faults` its switches. Needs the extra `simulator`.
"""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

from codec.errors import MissingDependencyError as _MissingDependencyError
from codec.simulator.faults import Faults

if TYPE_CHECKING:
    from codec.simulator.deflate import Deflate
    from codec.simulator.fast import Simulator, SimulatorConnection
    from codec.simulator.market import Market

__all__ = ["Deflate", "Faults", "Market", "Simulator", "SimulatorConnection"]

_PLACES = {
    "Deflate": "deflate",
    "Market": "market",
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
