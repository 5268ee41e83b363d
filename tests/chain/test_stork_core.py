"""Price updates for Stork Core: our judgement and our bytes are the contract's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from random import Random
from typing import TypeVar

import numpy as np
import pytest
from aggregates import (
    OTHER_KEY,
    ROOT,
    SINGLE_FEE,
    VALID_S,
    arguments,
    batch_of,
    deploy_core,
    entry,
    message_of,
    named,
    signed,
    updates_of,
)
from anvil import Anvil, NodeRefused, jsonrpc_all
from eth_abi import encode
from faulty import Faulty
from hypothesis import given
from hypothesis import strategies as st
from parties import SIGNER, SIGNER_KEY
from signed_payloads import N, address_of
from vectors import VECTORS

from codec.aggregator import decode, decode_lines
from codec.aggregator.signing import encoded_asset_id
from codec.chain import (
    Checks,
    PriceUpdate,
    PriceUpdates,
    Rpc,
    StoredValue,
    StorkCore,
    UpdateOrder,
    UpdatePreflight,
    decode_revert,
    preflight,
    price_updates,
    selector,
)
from codec.chain import aggregator as words
from codec.chain import stork_core as functions
from codec.errors import ChainError, RangeError, RevertedError, SignatureError

T = TypeVar("T")
INPUTS = "((uint64,int192),bytes32,bytes32,bytes32,bytes32,bytes32,uint8)[]"
LOWEST, HIGHEST = -(2**191), 2**191 - 1
NS = 10**9


def ask(chain: Anvil, address: str, work: Callable[[StorkCore], Awaitable[T]]) -> T:
    """What is asked of a contract."""

    async def main() -> T:
        async with Rpc(chain.url, chain_id=chain.chain_id) as rpc:
            return await work(StorkCore(rpc, address))

    return asyncio.run(main())


def verdicts(
    chain: Anvil, core: str, given: list[PriceUpdates], wei: int = 10**9
) -> list[str]:
    """What eth_call says of each: "taken", or the error's name."""
    requests = []
    for updates in given:
        data = "0x" + updates.calldata().hex()
        call = {"to": core, "data": data, "value": hex(wei), "from": chain.owner}
        requests.append(("eth_call", call, "latest"))
    return [
        decode_revert(answer.data).name if isinstance(answer, NodeRefused) else "taken"
        for answer in jsonrpc_all(chain.url, requests)
    ]


def one(update: PriceUpdate, key: bytes = SIGNER_KEY) -> PriceUpdates:
    return PriceUpdates.of([update], address_of(key))


def test_every_selector_is_the_contracts() -> None:
    expected = {
        words.UPDATE: "41bd64ba",
        words.UPDATE_FEE: "b2255ba3",
        functions.VERIFY_PUBLISHERS: "1519e36c",
        functions.VALUE: "19af7a40",
        functions.UNSAFE_VALUE: "f69058c1",
        "InsufficientFee()": "025dbdd4",
        "InvalidSignature()": "8baa579f",
        "ECDSAInvalidSignatureS(bytes32)": "d78bce0c",
        "ECDSAInvalidSignature()": "f645eedf",
        "NoFreshUpdate()": "de2c57fa",
        "NotFound()": "c5723b51",
        "StaleValue()": "24c4fe43",
    }
    assert {text: selector(text).hex() for text in expected} == expected
    for text in list(expected)[5:]:
        argument = bytes(32 * text.count("bytes32"))
        assert decode_revert(selector(text) + argument).signature == text


rows = st.builds(
    PriceUpdate,
    st.integers(0, 2**64 - 1),
    st.integers(LOWEST, HIGHEST),
    *[st.binary(min_size=32, max_size=32)] * 5,
    st.integers(0, 255),
)


