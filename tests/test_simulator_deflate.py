"""permessage-deflate as the simulator negotiates it, against RFC 7692."""

from __future__ import annotations

import pytest
from simulated import decode, receive, run, subscriber
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from codec.simulator import Deflate, Simulator
from codec.simulator.deflate import negotiate

NAME = "permessage-deflate"


@pytest.mark.parametrize(
    ("offers", "answer"),
    [
        (NAME, NAME),
        (f" {NAME} ;client_max_window_bits", NAME),
        (f"{NAME}; client_max_window_bits=10", f"{NAME}; client_max_window_bits=10"),
        (f'{NAME}; server_max_window_bits="12"', f"{NAME}; server_max_window_bits=12"),
        (f"{NAME}; server_no_context_takeover", f"{NAME}; server_no_context_takeover"),
        (f"{NAME}; client_no_context_takeover", f"{NAME}; client_no_context_takeover"),
        (f"{NAME}; server_max_window_bits=8", None),
        (f"{NAME}; server_max_window_bits=8, {NAME}", NAME),
        (f"x-deflate, {NAME}; y=1, {NAME}", NAME),
        (f"{NAME}; server_max_window_bits", None),
        (f"{NAME}; server_max_window_bits=16", None),
        (f"{NAME}; server_max_window_bits=012", None),
        (f"{NAME}; client_max_window_bits=7", None),
        (f"{NAME}; server_no_context_takeover=1", None),
        (f"{NAME}; server_no_context_takeover; server_no_context_takeover", None),
        ("", None),
        (",;,", None),
    ],
)
def test_offers(offers: str, answer: str | None) -> None:
    found = negotiate(offers, Deflate())
    assert (found and found[0]) == answer


def test_what_the_server_wants() -> None:
    wanted = Deflate(True, True, 11, 10)
    found = negotiate(f"{NAME}; client_max_window_bits", wanted)
    assert found is not None
    assert found[0] == (
        f"{NAME}; server_no_context_takeover; client_no_context_takeover;"
        " server_max_window_bits=11; client_max_window_bits=10"
    )
    found = negotiate(NAME, wanted)
    assert found is not None and "client_max" not in found[0]


@pytest.mark.parametrize("takeover", [False, True])
@pytest.mark.parametrize("bits", [9, 12, 15])
def test_a_client_understands_every_agreement(takeover: bool, bits: int) -> None:
    wanted = Deflate(not takeover, not takeover, bits, bits)

    async def test() -> None:
        offer = ClientPerMessageDeflateFactory(client_max_window_bits=True)
        async with Simulator(deflate=wanted, assets=range(500)) as simulator:
            socket = await subscriber(
                simulator, ids=range(500), compression=None, extensions=[offer]
            )
            decode(await receive(socket, 5), simulator)
            (connection,) = simulator.connections
            assert connection.deflater is not None
            assert connection.deflater.agreed == wanted
            await socket.close()

    run(test())


def test_context_takeover_pays() -> None:
    text = b'{"type":"unsigned","tax":1,"ts":1764608698685038908,"a":[]}'
    sizes = {}
    for keeps in (True, False):
        found = negotiate(NAME, Deflate(server_no_context_takeover=not keeps))
        assert found is not None
        sizes[keeps] = [len(found[1].compress(text)) for _ in range(3)]
    assert sizes[True][1] < sizes[False][1] == sizes[False][0] == sizes[True][0]


def test_no_deflate_where_it_is_switched_off() -> None:
    async def test() -> None:
        async with Simulator(deflate=False) as simulator:
            socket = await subscriber(simulator)
            assert simulator.connections[0].deflater is None
            decode(await receive(socket, 1), simulator)

    run(test())
