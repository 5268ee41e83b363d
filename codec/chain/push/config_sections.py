"""The parts of a pusher's configuration: each key read, and what belongs together
checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codec import jsontext
from codec.chain.calldata import VERIFY_AND_DESERIALIZE, Target
from codec.chain.push.config_args import read_args
from codec.chain.push.config_values import (
    address,
    feed_url,
    id_range,
    integer,
    node_url,
    one_of,
    open_node_url,
    positive,
    proxy_url,
)
from codec.chain.push.quantities import read_percent, read_scaled
from codec.chain.push.rules import Rule, Rules
from codec.chain.wallet import Wallet
from codec.periods import CHANNELS
from codec.taxonomy import Taxonomy

if TYPE_CHECKING:
    from codec.chain.checks import Asset, Band
    from codec.chain.push.config_reading import SecretSource, Section

__all__ = [
    "FeedSettings",
    "read_feed",
    "read_nodes",
    "read_rules",
    "read_target",
    "read_taxonomy",
    "read_wallet",
]

_RULE_KEYS = ("assets", "symbols", "change", "silence", "every_batch", "band")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSettings:
    """Where prices come from. taxonomy: names the assets, None where nothing does."""

    urls: tuple[str, ...]
    token: SecretSource
    channel: str = "real_time"
    taxonomy: Taxonomy | None = None
    taxonomy_id: int | None = None
    signers: tuple[bytes, ...] = ()
    ca_file: Path | None = None
    proxy: str | None = field(default=None, repr=False)


def read_taxonomy(section: Section) -> tuple[Taxonomy | None, int | None]:
    """The feed's assets' names and the taxonomy's id, as far as they are given."""
    taxonomy = section.read("taxonomy", lambda text: _taxonomy(section, text))
    taxonomy_id = section.read("taxonomy_id", integer(0, 65535))
    if taxonomy is not None and taxonomy_id is None:
        if len(taxonomy.taxonomy_ids) == 1:
            taxonomy_id = taxonomy.taxonomy_ids[0]
        else:
            section.place.fault("taxonomy_id is needed: the taxonomy has several")
    return taxonomy, taxonomy_id


def read_feed(
    section: Section, taxonomy: Taxonomy | None, taxonomy_id: int | None
) -> FeedSettings | None:
    """Where prices come from."""
    urls = [place.read(feed_url) for place in section.items("url", needed=True)]
    token = section.secret("token")
    channel = section.read("channel", one_of(*CHANNELS))
    signers = [place.read(address) for place in section.items("signers")]
    ca_file = section.read("ca_file", lambda text: _file(section, text))
    proxy = _proxy(section)
    if token is None or None in urls:
        return None
    return FeedSettings(
        urls=tuple(url for url in urls if url),
        token=token,
        channel=channel or "real_time",
        taxonomy=taxonomy,
        taxonomy_id=taxonomy_id,
        signers=tuple(bytes.fromhex(signer[2:]) for signer in signers if signer),
        ca_file=ca_file,
        proxy=proxy,
    )


def _proxy(section: Section) -> str | None:
    """The proxy's URL; one with a password comes from elsewhere."""
    if "proxy" not in section:
        return None
    place = section.places["proxy"]
    if place.text is not None:
        return place.read(proxy_url)
    source = place.secret()
    return None if source is None else place.made(source.read)


def read_nodes(chain: Section) -> list[str]:
    """The nodes' URLs; those that seem to hold a key come from elsewhere."""
    urls = []
    for place in chain.items("nodes", needed=True):
        if place.text is not None:
            url = place.read(open_node_url)
        else:
            source = place.secret()
            url = None if source is None else place.made(partial(_secret_url, source))
        if url is not None:
            urls.append(url)
    return urls


def _secret_url(source: SecretSource) -> str:
    return node_url(source.read())


def read_wallet(section: Section) -> Wallet | None:
    """The account that pays, its key read."""
    place = section.place
    if ("key" in section) == ("keystore" in section):
        if section.place.name:
            place.fault("either key or keystore is needed")
        return None
    if "key" in section:
        source = section.secret("key")
        if source is None:
            return None
        if source.file is not None:
            make = partial(Wallet.from_file, source.file)
        else:
            make = partial(Wallet.from_env, source.env or "")
        return section.places["key"].made(make)
    keystore = section.read("keystore", lambda text: _file(section, text))
    if "password" not in section:
        place.fault("password is missing: {env: NAME} or {file: PATH}")
    password = section.secret("password")
    if keystore is None or password is None:
        return None
    return section.places["keystore"].made(
        lambda: Wallet.from_keystore(
            keystore, password_file=password.file, password_env=password.env
        )
    )