@given(st.lists(rows, max_size=5))
def test_the_calldata_is_that_of_the_abi(given: list[PriceUpdate]) -> None:
    updates = PriceUpdates.of(given, SIGNER)
    data = encode([INPUTS], [arguments(updates)])
    assert updates.calldata() == selector(words.UPDATE) + data
    assert updates.fee_calldata() == selector(words.UPDATE_FEE) + data
    assert list(updates) == given
    assert updates.values == [it.value for it in given]
    assert updates.timestamps_ns.tolist() == [it.timestamp_ns for it in given]
    assert updates.ids == [it.id for it in given]


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=9),
        st.integers(-(2**127), 2**127 - 1),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 2**64 - 1),
)
def test_a_batch_gives_what_was_signed(values: dict[str, int], now_ns: int) -> None:
    batch = batch_of(values, now_ns)
    updates = price_updates(batch)
    assert not updates.statuses().any()
    assert updates.symbols == tuple(values) and updates.values == [*values.values()]
    assert updates.ids == [encoded_asset_id(name) for name in values]
    assert updates.signers == (SIGNER,)
    assert updates.calldata()[4:] == encode([INPUTS], [arguments(updates)])


def test_an_aggregate_that_is_not_verified_is_refused() -> None:
    bad = entry("ETHUSD", 5, 1)
    bad["stork_signed_price"]["timestamped_signature"]["signature"]["v"] = "0x1d"
    unsigned = entry("SOLUSD", 6, 1) | {"stork_signed_price": None}
    batch = decode(message_of([entry("BTCUSD", 4, 1), bad, unsigned]))
    with pytest.raises(SignatureError, match=r"row 1, ETHUSD, .*\[invalid_v, signat"):
        price_updates(batch)
    with pytest.raises(SignatureError, match=r"row 2, SOLUSD, .*\[unsigned, signature"):
        price_updates(batch, [0, 2])
    assert price_updates(batch, [0]).symbols == ("BTCUSD",)
    assert price_updates(batch, batch.passed("aggregate")).values == [4]
    another = decode(message_of([entry("BTCUSD", 4, 1)]), signers=address_of(OTHER_KEY))
    with pytest.raises(SignatureError, match="untrusted_signer"):
        price_updates(another)
    moved = entry("BTCUSD", 4, 1) | {"price": "5"}
    with pytest.raises(SignatureError, match=r"\[mismatch, consistency\]"):
        price_updates(decode(message_of([moved])))


def test_the_newest_of_each_asset() -> None:
    texts = [
        message_of([entry("A", value, at), entry("B", -value, 9)])
        for value, at in ((1, 5), (2, 7), (3, 6), (4, 7))
    ]
    batch = decode(texts)
    assert len(price_updates(batch)) == 8
    newest = price_updates(batch, newest=True)
    assert newest.symbols == ("A", "B") and newest.values == [4, -4]
    assert price_updates(batch, [0, 4, 1], newest=True).values == [3, -1]
    assert len(price_updates(batch, [])) == 0


def test_what_cannot_be_an_update() -> None:
    good = signed("BTCUSD", 1, 1)
    for change, error in (
        ({"value": HIGHEST + 1}, RangeError),
        ({"value": LOWEST - 1}, RangeError),
        ({"timestamp_ns": 2**64}, RangeError),
        ({"timestamp_ns": -1}, RangeError),
        ({"v": 256}, RangeError),
        ({"r": b"\1"}, ValueError),
    ):
        with pytest.raises(error, match=r"update 0\]"):
            one(good._replace(**change))
    for change in ({"value": 1.5}, {"timestamp_ns": 1e18}, {"v": 27.0}):
        with pytest.raises(TypeError, match="'float' object"):
            one(good._replace(**change))
    with pytest.raises(ValueError, match=r"words: uint8 of \(1, 8, 32\), not \(2, 8"):
        PriceUpdates.of([good], SIGNER, ["A", "B"])
    with pytest.raises(ValueError, match="read-only"):
        one(good).words[0, 0, 0] = 1
    with pytest.raises(TypeError, match="places, or a mask"):
        price_updates(batch_of({"A": 1}, 1), [[0]])
    with pytest.raises(ValueError, match="a mask of shape"):
        price_updates(batch_of({"A": 1}, 1), [True, False])


