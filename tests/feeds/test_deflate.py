"""What a server may answer to an offer of compression, and what is inflated then."""

from __future__ import annotations

import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.errors import FeedProtocolError
from codec.feeds.deflate import OFFER, Deflate, accept

NAME = "permessage-deflate"
TAIL = b"\x00\x00\xff\xff"

LEGAL = [
    ("", True),
    ("; server_no_context_takeover", False),
    ("; client_no_context_takeover", True),
    ("; server_no_context_takeover; client_no_context_takeover", False),
    ("; client_no_context_takeover; server_no_context_takeover", False),
    *[(f"; server_max_window_bits={bits}", True) for bits in range(8, 16)],
    *[(f"; client_max_window_bits={bits}", True) for bits in range(8, 16)],
    ("; server_max_window_bits=9; client_max_window_bits=15", True),
    ("; client_max_window_bits=10; server_no_context_takeover", False),
    (
        "; server_no_context_takeover; client_no_context_takeover"
        "; server_max_window_bits=12; client_max_window_bits=13",
        False,
    ),
    ('; server_max_window_bits="10"', True),
    (";server_no_context_takeover", False),
    (" ;  server_max_window_bits = 10 ;server_no_context_takeover ", False),
    ("; Server_No_Context_Takeover", False),
]

ILLEGAL = [
    ";",
    "; ",
    "; server_no_context_takeover;",
    "; =",
    "; =10",
    "; server_no_context_takeover=",
    '; server_no_context_takeover=""',
    "; server_no_context_takeover=true",
    "; server_no_context_takeover=1",
    "; client_no_context_takeover=10",
    "; server_max_window_bits",
    "; server_max_window_bits=",
    '; server_max_window_bits=""',
    "; client_max_window_bits",
    "; client_max_window_bits=",
    *[
        f"; {side}_max_window_bits={bits}"
        for side in ("server", "client")
        for bits in ("0", "7", "16", "150", "-9", "+9", "08", "015", "9.0", "0x9",
                     "nine", "１０", "1 0", "10=", "10;10")
    ],
    "; server_no_context_takeover; server_no_context_takeover",
    "; client_no_context_takeover; client_no_context_takeover",
    "; server_max_window_bits=10; server_max_window_bits=10",
    "; server_max_window_bits=10; server_max_window_bits=11",
    "; client_max_window_bits=10; CLIENT_max_window_bits=10",
    "; max_window_bits=10",
    "; server_context_takeover",
    "; mux",
    "; server-no-context-takeover",
]  # fmt: skip


def test_the_offer() -> None:
    name, *parameters = OFFER.split("; ")
    assert name == NAME
    # Without it the server must not limit the client's window (RFC 7692, 7.1.2.2).
    assert parameters == ["client_max_window_bits"]


@pytest.mark.parametrize(("parameters", "takeover"), LEGAL)
def test_legal_answers(parameters: str, takeover: bool) -> None:
    assert accept([NAME + parameters], offered=True) == Deflate(takeover=takeover)


@pytest.mark.parametrize("parameters", ILLEGAL)
def test_illegal_answers(parameters: str) -> None:
    with pytest.raises(FeedProtocolError):
        accept([NAME + parameters], offered=True)


@pytest.mark.parametrize("offered", [False, True])
@pytest.mark.parametrize("headers", [[], [""], ["", ""], [" "], [" , ,"]])
def test_no_extension_is_fine(headers: list[str], offered: bool) -> None:
    assert accept(headers, offered=offered) is None


@pytest.mark.parametrize("parameters", [parameters for parameters, _ in LEGAL])
def test_nothing_may_be_chosen_that_was_not_offered(parameters: str) -> None:
    with pytest.raises(FeedProtocolError, match="unasked: 'permessage-deflate'"):
        accept([NAME + parameters], offered=False)


@pytest.mark.parametrize(
    "name",
    ["x-webkit-deflate-frame", "permessage-bzip2", "permessage", "deflate", "mux",
     "permessage-deflate2", "permessage_deflate", '"permessage-deflate"', "="],
)  # fmt: skip
def test_other_extensions(name: str) -> None:
    with pytest.raises(FeedProtocolError, match="unasked"):
        accept([name], offered=True)


