"""Whether a node's reply is an answer, or a reason to ask again."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from codec.chain.answers import BadAnswer, NodesError, Result, read_answer
from codec.chain.endpoints import Failure
from codec.webanswers import phrase

if TYPE_CHECKING:
    from codec.chain.exchange import Reply

__all__ = ["judge"]

_WAIT = (408, 425, 429)  # of the client errors, those that time may cure
_BUSY_CODES = (-32005, 429)
_BUSY_TEXTS = ("rate limit", "ratelimit", "too many requests")
_REVERTED = 3  # here the text may be a contract's, and say anything


def judge(reply: Reply, request_id: int) -> Result | NodesError | Failure:
    """What a reply is worth. The one place that decides it.

    An answer of JSON-RPC counts with any HTTP status below 500 but 408, 425 and 429;
    a status of 3xx and the others of 4xx without one are lasting failures. A node's
    error that says "too many requests" is a failure that time may cure, and so are an
    answer that makes no sense and every status from 500 on.
    """
    answer: Result | NodesError | None = None
    try:
        if reply.is_web_page:
            raise BadAnswer("a web page instead of JSON")
        answer, reason = read_answer(reply.body, request_id), ""
    except BadAnswer as error:
        reason = str(error)
    if isinstance(answer, NodesError):
        reason = f"{answer.message} [{answer.code}]"
        if _is_busy(answer):
            return Failure(reason, reply.retry_after_s, is_busy=True)
    said = f"{phrase(reply.status)}: {reason}"
    if answer is None and not reply.is_web_page:
        said = phrase(reply.status)
    if reply.status >= 500 or reply.status in _WAIT:
        is_busy = reply.status == HTTPStatus.TOO_MANY_REQUESTS
        return Failure(said, reply.retry_after_s, is_busy=is_busy)
    is_good = 200 <= reply.status < 300
    if isinstance(answer, NodesError) or (is_good and answer is not None):
        return answer
    if is_good:
        return Failure(reason, reply.retry_after_s)
    if 300 <= reply.status < 400:
        said = f"{phrase(reply.status)}: redirects are not followed"
    return Failure(said.removesuffix(": "), reply.retry_after_s, is_lasting=True)


def _is_busy(error: NodesError) -> bool:
    if error.code in _BUSY_CODES:
        return True
    text = error.message.lower()
    is_reverted = error.code == _REVERTED or "revert" in text
    return not is_reverted and any(words in text for words in _BUSY_TEXTS)