@pytest.mark.parametrize("value", [5, -5])
@pytest.mark.parametrize(
    ("word", "n", "kind"),
    [(0, 24, "timestamp_ns is no uint64"), (1, 8, "value is no"), (7, 31, "v is no")],
)
def test_words_are_padded_as_their_types_are(
    chain: Anvil, core: str, value: int, word: int, n: int, kind: str
) -> None:
    """The contract reverts for others before it looks at any signature."""
    two = [signed("A", value, 5), signed("B", value, 5)]
    good = PriceUpdates.of(two, SIGNER, ["A", "B"])
    for byte in (0, n - 1):
        words = good.words.copy()
        words[1, word, byte] ^= 1
        data = good.calldata()[:68] + words.tobytes()
        call = {"to": core, "data": "0x" + data.hex(), "value": hex(2 * SINGLE_FEE)}
        (answer,) = jsonrpc_all(chain.url, [("eth_call", call, "latest")])
        assert isinstance(answer, NodeRefused) and not decode_revert(answer.data).data
        with pytest.raises(RangeError, match=rf"{kind}.*\[update 1\]"):
            PriceUpdates(words, good.keys, good.symbols)


def test_what_is_judged_is_what_is_sent() -> None:
    good = one(signed("A", 5, 5))
    words, keys = good.words.copy(), good.keys.copy()
    updates = PriceUpdates(words, keys, good.symbols)
    words[:], keys[:] = 0, 0
    assert updates.calldata() == good.calldata() and not updates.statuses().any()


def test_names_command_no_terminal() -> None:
    name = "A\x1b[31m\nverified\u202e \u00e9" + "B" * 99
    bad = entry(name, 4, 1)
    bad["stork_signed_price"]["timestamped_signature"]["signature"]["v"] = "0x1d"
    with pytest.raises(SignatureError, match="is not verified") as raised:
        price_updates(decode(message_of([bad])))
    updates = PriceUpdates.of([signed("A", 4, 1)], SIGNER, [name])
    assert updates.name(0).startswith(r"A?[31m verified? \xe9BBB")
    for text in (str(raised.value), updates.name(0)):
        assert text.isascii() and text.isprintable() and len(text) < 200
    assert updates.symbols == (name,)


