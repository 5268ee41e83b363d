"""What `stork-codec simulate` says: where its server is, and what can go wrong."""

from __future__ import annotations

import json
import shlex
import textwrap
from itertools import groupby
from typing import TYPE_CHECKING

from codec.simulator.faults import (
    EVENTS,
    AggregatorFaults,
    CommonFaults,
    Faults,
    StorkFaults,
    switches,
)
from codec.simulator.shuriken_faults import ShurikenFaults

if TYPE_CHECKING:
    from codec.simulator import AggregatorSimulator, ShurikenSimulator, Simulator

    AnySimulator = Simulator | AggregatorSimulator | ShurikenSimulator

__all__ = ["TOKEN", "faults_text", "welcome"]

TOKEN = "simulator"
_MAX_RUNS = 8


def welcome(simulator: AnySimulator, token: str) -> str:
    """What to do with the server."""
    from codec.simulator import ShurikenSimulator, Simulator

    if isinstance(simulator, ShurikenSimulator):
        lines = _about_shuriken(simulator, token)
    else:
        lines = {"url": simulator.url, "signer": simulator.signer}
        if isinstance(simulator, Simulator):
            lines |= _about_fast(simulator, token)
        else:
            lines |= _about_aggregator(simulator, token)
        lines["client"] = _client(simulator, token)
    width = max(map(len, lines))
    shown = [f"{name:<{width}} {text}" for name, text in lines.items()]
    return "\n".join((*shown, "Ctrl-C ends it."))


def _watch(simulator: Simulator | AggregatorSimulator, token: str, options: str) -> str:
    """How the command of this package reads the server."""
    command = f"stork-codec watch {simulator.url} {options} --signer {simulator.signer}"
    if token == TOKEN:
        command = f"STORK_TOKEN={token} {command}"
    if simulator.certificate:
        command += f" --ca-file {simulator.certificate}"
    return command


def _about_fast(simulator: Simulator, token: str) -> dict[str, str]:
    return {
        "assets": _ids_text(simulator.market.asset_ids.tolist()),
        "symbols": simulator.taxonomy_url,
        "watch": _watch(simulator, token, f"--taxonomy {simulator.taxonomy_url}"),
    }


def _about_aggregator(simulator: AggregatorSimulator, token: str) -> dict[str, str]:
    names = sorted(simulator.assets)
    symbols = shlex.quote(",".join(names[:_MAX_RUNS]))
    return {
        "publish": simulator.publish_url,
        "stark": simulator.stark_url,
        "assets": _shortened(names),
        "publishers": _shortened(simulator.publishers),
        "watch": _watch(simulator, token, f"--aggregator --symbol {symbols}"),
    }


def _about_shuriken(simulator: ShurikenSimulator, token: str) -> dict[str, str]:
    shown = TOKEN if token == TOKEN else "$SHURIKEN_AGENT_KEY"
    client = f'curl -H "Authorization: Bearer {shown}"'
    watch = f"stork-codec watch --shuriken {simulator.base_url}"
    watch += " --stream svm.token.swaps --filter tokenAddress=MINT"
    if token == TOKEN:
        watch = f"SHURIKEN_AGENT_KEY={token} {watch}"
    if simulator.certificate:
        client += f" --cacert {simulator.certificate}"
        watch += f" --ca-file {simulator.certificate}"
    return {
        "url": simulator.base_url,
        "socket": simulator.url,
        "watch": watch,
        "client": f"{client} {simulator.base_url}{simulator.catalogue_path}",
    }


def _client(simulator: Simulator | AggregatorSimulator, token: str) -> str:
    """How a client that others wrote reads the server."""
    from codec.simulator import Simulator

    if isinstance(simulator, Simulator):
        place = "?channel=1s&message_type=signed_ecdsa"
        request = {"assets": simulator.market.asset_ids.tolist()[:4]}
    else:
        place, request = "", {"data": sorted(simulator.assets)[:4]}
    text = json.dumps({"type": "subscribe"} | request, separators=(",", ":"))
    shown = TOKEN if token == TOKEN else "$STORK_TOKEN"
    trust = f" --ca {simulator.certificate}" if simulator.certificate else ""
    return (
        f'npx wscat -w 10 -c "{simulator.url}{place}"'
        f' -H "Authorization: Basic {shown}" -x {shlex.quote(text)}{trust}'
    )


def _shortened(texts: list[str]) -> str:
    """The first of many, and how many there are."""
    if len(texts) <= _MAX_RUNS:
        return ", ".join(texts) or "none"
    return f"{', '.join(texts[:_MAX_RUNS])} ... ({len(texts):,} in all)"


def _ids_text(ids: list[int]) -> str:
    """Ids as 1-10,12, and where they end where they are many."""
    # Ids that follow each other are as far from their places in the list.
    runs = [
        [i for _, i in run] for _, run in groupby(enumerate(ids), lambda x: x[1] - x[0])
    ]
    texts = [f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
    if len(texts) > _MAX_RUNS:
        texts = [*texts[:_MAX_RUNS], f"... {ids[-1]} ({len(ids):,} in all)"]
    return ",".join(texts)


def faults_text() -> str:
    """All switches for the help."""
    lines = ["faults (docs/simulator.md has the values that each takes):"]
    for head, faults, base in (
        ("", CommonFaults, None),
        ("of Stork Fast and the aggregator alone:", StorkFaults, CommonFaults),
        ("of Stork Fast alone:", Faults, StorkFaults),
        ("of the aggregator alone:", AggregatorFaults, StorkFaults),
        ("of Shuriken alone:", ShurikenFaults, CommonFaults),
    ):
        lines += [head] if head else []
        known = switches(base) if base else {}
        for name, text in switches(faults).items():
            if name not in known:
                lines += textwrap.wrap(
                    f"  {name:<18} {text}", 79, subsequent_indent=" " * 21
                )
    lines += [
        f"those up to {EVENTS[-1]} happen to the next connection, or with =N to",
        "each after N messages (bomb, oversize: =N:SIZE); others as =VALUE[:VALUE]",
        "",
    ]
    return "\n".join(lines)
