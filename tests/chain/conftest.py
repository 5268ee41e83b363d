"""A node with the contracts, of which each test leaves the chain as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from aggregates import deploy_core
from anvil import Anvil
from faulty import Faulty
from parties import FEE, OTHER_SIGNER, OTHER_SIGNER_KEY, SIGNER, SIGNER_KEY
from strict_node import StrictNode

from codec.chain import endpoints


@pytest.fixture(scope="session")
def anvil() -> Iterator[Anvil]:
    """The node; whoever changes its chain asks for `chain` instead."""
    with Anvil() as node:
        yield node


@pytest.fixture
def stub() -> Iterator[Faulty]:
    """A server that answers as a node in block 5, until it is told otherwise."""
    with Faulty(results={"eth_blockNumber": "0x5", "eth_getCode": "0x6001"}) as server:
        yield server


@pytest.fixture
def second_stub() -> Iterator[Faulty]:
    """Another one, in block 6."""
    with Faulty(results={"eth_blockNumber": "0x6", "eth_getCode": "0x6001"}) as server:
        yield server


@pytest.fixture
def short_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes that fail are asked again after milliseconds."""
    monkeypatch.setattr(endpoints, "FIRST_REST_S", 0.001)
    monkeypatch.setattr(endpoints, "LAST_REST_S", 0.01)


@pytest.fixture
def chain(
    anvil: Anvil, verifier: str, multi_verifier: str, consumer: str, core: str
) -> Iterator[Anvil]:
    """The node, whose chain is afterwards as it was before."""
    snapshot = anvil.snapshot()
    yield anvil
    anvil.revert(snapshot)


@pytest.fixture(scope="session")
def signer_key() -> bytes:
    """The private key of the signer of all contracts."""
    return SIGNER_KEY


@pytest.fixture(scope="session")
def other_signer_key() -> bytes:
    """The private key of the other signer of `multi_verifier`."""
    return OTHER_SIGNER_KEY


@pytest.fixture(scope="session")
def fee_wei() -> int:
    """What every verifier wants."""
    return FEE


@pytest.fixture(scope="session")
def verifier(anvil: Anvil) -> str:
    """The address of a contract with one signer."""
    return anvil.deploy("SingleSignerVerifier", SIGNER, FEE)


@pytest.fixture(scope="session")
def multi_verifier(anvil: Anvil) -> str:
    """The address of a contract with two signers."""
    return anvil.deploy("MultiSignerVerifier", [SIGNER, OTHER_SIGNER], FEE)


@pytest.fixture(scope="session")
def consumer(anvil: Anvil, verifier: str) -> str:
    """The address of a Consumer of `verifier`."""
    return anvil.deploy("Consumer", verifier)


@pytest.fixture(scope="session")
def core(anvil: Anvil) -> str:
    """The address of a contract of Stork Core, whose key is that of the signer."""
    return deploy_core(anvil)


@pytest.fixture
def strict() -> Iterator[StrictNode]:
    """A node that mines when it is told to, and has geth's rules."""
    with StrictNode() as node:
        yield node


@pytest.fixture
def strict_legacy() -> Iterator[StrictNode]:
    """The same before London: no base fee, and no transactions of type 2."""
    with StrictNode(has_base_fee=False) as node:
        yield node
