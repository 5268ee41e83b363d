"""A pusher's configuration: YAML, checked as a whole before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from codec.chain.checks import Checks
from codec.chain.fees import FeePolicy
from codec.chain.push.config_reading import Reader, Section
from codec.chain.push.config_sections import (
    read_feed,
    read_nodes,
    read_rules,
    read_target,
    read_taxonomy,
    read_wallet,
)
from codec.chain.push.config_values import integer, positive
from codec.chain.push.quantities import read_duration, read_wei, read_wei_per_hour

if TYPE_CHECKING:
    from codec.chain.calldata import Target
    from codec.chain.push.config_sections import FeedSettings
    from codec.chain.push.rules import Rules
    from codec.chain.wallet import Wallet

__all__ = ["PushConfig", "load"]

T = TypeVar("T")
_SECTIONS = {
    "feed": (
        "url",
        "token",
        "channel",
        "taxonomy",
        "taxonomy_id",
        "signers",
        "ca_file",
        "proxy",
    ),
    "chain": ("id", "nodes", "timeout"),
    "account": ("key", "keystore", "password"),
    "target": ("address", "function", "args", "verifier", "errors", "abi"),
    "fees": ("max_fee_per_gas", "max_priority_fee_per_gas", "max_cost"),
    "limits": ("spend", "min_balance"),
    "submission": ("confirmations", "replace_after", "deadline"),
    "checks": ("max_age", "max_ahead"),
    "metrics": ("port",),
}
_KEYS = (*_SECTIONS, "rules", "window")
_REQUIRED = ("feed", "chain", "account", "target", "rules")


@dataclass(frozen=True, slots=True, kw_only=True)
class PushConfig:
    """All that a pusher is told, checked; no secret shows in its repr.

    nodes: URLs, which may hold keys. max_wei_per_hour, min_balance_wei: None for no
    limit. window_s: how long to wait after the first trigger for others. metrics_port:
    None for no metrics.
    """

    path: Path
    feed: FeedSettings
    chain_id: int
    nodes: tuple[str, ...] = field(repr=False)
    timeout_s: float
    wallet: Wallet
    target: Target
    policy: FeePolicy
    checks: Checks
    rules: Rules
    max_wei_per_hour: int | None
    min_balance_wei: int | None
    confirmations: int
    replace_after_s: float
    deadline_s: float
    window_s: float
    metrics_port: int | None

    @property
    def names(self) -> Mapping[int, str]:
        """The symbols of the assets with rules, as far as they are known."""
        taxonomy, taxonomy_id = self.feed.taxonomy, self.rules.taxonomy_id
        if taxonomy is None:
            return {}
        names = ((i, taxonomy.symbol(i, taxonomy_id)) for i in self.rules)
        return {i: name for i, name in names if name is not None}


def load(path: str | Path) -> PushConfig:
    """Reads and checks a configuration, as docs/push.md describes it.

    Raises PushConfigError with all that is wrong with it, OSError where the file itself
    cannot be read, MissingDependencyError.
    """
    reader = Reader(Path(path))
    top = reader.root.section(*_KEYS, required=_REQUIRED)
    sections = {name: _section(top, name) for name in _SECTIONS}
    names = read_taxonomy(sections["feed"])
    feed = read_feed(sections["feed"], *names)
    rules, bands = read_rules(top, *names)
    chain, fees, limits = (sections[name] for name in ("chain", "fees", "limits"))
    submission = sections["submission"]
    values: dict[str, Any] = {
        "path": reader.path,
        "feed": feed,
        "chain_id": chain.read("id", integer(1, 2**63)),
        "nodes": tuple(read_nodes(chain)),
        "timeout_s": _or(chain.read("timeout", positive), 10.0),
        "wallet": read_wallet(sections["account"]),
        "target": read_target(sections["target"]),
        "policy": FeePolicy(
            max_fee_per_gas_wei=fees.read("max_fee_per_gas", read_wei),
            max_priority_fee_per_gas_wei=fees.read(
                "max_priority_fee_per_gas", read_wei
            ),
            max_cost_wei=fees.read("max_cost", read_wei),
        ),
        "checks": Checks(
            max_age_s=sections["checks"].read("max_age", positive),
            max_ahead_s=_or(sections["checks"].read("max_ahead", read_duration), 5.0),
            bands=MappingProxyType(bands),
        ),
        "rules": rules,
        "max_wei_per_hour": limits.read("spend", read_wei_per_hour),
        "min_balance_wei": limits.read("min_balance", read_wei),
        "confirmations": _or(submission.read("confirmations", integer(1, 10_000)), 1),
        "replace_after_s": _or(submission.read("replace_after", positive), 60.0),
        "deadline_s": _or(submission.read("deadline", positive), 600.0),
        "window_s": _or(top.read("window", read_duration), 0.0),
        "metrics_port": sections["metrics"].read("port", integer(0, 65535)),
    }
    reader.check()
    return PushConfig(**values)


def _section(top: Section, name: str) -> Section:
    required = {
        "feed": ("url", "token"),
        "chain": ("id", "nodes"),
        "target": ("address",),
        "metrics": ("port",),
    }
    if name not in top:
        return Section(top.place)
    return top.places[name].section(*_SECTIONS[name], required=required.get(name, ()))


def _or(value: T | None, default: T) -> T:
    return default if value is None else value
