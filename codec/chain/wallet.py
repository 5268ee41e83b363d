"""A private key that signs transactions and is never shown."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn, Self

from codec import jsontext
from codec.chain.answers import clean
from codec.errors import ChainError, KeySourceError
from codec.keyfiles import key_of, place_name, read_secret, read_variable
from codec.signatures import keccak256

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from eth_account import Account
    from eth_account.signers.local import LocalAccount

__all__ = ["Wallet"]

_NO_KEY = "no private key: 64 hex digits, or a keystore's JSON"


class Wallet:
    """An account's private key, for signing. No repr, error, pickle or copy has it.

    Of its makers, each raises KeySourceError where no key can be had; the text names
    the place and never holds a part of the key or of a password.
    """

    __slots__ = ("_account", "address")

    _account: LocalAccount
    address: str
    """With EIP-55's checksum."""

    def __init__(self) -> None:
        raise TypeError("a Wallet is made by from_file, from_env, from_keystore")

    @classmethod
    def from_file(
        cls,
        path: str | PathLike[str],
        *,
        password_file: str | PathLike[str] | None = None,
        password_env: str | None = None,
    ) -> Self:
        """From a file with 64 hex digits (`0x` before them or not), or a keystore."""
        text, reason = read_secret(path)
        if text.lstrip().startswith("{"):
            made, reason = cls._from_keystore(path, text, password_file, password_env)
        else:
            made = cls._from_text(text)
            reason = f"{place_name(path)}: {reason or _NO_KEY}"
        del text  # a traceback that shows variables would show it
        if made is None:
            raise KeySourceError(reason)
        return made

    @classmethod
    def from_env(cls, name: str) -> Self:
        """From an environment variable with 64 hex digits, `0x` before them or not."""
        text, reason = read_variable(name)
        made = cls._from_text(text)
        del text
        if made is None:
            reason = reason or _NO_KEY
            raise KeySourceError(f"environment variable {place_name(name)}: {reason}")
        return made

    @classmethod
    def from_keystore(
        cls,
        path: str | PathLike[str],
        *,
        password_file: str | PathLike[str] | None = None,
        password_env: str | None = None,
    ) -> Self:
        """From a keystore (Web3 Secret Storage) and its password.

        The password is a file's text without the line's end, or an environment
        variable's; one of the two is given. Takes about a second.
        """
        text, reason = read_secret(path)
        if reason:
            raise KeySourceError(f"{place_name(path)}: {reason}")
        made, reason = cls._from_keystore(path, text, password_file, password_env)
        del text
        if made is None:
            raise KeySourceError(reason)
        return made

    @classmethod
    def from_key(cls, key: bytes) -> Self:
        """From the 32 bytes themselves: for tests; a program should not have them."""
        made = cls._from_key(key)
        del key  # a traceback that shows variables would show it
        if made is None:
            raise KeySourceError("a private key has 32 bytes, in 1 .. n - 1")
        return made

    def sign(self, transaction: Mapping[str, Any]) -> tuple[bytes, bytes]:
        """The raw transaction, and its hash.

        transaction: as eth_account takes it; `chainId` must be there, so that no other
        chain takes it. Raises ChainError for one that cannot be signed.
        """
        signed, reason = self._sign(transaction)
        if signed is None:
            raise ChainError(f"the transaction cannot be signed: {reason}")
        return signed, keccak256(signed)

    def __repr__(self) -> str:
        return f"<Wallet {self.address}>"

    def __reduce_ex__(self, _: object) -> NoReturn:
        raise TypeError("a Wallet is neither pickled nor copied: it holds a key")

    def __copy__(self) -> NoReturn:
        self.__reduce_ex__(0)

    def __deepcopy__(self, _: object) -> NoReturn:
        self.__reduce_ex__(0)

    # What follows handles keys and raises nothing, so that no traceback begins there.

    def _sign(self, transaction: Mapping[str, Any]) -> tuple[bytes | None, str]:
        chain_id = transaction.get("chainId")
        if type(chain_id) is not int or chain_id <= 0:
            return None, "it has no chainId"
        try:
            signed = self._account.sign_transaction(dict(transaction))
        except Exception as error:
            return None, clean(f"{type(error).__name__}: {error}")
        return bytes(signed.raw_transaction), ""

    @classmethod
    def _from_text(cls, text: str) -> Self | None:
        return cls._from_key(key_of(text))

    @classmethod
    def _from_key(cls, key: object) -> Self | None:
        if not isinstance(key, bytes) or key_of(key.hex()) is None:
            return None
        made = object.__new__(cls)
        made._account = _accounts().from_key(key)
        made.address = made._account.address
        return made

    @classmethod
    def _from_keystore(
        cls,
        path: str | PathLike[str],
        text: str,
        password_file: str | PathLike[str] | None,
        password_env: str | None,
    ) -> tuple[Self | None, str]:
        """The wallet, or what is wrong."""
        try:
            keystore = jsontext.loads(text)
        except (ValueError, RecursionError):
            keystore = None
        if not isinstance(keystore, dict):
            return None, f"{place_name(path)}: no keystore: it is no JSON object"
        password, reason = _password(password_file, password_env)
        if reason:
            return None, f"{place_name(path)}: {reason}"
        try:
            made = cls._from_key(bytes(_accounts().decrypt(keystore, password)))
        except ValueError as error:
            is_wrong = "MAC" in str(error)
            reason = "the password is wrong" if is_wrong else "no keystore that we know"
        except Exception:
            reason = "no keystore that we know"
        else:
            return made, f"{place_name(path)}: {_NO_KEY}"
        return None, f"{place_name(path)}: {reason}"


def _password(file: str | PathLike[str] | None, env: str | None) -> tuple[str, str]:
    """A keystore's password, or what is wrong."""
    if (file is None) == (env is None):
        return "", "a keystore needs a password, from a file or the environment"
    if file is not None:
        text, reason = read_secret(file)
        return text.rstrip(
            "\r\n"
        ), reason and f"its password: {place_name(file)}: {reason}"
    assert env is not None
    if env not in os.environ:
        return (
            "",
            f"its password: environment variable {place_name(env)}: it is not set",
        )
    return os.environ[env], ""


def _accounts() -> type[Account]:
    """eth-account's maker of accounts, without what importing it does to all else: a
    package that it brings raises the limit of recursion beyond what the stack holds."""
    limit = sys.getrecursionlimit()
    from eth_account import Account

    sys.setrecursionlimit(limit)
    return Account
