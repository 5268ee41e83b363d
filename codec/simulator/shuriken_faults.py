"""The switches for what can go wrong with Shuriken's API and socket."""

from __future__ import annotations

from dataclasses import dataclass, field

from codec.simulator.faults import CommonFaults
from codec.simulator.switches import (
    Count,
    When,
    a_count,
    a_number,
    a_state,
    a_word,
    an_event,
)

__all__ = ["ShurikenFaults"]

_STATUS = "a status, (status, n) the next n, (status, n, seconds) with Retry-After"


@dataclass
class ShurikenFaults(CommonFaults):
    """What is to go wrong with `ShurikenSimulator`; kinds as in `CommonFaults`.

    Codes of `close` from 4000 on are Pusher's, and come behind a pusher:error that says
    the same. Counts that change messages hold for events; others for the requests that
    their names begin with.
    """

    expire: When = field(
        default=None,
        metadata=an_event(
            "end the app key, and the connection (4200, or a code): the key gets 4001"
            " from then on, until a new session has another"
        ),
    )

    duplicate_event: Count = field(default=None, metadata=a_count("send events twice"))
    unknown_event: Count = field(
        default=None,
        metadata=a_count("send others before events, of names that nobody knows"),
    )
    data_object: Count = field(
        default=None, metadata=a_count("send data as an object, not as JSON text")
    )
    subscription_error: Count = field(
        default=None, metadata=a_count("refuse subscriptions, naming the channel")
    )
    nameless_error: Count = field(
        default=None,
        metadata=a_count("refuse subscriptions by a pusher:error (4009) without one"),
    )
    no_answer: Count = field(
        default=None, metadata=a_count("say nothing to subscriptions, and take none")
    )
    no_greeting: bool = field(
        default=False, metadata=a_state("never send connection_established")
    )

    session_status: int | tuple[int, ...] | None = field(
        default=None, metadata=a_number(f"refuse sessions with {_STATUS}")
    )
    session_html: Count = field(
        default=None, metadata=a_count("answer for sessions with a web page (200)")
    )
    session_garbage: Count = field(
        default=None,
        metadata=a_count("answer for sessions with what is none: bad JSON, no fields"),
    )
    session_redirect: str | None = field(
        default=None, metadata=a_word("answer for sessions with 302 to this URL", "URL")
    )
    session_delay: int | None = field(
        default=None, metadata=a_number("answer for sessions after n milliseconds")
    )
    session_stale: Count = field(
        default=None, metadata=a_count("give sessions an app key that has ended")
    )

    auth_status: int | tuple[int, ...] | None = field(
        default=None, metadata=a_number(f"refuse channels with {_STATUS}")
    )
    auth_html: Count = field(
        default=None, metadata=a_count("answer for channels with a web page (200)")
    )
    auth_garbage: Count = field(
        default=None, metadata=a_count("answer for channels with what is no `auth`")
    )
    auth_delay: int | None = field(
        default=None, metadata=a_number("answer for channels after n milliseconds")
    )
    wrong_signature: Count = field(
        default=None, metadata=a_count("sign channels with another secret")
    )