def changes(good: PriceUpdate) -> Iterator[tuple[str, PriceUpdate]]:
    """A good update with each of its fields changed, in every way that matters."""
    for name in ("timestamp_ns", "value"):
        for by in (-1, 1):
            yield f"{name} {by:+}", good._replace(**{name: getattr(good, name) + by})
    yield "value, its sign", good._replace(value=-good.value)
    for name in ("id", "publisher_merkle_root", "checksum", "r", "s"):
        data: bytes = getattr(good, name)
        for i in (0, 31):
            flipped = bytearray(data)
            flipped[i] ^= 1
            yield f"{name} {i}", good._replace(**{name: bytes(flipped)})
    for v in (0, 1, 26, 27, 28, 29, 55 - good.v, 255):
        yield f"v {v}", good._replace(v=v)
    s = int.from_bytes(good.s, "big")
    scalars = {
        "r": (0, N - 1, N, N + 1, 2**256 - 1, 5),
        "s": (0, 1, N // 2, N // 2 + 1, N - s, N, 2**256 - 1),
    }
    for name, numbers in scalars.items():
        for number in numbers:
            data = number.to_bytes(32, "big")
            yield f"{name} {number:#x}", good._replace(**{name: data})
    high = (N - s).to_bytes(32, "big")
    yield "the other signature", good._replace(s=high, v=55 - good.v)


@pytest.mark.parametrize("value", [97 * 10**18, -5, 0, LOWEST, HIGHEST])
def test_our_judgement_is_the_contracts(chain: Anvil, core: str, value: int) -> None:
    good = signed("BTCUSD", value, chain.now_ns())
    cases = {"good": good}
    for name, changed in changes(good):
        if LOWEST <= changed.value <= HIGHEST:
            cases[name] = changed
    given = [one(update) for update in cases.values()]
    ours = [int(updates.statuses()[0]) for updates in given]
    theirs = verdicts(chain, core, given)
    told = dict(zip(cases, zip(ours, theirs, strict=True), strict=True))
    assert {name: (our == 0, their) for name, (our, their) in told.items()} == {
        name: (their == "taken", their) for name, (_, their) in told.items()
    }
    assert told["good"] == (0, "taken")
    assert told["the other signature"][1] == "ECDSAInvalidSignatureS"
    assert told["s 0x0"][1] == "ECDSAInvalidSignature"
    assert told["v 29"][1] == "InvalidSignature"
    assert {their for _, their in told.values()} == {
        "taken",
        "InvalidSignature",
        "ECDSAInvalidSignature",
        "ECDSAInvalidSignatureS",
    }


def test_the_key_is_part_of_what_is_signed(chain: Anvil, core: str) -> None:
    """The right key over the hash of another one's price is no good."""
    theirs = signed("BTCUSD", 1, chain.now_ns(), key=OTHER_KEY)
    assert not one(theirs, OTHER_KEY).statuses().any()
    assert one(theirs, SIGNER_KEY).statuses().all()
    assert verdicts(chain, core, [one(theirs, OTHER_KEY)]) == ["InvalidSignature"]


def test_values_of_every_size_are_read_back(chain: Anvil, core: str) -> None:
    now_ns = chain.now_ns()
    values = {"LOW": LOWEST, "HIGH": HIGHEST, "NONE": 0, "MINUS": -1, "I128": -(2**127)}
    updates = updates_of(values, now_ns)
    chain.transact(
        **{"from": chain.owner, "to": core, "value": hex(SINGLE_FEE * 5)},
        data="0x" + updates.calldata().hex(),
    )

    async def read(asked: StorkCore) -> None:
        for name, value in values.items():
            stored = StoredValue(now_ns, value)
            assert await asked.value(name) == stored
            assert await asked.unsafe_value(encoded_asset_id(name)) == stored
            assert await asked.value("0x" + encoded_asset_id(name).hex()) == stored
        with pytest.raises(RevertedError, match="NotFound"):
            await asked.value("NOTHING")
        with pytest.raises(ValueError, match="32 bytes"):
            await asked.value(b"\1")
        found = await asked.stored_timestamps(["NOTHING", "LOW", "HIGH"])
        assert found.tolist() == [0, now_ns, now_ns]
        assert await asked.update_fee_wei(updates) == 5 * SINGLE_FEE
        assert len(await asked.fresh(updates)) == 0
        chain.rpc("evm_increaseTime", VALID_S + 10)
        chain.mine()
        with pytest.raises(RevertedError, match="StaleValue") as raised:
            await asked.value("LOW")
        assert raised.value.revert.signature == "StaleValue()"
        assert (await asked.unsafe_value("LOW")).value == LOWEST

    ask(chain, core, read)


@pytest.mark.parametrize("seed", range(8))
def test_what_is_stale_is_what_the_contract_passes_over(
    chain: Anvil, core: str, seed: int
) -> None:
    """It says so by the fee that it wants, which is for those that it would keep."""
    random = Random(seed)
    chain.transact(
        **{"from": chain.owner, "to": core, "value": hex(SINGLE_FEE * 2)},
        data="0x" + updates_of({"A": 1, "B": 1}, 5).calldata().hex(),
    )
    for _ in range(8):
        rows = [
            signed(random.choice("ABC"), 2, random.randint(1, 9))
            for _ in range(random.randint(1, 7))
        ]
        updates = PriceUpdates.of(rows, SIGNER)
        result = judged(chain, core, updates)
        assert result.fee_wei == SINGLE_FEE * len(rows) and result.n_stale is not None
        n_kept = len(rows) - result.n_stale
        assert result.is_good is bool(n_kept)
        left = ask(chain, core, lambda asked, given=updates: asked.fresh(given))
        again = judged(chain, core, left)
        assert len(left) == n_kept and not again.n_stale
        expected = ["taken", "InsufficientFee"] if n_kept else ["NoFreshUpdate"] * 2
        fees = (n_kept * SINGLE_FEE, max(n_kept * SINGLE_FEE - 1, 0))
        assert [verdicts(chain, core, [updates], fee)[0] for fee in fees] == expected


def judged(chain: Anvil, core: str, updates: PriceUpdates) -> UpdatePreflight:
    async def judge(asked: StorkCore) -> UpdatePreflight:
        return await preflight(updates, asked, asked.rpc, sender=chain.owner)

    return ask(chain, core, judge)


def test_many_keys_and_one_look(chain: Anvil) -> None:
    """A contract of the newer kind: it has more keys, and answers for many ids."""
    core = chain.deploy("MultiSignerStorkCore", address_of(SIGNER_KEY), VALID_S, 0)

    async def read(asked: StorkCore) -> None:
        other = address_of(OTHER_KEY)
        assert await asked.public_key() == SIGNER
        assert await asked.is_signer(SIGNER)
        assert not await asked.is_signer(other)
        chain.send(core, "addSigningAddress", other)
        assert not await asked.is_signer(other)
        assert await asked.is_signer(other, refresh=True)
        theirs = one(signed("A", 1, 5, key=OTHER_KEY), OTHER_KEY)
        assert verdicts(chain, core, [theirs]) == ["taken"]
        assert (await asked.stored_timestamps(["A", "B"])).tolist() == [0, 0]
        updates = updates_of({"A": 1, "B": 2}, 6)
        data = "0x" + updates.calldata().hex()
        chain.transact(**{"from": chain.owner, "to": core, "data": data})
        assert (await asked.stored_timestamps(["A", "B"])).tolist() == [6, 6]
        assert (await asked.stored_timestamps(["B", "C"])).tolist() == [6, 0]

    ask(chain, core, read)


def test_what_is_no_stork_core_says_so(chain: Anvil, verifier: str) -> None:
    async def read(asked: StorkCore) -> None:
        updates = updates_of({"A": 1}, 1)
        with pytest.raises(RevertedError, match="reverted without data"):
            await asked.update_fee_wei(updates)
        with pytest.raises(ChainError, match="no contract of Stork Core is there"):
            await asked.is_signer(SIGNER)
        with pytest.raises(RevertedError, match="reverted without data"):
            await asked.stored_timestamps(["A"])
        with pytest.raises(RevertedError, match="reverted without data"):
            await asked.verify_publishers(batch_of({"A": 1}, 1), 0)

    ask(chain, verifier, read)
    nobody = "0x" + "77" * 20

    async def read_nothing(asked: StorkCore) -> None:
        with pytest.raises(ChainError, match="it has no getUpdateFeeV1"):
            await asked.update_fee_wei(updates_of({"A": 1}, 1))

    ask(chain, nobody, read_nothing)


def test_strangers_keys_fill_no_memory(stub: Faulty) -> None:
    stub.results["eth_call"] = "0x" + "00" * 32

    async def main() -> None:
        async with Rpc(stub.url, chain_id=31337) as rpc:
            asked = StorkCore(rpc, "0x" + "77" * 20)
            for i in range(1, 200):
                assert not await asked.is_signer(i.to_bytes(20, "big"))
                assert len(asked._further) <= functions._MAX_KEPT

    asyncio.run(main())


@pytest.mark.parametrize("n", [0, 1, 2, 4, 5000])
def test_values_of_other_assets_are_no_answer(stub: Faulty, n: int) -> None:
    values = encode(["(uint64,int192)[]"], [[(5, 1)] * n])
    stub.results["eth_call"] = "0x" + values.hex()
    updates = updates_of(named(3), 7)

    async def main() -> None:
        async with Rpc(stub.url, chain_id=31337) as rpc:
            asked = StorkCore(rpc, "0x" + "77" * 20)
            with pytest.raises(ChainError, match=wrong):
                await asked.stored_timestamps(updates.ids)
            with pytest.raises(ChainError, match=wrong):
                await asked.fresh(updates)
            # It says nothing, so the call decides.
            assert await UpdateOrder(updates, asked, Checks()).compare() == ({}, ())

    wrong = f"has {n} values for 3 ids" if n < 5000 else "has 320,064 bytes"
    asyncio.run(main())


@pytest.mark.parametrize("value", [97 * 10**18, -97 * 10**18])
@pytest.mark.parametrize("n_publishers", [1, 2, 3])
def test_publishers_are_judged_alike(
    chain: Anvil, core: str, value: int, n_publishers: int
) -> None:
    good = entry("BTCUSD", value, chain.now_ns(), n_publishers=n_publishers)
    texts = {"good": message_of([good])}

    def keep(name: str, path: str, text: object) -> None:
        changed = json.loads(json.dumps(good))
        *parents, last = path.split(".")
        at = changed["signed_prices"][-1]
        for parent in parents:
            at = at[parent]
        at[last] = text
        texts[name] = message_of([changed])

    last = good["signed_prices"][-1]
    stamped = last["timestamped_signature"]
    s = int(stamped["signature"]["s"], 16)
    v = int(stamped["signature"]["v"], 16)
    keep("value", "price", str(value + 9))
    keep("name", "external_asset_id", "BTCUSDT")
    keep("key", "publisher_key", "0x" + "11" * 20)
    keep("second", "timestamped_signature.timestamp", stamped["timestamp"] + NS)
    keep("r", "timestamped_signature.signature.r", "0x" + "00" * 31 + "05")
    keep("r 0", "timestamped_signature.signature.r", "0x" + "00" * 32)
    keep("high s", "timestamped_signature.signature.s", f"0x{N - s:064x}")
    keep("other v", "timestamped_signature.signature.v", f"0x{55 - v:02x}")
    keep("v 29", "timestamped_signature.signature.v", "0x1d")
    batch = decode(list(texts.values()))
    is_good = batch.passed("all")

    async def read(asked: StorkCore) -> list[bool]:
        return [await asked.verify_publishers(batch, row) for row in range(len(batch))]

    theirs = ask(chain, core, read)
    assert dict(zip(texts, theirs, strict=True)) == dict(
        zip(texts, is_good.tolist(), strict=True)
    )
    assert theirs == [True] + [False] * (len(texts) - 1)


def test_a_wrong_root_and_no_publishers(chain: Anvil, core: str) -> None:
    wrong = entry("BTCUSD", 5, 1)
    wrong["stork_signed_price"]["publisher_merkle_root"] = "0x" + ROOT.hex()
    nobody = entry("ETHUSD", 5, 1) | {"signed_prices": []}
    batch = decode(message_of([wrong, nobody]))

    async def read(asked: StorkCore) -> None:
        assert not await asked.verify_publishers(batch, 0)
        with pytest.raises(ValueError, match="row 1, ETHUSD, has no publishers"):
            await asked.verify_publishers(batch, 1)

    ask(chain, core, read)


@pytest.mark.parametrize("name", ["negative", "positive"])
def test_real_messages_are_taken(chain: Anvil, name: str) -> None:
    path = VECTORS / f"aggregator_oracle_prices_{name}_asset_1.ndjson"
    if not path.exists():
        pytest.skip("optional: no real messages of the aggregator here")
    batch = decode_lines(path.read_bytes())
    updates = price_updates(batch)
    (key,) = updates.signers
    core = chain.deploy("StorkCore", SIGNER, VALID_S, SINGLE_FEE)
    assert set(verdicts(chain, core, [updates])) == {"InvalidSignature"}
    chain.send(core, "updateStorkPublicKey", key)
    each = [updates.select([i]) for i in range(len(updates))]
    assert verdicts(chain, core, [updates, *each]) == ["taken"] * (len(each) + 1)

    async def read(asked: StorkCore) -> None:
        judged = [await asked.verify_publishers(batch, i) for i in range(len(batch))]
        assert judged == batch.passed("all").tolist() == [True] * len(batch)
        newest = updates.newest()
        chain.transact(
            **{"from": chain.owner, "to": core, "value": hex(SINGLE_FEE)},
            data="0x" + newest.calldata().hex(),
        )
        (update,) = newest
        stored = await asked.unsafe_value(newest.symbols[0])
        assert stored == (update.timestamp_ns, update.value)
        assert len(await asked.fresh(updates)) == 0

    ask(chain, core, read)


def test_reprs_and_names(chain: Anvil, core: str) -> None:
    updates = updates_of(named(2, -1), 1)
    assert repr(updates) == "<PriceUpdates: 2 updates>"
    assert updates.name(1) == "ASSET1USD"
    bare = PriceUpdates.of(updates, SIGNER)
    assert bare.name(0).startswith("0x") and bare.name(0).endswith("...")
    assert np.array_equal(bare.words, updates.words)

    async def read(asked: StorkCore) -> str:
        return repr(asked)

    assert ask(chain, core, read) == f"<StorkCore {core}>"
    assert deploy_core(chain) != core
