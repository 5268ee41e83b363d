"""How a pusher looks on a terminal of whatever size."""

from __future__ import annotations

from anvil import Anvil
from pushing import ONE, push_target, run, staged, until

from codec.chain import Rule, Rules
from codec.chain.push.hindrances import Hindrance
from codec.cli.push_view import PushView

RULES = Rules({i: Rule("0.5", max_silence_s=600) for i in range(1, 41)})
NAMES = {1: "BTCUSD", 2: "a name that is far too long\x1b[2J"}


def test_it_fits_and_says_what_is_in_the_way(
    chain: Anvil, consumer: str, verifier: str, signer_key: bytes
) -> None:
    async def test() -> None:
        target = push_target(consumer, verifier)
        options = {"min_balance_wei": 1}
        async with staged(chain, target, RULES, signer_key, **options) as stage:
            await stage.say({i: i * ONE for i in range(1, 41)})
            await stage.confirmed(1)
            await stage.say({1: 2 * ONE, 2: 0, 3: -3 * ONE})
            await stage.confirmed(2)
            await stage.say({1: -ONE})
            await stage.confirmed(3)
            chain.set_balance(stage.account, 0)
            await until(lambda: stage.waits_for(Hindrance.BALANCE_LOW))
            await stage.end()
            view = PushView(stage.pusher, NAMES, "40 assets to 0x12")
            for width in (1, 10, 40, 60, 80, 100, 120, 200):
                for height in (1, 2, 5, 10, 24, 60):
                    lines = view.lines(width, height, hint="Ctrl-C ends")
                    texts = ["".join(text for text, _ in line) for line in lines]
                    assert len(lines) <= height
                    assert all(len(text) <= width for text in texts)
                    assert all(text.isascii() and text.isprintable() for text in texts)
            text = "\n".join(texts)
            assert "balance low for " in text and " has 0 wei, needs 1 wei" in text
            assert "confirmed 3" in text and "and 40 more" not in text
            rows = {line.split()[0]: line.split() for line in texts if line.strip()}
            assert rows["1"][1:5] == ["BTCUSD", "-1", "-1", "+0.000%"]
            assert rows["40"][1:3] == ["40", "40"]
            assert "  1 -150%  " in text and "1 +100%, 2 -100%, 3 -200%" in text
            assert "ended  feed " in view.pulse() and "\n" not in view.pulse()

    run(test())
