"""URLs and headers with secrets, which go to the node and nowhere else."""

from __future__ import annotations

import logging
import traceback

import faulty as faults
import pytest
from asking import ADDRESS, ALWAYS, FAULTS, ask
from faulty import Fault, Faulty

from codec import ChainError, RpcError
from codec.chain import Rpc
from codec.chain.endpoints import Endpoint

pytestmark = pytest.mark.usefixtures("short_rests")


SECRET, USER, PASSWORD, QUERY = "Pa5hsecret", "us3rsecret", "pa55secret", "qu3rysecret"
HEADER = "h3adersecret"


def secret_url(stub: Faulty) -> str:
    place = stub.url.removeprefix("http://")
    return f"http://{USER}:{PASSWORD}@{place}/v3/{SECRET}?key={QUERY}#fragment"


def shows(text: str) -> list[str]:
    """The secrets in a text."""
    secrets = (SECRET, USER, PASSWORD, QUERY, HEADER)
    return [secret for secret in secrets if secret in text]


def told(error: BaseException) -> str:
    """All that a traceback with variables would show of an error."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    text = "".join(shown.format())
    # What a test's own frames hold is no concern of the library's.
    places = text.split("  File ")
    return repr(error) + "".join(p for p in places if "test_rpc" not in p[:200])


def test_the_secrets_are_sent(stub: Faulty) -> None:
    assert ask(secret_url(stub), headers={"X-Key": HEADER}) == 5
    for request in stub.requests:
        assert request.path == f"/v3/{SECRET}?key={QUERY}"
        assert request.headers["X-Key"] == HEADER
        basic = "dXMzcnNlY3JldDpwYTU1c2VjcmV0"  # of user and password
        assert request.headers["Authorization"] == f"Basic {basic}"


@pytest.mark.parametrize(
    "fault",
    [
        *(fault for fault, _ in FAULTS.values()),
        faults.error(
            -32000, f"no project {SECRET}, {USER}:{PASSWORD}, {QUERY} {HEADER}"
        ),
        faults.error(-32005, f"limit of {SECRET} and {HEADER} reached"),
        faults.http(401, f'{{"error": "{SECRET}"}}'.encode()),
        faults.http(302, Location=f"/{SECRET}"),
        faults.result(SECRET),
        faults.other_chain(1),
        faults.slow(0.3, is_kept=True),
    ],
)
def test_secrets_are_shown_nowhere(
    stub: Faulty, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stub.will(fault, times=ALWAYS)

    async def work(rpc: Rpc) -> str:
        rpc.watch_code(ADDRESS)
        with pytest.raises(ChainError) as caught:
            await rpc.block_number()
        seen = [told(caught.value), str(caught.value), repr(rpc), repr(rpc.endpoints)]
        seen += [repr(event) + str(event) for event in rpc.events]
        seen += map(repr, await rpc.call_all("eth_blockNumber"))
        return "\n".join(seen)

    text = ask(
        secret_url(stub),
        work=work,
        headers={"X-Key": HEADER},
        attempts=2,
        timeout_s=0.25,
    )
    assert shows(text) == []
    assert shows(caplog.text) == []
    assert stub.url in text


@pytest.mark.parametrize(
    "url",
    [
        f"ws://host/{SECRET}",
        f"host/{SECRET}",
        f"http:///{SECRET}",
        f"http://{USER}:{PASSWORD}@host:port/",
        f"http://[host/{SECRET}",
        f"http://host/{SECRET}\n",
        f"http://höst/{SECRET}",
        f"http://host/{SECRET} ",
        f"/{SECRET}",
        "",
    ],
)
def test_urls_that_are_none_are_not_shown(url: str) -> None:
    with pytest.raises(ValueError, match="a node's URL") as caught:
        Rpc(["http://host", url], chain_id=1)
    assert shows(told(caught.value)) == []


def test_headers_that_are_none_are_not_shown() -> None:
    with pytest.raises(ValueError, match="the header 'X-Key' is not") as caught:
        Rpc("http://host", chain_id=1, headers={"X-Key": f"{HEADER}\r\nX: y"})
    assert shows(told(caught.value)) == []


def test_no_part_of_a_secret_stays_where_another_is_its_beginning() -> None:
    url = "https://h/v2/abcdefgh?a=abcdefgh&b=abcdefgh12345&key=c2VjcmV0a2V5Cg=="
    endpoint = Endpoint(url, {"X-Key": "abcdefgh12345-and-more"})
    for secret in ("abcdefgh12345", "abcdefgh12345-and-more", "c2VjcmV0a2V5Cg=="):
        assert endpoint.redact(f"bad key {secret}.") == "bad key ***."


def test_no_beginning_of_a_secret_stays_where_a_text_was_cut(stub: Faulty) -> None:
    endpoint = Endpoint(f"https://h/{SECRET}", {})
    for n in range(8, len(SECRET)):
        assert endpoint.redact(f"bad key {SECRET[:n]}...") == "bad key ***"
        assert endpoint.redact(f"bad key {SECRET[:n]}") == "bad key ***"
    for text in ("bad key...", "Pa5hsec", ""):
        assert endpoint.redact(text) == text
    for n in range(480, 500):
        cut = f"{'x' * n}{SECRET}{'y' * 99}"
        stub.will(faults.error(-32000, cut), methods=["eth_blockNumber"])
        with pytest.raises(RpcError) as caught:
            ask(secret_url(stub))
        assert SECRET[:8] not in str(caught.value)


def test_what_a_node_adds_to_an_error_has_no_secrets(stub: Faulty) -> None:
    data = {"project": SECRET, "more": [{"key": f"is {QUERY}"}, 5, None], USER: "0x12"}
    stub.will(faults.error(-32000, "no", data), methods=["eth_blockNumber"])
    with pytest.raises(RpcError) as caught:
        ask(secret_url(stub))
    found = {"project": "***", "more": [{"key": "is ***"}, 5, None], "***": "0x12"}
    assert caught.value.data == found