@pytest.mark.parametrize(
    "headers",
    [
        [NAME, NAME],
        [f"{NAME}, {NAME}"],
        [f"{NAME}; server_max_window_bits=10, {NAME}"],
        [NAME, "mux"],
        ["mux", f"{NAME}; server_no_context_takeover"],
    ],
)
def test_several_extensions(headers: list[str]) -> None:
    with pytest.raises(FeedProtocolError, match="several"):
        accept(headers, offered=True)


def test_empty_elements_of_the_list_do_not_count() -> None:
    """RFC 9110, 5.6.1."""
    assert accept(["", f" , {NAME} ,"], offered=True) == Deflate(takeover=True)


def test_the_name_in_other_letters() -> None:
    assert accept(["PerMessage-Deflate"], offered=True) == Deflate(takeover=True)


@pytest.mark.parametrize("value", ['"10', '10"', '""10""', '"1"0'])
def test_quotes_that_do_not_match(value: str) -> None:
    with pytest.raises(FeedProtocolError):
        accept([f"{NAME}; server_max_window_bits={value}"], offered=True)


@given(
    st.lists(
        st.text(max_size=40)
        | st.lists(
            st.sampled_from(
                [NAME, ";", ",", "=", '"', " ", "10", "15", "server_max_window_bits"]
            ),
            max_size=8,
        ).map("".join),
        max_size=3,
    ),
    st.booleans(),
)
def test_an_answer_is_accepted_or_refused_and_never_worse(
    headers: list[str], offered: bool
) -> None:
    try:
        agreed = accept(headers, offered=offered)
    except FeedProtocolError:
        return
    assert agreed is None or (offered and isinstance(agreed, Deflate))


# Inflating


def messages(n: int = 40) -> list[bytes]:
    """Texts that repeat themselves near and far, and some of other sizes."""
    rng = random.Random(9)
    texts = [b'{"type":"signed_ecdsa","p":"0x' + rng.randbytes(300).hex().encode()]
    texts += [texts[rng.randrange(len(texts))] + b"%d" % i for i in range(n)]
    return [*texts, b"", b"x", rng.randbytes(70_000), texts[0] * 300]


def packed(texts: list[bytes], bits: int, *, takeover: bool) -> list[bytes]:
    """Messages as a server packs them (RFC 7692, 7.2.1)."""
    result = []
    stream = zlib.compressobj(9, zlib.DEFLATED, -bits)
    for text in texts:
        if not takeover:
            stream = zlib.compressobj(9, zlib.DEFLATED, -bits)
        data = stream.compress(text) + stream.flush(zlib.Z_SYNC_FLUSH)
        assert data.endswith(TAIL)
        result.append(data.removesuffix(TAIL))
    return result


def answer(bits: int, *, takeover: bool) -> str:
    text = f"{NAME}; server_max_window_bits={bits}"
    return text if takeover else f"{text}; server_no_context_takeover"


@pytest.mark.parametrize("takeover", [True, False], ids=["takeover", "afresh"])
@pytest.mark.parametrize("bits", range(9, 16))
def test_every_window_is_inflated(bits: int, takeover: bool) -> None:
    agreed = accept([answer(bits, takeover=takeover)], offered=True)
    assert agreed is not None and agreed.takeover is takeover
    texts = messages()
    inflater = agreed.inflater()
    for text, data in zip(texts, packed(texts, bits, takeover=takeover), strict=True):
        if not agreed.takeover:
            inflater = agreed.inflater()
        assert inflater.decompress(data + TAIL) == text
        assert not inflater.unconsumed_tail and not inflater.eof


def test_a_new_inflater_each_time_knows_no_earlier_messages() -> None:
    text = messages(1)[0]
    _, second = packed([text, text], 15, takeover=True)
    assert Deflate.inflater() is not Deflate.inflater()
    with pytest.raises(zlib.error, match="too far back"):
        Deflate.inflater().decompress(second + TAIL)


def test_inflating_stops_where_it_is_told_to() -> None:
    (bomb,) = packed([bytes(10 << 20)], 15, takeover=True)
    inflater = Deflate.inflater()
    assert len(bomb) < 11_000
    assert len(inflater.decompress(bomb + TAIL, 1000)) == 1000
    assert inflater.unconsumed_tail
