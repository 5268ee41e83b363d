"""Tokens with seeded random walks for prices, and texts that look like a chain's."""

from __future__ import annotations

from decimal import Context, Decimal
from random import Random
from typing import Final

__all__ = ["CHAINS", "Token", "base58", "decimal_text", "hex_text"]

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_EXACT = Context(prec=80)
_DIGITS = 24  # of a price, behind the point
_STEP = 2_000  # a millionth each: a step is at most so much of the price
_NAMES = ("Ape", "Bonk", "Cat", "Doge", "Frog", "Moon", "Pepe", "Wif")
_DEXES = {
    "svm": ("raydium", "orca", "meteora", "pump"),
    "evm": ("uniswapV2", "uniswapV3", "aerodrome"),
}

# By ids: the name, and what its coin is worth in USD.
CHAINS: Final = {
    "1": ("eth", Decimal("3412.77")),
    "8453": ("base", Decimal("3412.77")),
    "56": ("bsc", Decimal("655.9")),
    "43114": ("avax", Decimal("38.21")),
    "sol": ("sol", Decimal("187.43")),
}


def base58(random: Random, n: int) -> str:
    """As long a text as addresses (44) or signatures (88) of Solana."""
    return "".join(random.choices(_BASE58, k=n))


def hex_text(random: Random, n: int) -> str:
    """n bytes, as the other chains write them."""
    return f"0x{random.randbytes(n).hex()}"


def decimal_text(number: Decimal) -> str:
    """All digits, and no exponent."""
    return format(number, "f")


class Token:
    """A token: what does not change, and a price in USD that goes its random way.

    chain_id: a key of CHAINS; others have the coin of the first.
    """

    def __init__(self, seed: int, chain_id: str, address: str) -> None:
        self._random = random = Random(f"token {seed} {chain_id} {address}")
        kind = "svm" if chain_id == "sol" else "evm"
        self.address = address
        self.network, self.coin_usd = CHAINS.get(chain_id, CHAINS["1"])
        self.decimals = 6 if kind == "svm" else 18
        self.name = f"{random.choice(_NAMES)} {random.randrange(1000)}"
        self.symbol = self.name.replace(" ", "").upper()
        self.dex = random.choice(_DEXES[kind])
        self.pool = base58(random, 44) if kind == "svm" else hex_text(random, 20)
        self.supply = random.randrange(10**8, 10**10)
        self._price = round(10 ** random.uniform(_DIGITS - 7, _DIGITS))
        self._start = self._price

    @property
    def price_usd(self) -> Decimal:
        """Of one token, exact."""
        return Decimal(self._price).scaleb(-_DIGITS, _EXACT)

    @property
    def price_native(self) -> Decimal:
        """In the chain's coin, to 24 digits."""
        share = _EXACT.divide(self.price_usd, self.coin_usd)
        return share.quantize(Decimal(1).scaleb(-_DIGITS), context=_EXACT)

    @property
    def market_cap_usd(self) -> Decimal:
        """What all of it is worth."""
        return _EXACT.multiply(self.price_usd, self.supply)

    def step(self) -> None:
        """Moves the price, which keeps near where it began."""
        noise = self._random.randint(-_STEP, _STEP)
        pull = 1 if self._price < self._start else -1
        self._price += self._price * (noise + pull) // 10**6
        self._price = max(10**9, self._price + self._random.randrange(1000))

    def swap(self, random: Random) -> tuple[Decimal, Decimal, int]:
        """A trade: the coin's amount, its worth in USD, the tokens' base units."""
        digits = 9 if self.network == "sol" else 18
        amount = Decimal(random.randrange(10**6, 5 * 10**10)).scaleb(-9)
        if digits > 9:
            amount += Decimal(random.randrange(10**9)).scaleb(-18)
        usd = _EXACT.multiply(amount, self.coin_usd)
        tokens = _EXACT.divide(usd, self.price_usd).scaleb(self.decimals, _EXACT)
        return amount, usd, int(tokens)