def read_target(section: Section) -> Target | None:
    """The function that payloads are sent to."""
    contract = section.read("address", address)
    verifier = section.read("verifier", address)
    function = section.read("function") or VERIFY_AND_DESERIALIZE
    errors: list[Any] = [place.read(str) for place in section.items("errors")]
    errors += section.read("abi", lambda text: _abi_errors(section, text)) or []
    n_faults = len(section.place.reader.faults)
    args = None
    if "args" in section:
        place = section.places["args"]
        args = place.made(lambda: read_args(function, place.items()))
    if contract is None or len(section.place.reader.faults) != n_faults:
        return None
    where = section.places.get("function", section.place)
    return where.made(lambda: Target(contract, function, args, verifier, errors))


def read_rules(
    top: Section, taxonomy: Taxonomy | None, taxonomy_id: int | None
) -> tuple[Rules | None, dict[Asset, Band]]:
    """The assets' rules, and the bands of those that have one."""
    rules: dict[int, Rule] = {}
    bands: dict[Asset, Band] = {}
    for place in top.items("rules"):
        section = place.section(*_RULE_KEYS)
        ids = _ids(section, taxonomy, taxonomy_id)
        rule = _rule(section)
        band = _band(section)
        twice = [asset_id for asset_id in ids if asset_id in rules]
        if twice:
            others = f", and {len(twice) - 1:,} more" if len(twice) > 1 else ""
            place.fault(f"asset {twice[0]} has a rule already{others}")
        for asset_id in ids:
            if rule is not None:
                rules[asset_id] = rule
            if band is not None:
                bands[asset_id] = band
    if not rules:
        if "rules" in top and not top.items("rules"):
            top.places["rules"].fault("there is no rule")
        return None, bands
    return Rules(rules, taxonomy_id=taxonomy_id), bands


def _ids(
    section: Section, taxonomy: Taxonomy | None, taxonomy_id: int | None
) -> list[int]:
    def named(text: str) -> list[int]:
        if taxonomy is None:
            raise ValueError("symbols need a taxonomy, a file, in the feed's part")
        return sorted(taxonomy.ids([text], taxonomy_id))

    ids: list[int] = []
    for place in section.items("assets", needed=True):
        ids += place.read(id_range) or ()
    for place in section.items("symbols", needed=True):
        ids += place.read(named) or ()
    if not section.places.keys() & {"assets", "symbols"}:
        section.place.fault("assets or symbols are missing")
    return list(dict.fromkeys(ids))


def _rule(section: Section) -> Rule | None:
    change = section.read("change", read_percent)
    silence = section.read("silence", positive)
    every = section.read("every_batch", one_of("true", "false"))
    if not section.places.keys() & {"change", "silence", "every_batch"}:
        section.place.fault("change, silence or every_batch is needed")
    if change is None and silence is None and every != "true":
        if every == "false":
            section.place.fault("change, silence or every_batch is needed")
        return None
    return Rule(change, silence, every == "true")


def _band(section: Section) -> Band | None:
    if "band" not in section:
        return None
    place = section.places["band"]
    limits = [item.read(read_scaled) for item in section.items("band")]
    if not place.is_list or len(limits) != 2:
        place.fault("a list of two numbers is needed: the lowest and the highest value")
        return None
    low, high = limits
    if low is None or high is None:
        return None
    if low > high:
        place.fault("the first number is above the second")
        return None
    return low, high


def _taxonomy(section: Section, text: str) -> Taxonomy:
    if "://" in text:
        raise ValueError("a file is needed: stork-codec reads no URL when it checks")
    return Taxonomy.load(_file(section, text))


def _file(section: Section, text: str) -> Path:
    path = section.place.path(text)
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    return path


def _abi_errors(section: Section, text: str) -> list[Any]:
    """The errors of a JSON ABI, which may be a compiler's whole output."""
    try:
        abi = jsontext.loads(_file(section, text).read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{text} is no JSON: {error}") from None
    entries = abi.get("abi") if isinstance(abi, dict) else abi
    if not isinstance(entries, list):
        raise ValueError(f"{text} holds no ABI: a list, or an object with one as abi")
    return [
        entry
        for entry in entries
        if isinstance(entry, dict) and entry.get("type") == "error"
    ]
