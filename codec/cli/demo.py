"""`stork-codec demo`: a real payload, a million updates there and back, a live feed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codec.cli.extras import require
from codec.cli.options import positive

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _SubParsersAction

    from rich.console import Console
    from rich.table import Table

    from codec.cli.stream import Rate

__all__ = ["EXAMPLE", "register", "run"]

EXAMPLE = (  # the example message of the Stork Fast documentation
    b"0x"
    b"435766eac9298f4dcbfe8bdfe46361161d6eeca88f783e3cd215db90c0581cd1"
    b"511382180840e70bfd43e5382aa4e4c2910aca251ee2c3a5e27d5343fb105556"
    b"010001187d265fe630404b"
    b"000100000000000000000de029bae7734fef"
    b"000200000000000000000ddffc432d25cd5c"
    b"000a0000000000000000b02db33d2f95811c"
    b"0022000000000000009480fc8e62b51ff1ac"
)
_N_MESSAGES = 10_000
_N_ASSETS = 100
_N_SECONDS = 10.0


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Adds the command."""
    parser = subparsers.add_parser(
        "demo",
        help="decode a real payload, a million updates of its own, a live feed",
        description="Shows the documentation's payload, then encodes, signs, decodes,"
        " checks and verifies a million updates, and how fast that went, then watches"
        " a simulated Stork Fast server through a websocket, every signature checked."
        " Needs no network.",
    )
    parser.add_argument(
        "--seconds",
        metavar="N",
        type=positive,
        default=_N_SECONDS,
        help=f"how long to watch ({_N_SECONDS:.0f})",
    )
    parser.set_defaults(run=run, n_messages=_N_MESSAGES, n_assets=_N_ASSETS)


def run(args: Namespace) -> int:
    """The demo; 1 where anything that was checked is not as it should be."""
    require("rich", "cli")
    require("picows", "feeds")
    from codec.cli.message import read_message
    from codec.cli.render import message_view
    from codec.cli.signature import read_signature
    from codec.cli.stream import MismatchError
    from codec.cli.terminal import console

    out = console()
    out.print("1. The example message of the Stork Fast documentation", style="bold")
    out.print()
    message = read_message(EXAMPLE)
    assert message.batch is not None, "the example is good"
    for part in message_view(message, signature=read_signature(message.batch)):
        out.print(part)
    out.print()
    n_updates = args.n_messages * args.n_assets
    out.print(f"2. {n_updates:,} updates of our own, signed, and back", style="bold")
    out.print()
    try:
        _show_stream(out, args.n_messages, args.n_assets)
    except MismatchError as error:
        out.print()
        out.print(f"failed: {error}", style="bold red", soft_wrap=True)
        return 1
    out.print()
    out.print("3. A live feed, simulated, through a websocket", style="bold")
    out.print()
    return _show_live(out, args.seconds)


def _show_stream(out: Console, n_messages: int, n_assets: int) -> None:
    from codec.cli.stream import check, make_stream, measure, verify

    stream = make_stream(n_messages, n_assets)
    out.print(
        f"{n_messages:,} frames of {n_assets} assets,"
        f" {len(stream.lines) / 1e6:.1f} MB of lines,\nsigned by {stream.signer}"
    )
    checked = check(stream)
    rates = measure(stream)
    verified = verify(stream)
    out.print()
    out.print(_rates_table([*rates, verified.rate]))
    out.print()
    out.print(f"checked: {checked}", style="bold green")
    out.print()
    out.print(f"verify: {verified.good}", style="bold green")
    out.print(f"with one bit changed, a message is refused: {verified.refused}")


def _show_live(out: Console, n_seconds: float) -> int:
    """Watches; 1 where nothing came, or anything was bad."""
    from codec.cli.live import LiveOptions
    from codec.cli.watch import watch

    outcome = watch(LiveOptions(on_overflow="wait"), duration=n_seconds)
    stats = outcome.stats
    n_bad = stats.bad + outcome.n_unverified + stats.dropped + stats.reconnects
    is_good = 0 < stats.messages == outcome.n_verified and n_bad == 0
    out.print()
    style = "bold green" if is_good else "bold red"
    out.print(f"{'live' if is_good else 'failed'}: {outcome}", style=style)
    return 0 if is_good else 1


def _rates_table(rates: list[Rate]) -> Table:
    from codec.cli.stream import MEMCPY, REFERENCE
    from codec.cli.terminal import table

    speeds = {rate.text: rate.updates_per_s for rate in rates}
    result = table("", ">updates/s", ">ns/message", ">of memcpy", ">x reference")
    for rate in rates:
        speed = rate.updates_per_s
        result.add_row(
            rate.text,
            f"{speed:,.0f}",
            f"{1e9 * rate.seconds / rate.n_messages:,.0f}",
            f"{speed / speeds[MEMCPY]:.3g}" if rate.reads_lines else "",
            f"{speed / speeds[REFERENCE]:,.3g}" if rate.reads_lines else "",
        )
    return result
