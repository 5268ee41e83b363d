"""Where the live commands' log goes, and in which form."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager, suppress
from logging.handlers import QueueHandler, QueueListener
from queue import Full, Queue
from typing import TYPE_CHECKING

from codec.cli.text import printable
from codec.feeds.events import Event, State
from codec.feeds.logs import JsonFormatter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codec.cli.live import LiveOptions

__all__ = ["logging_to"]

_LOGGERS = ("codec.feeds", "codec.recording", "codec.chain", "codec.keyfiles")
_MAX_WAITING = 10_000


class _TextFormatter(logging.Formatter):
    """Time (UTC), level, text; nothing in it that a terminal would obey."""

    def format(self, record: logging.LogRecord) -> str:
        text = printable(record.getMessage().encode("utf-8", "backslashreplace"))
        line = f"{_clock(record)} {record.levelname.lower()} {text}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def _clock(record: logging.LogRecord) -> str:
    moment = time.gmtime(record.created)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', moment)}.{int(record.msecs):03}Z"


def _is_not_the_end(record: logging.LogRecord) -> bool:
    """False for what ends the command, which says it itself."""
    event = getattr(record, "event", None)
    return not (isinstance(event, Event) and event.data.get("state") == State.FAILED)


class _Aside(QueueHandler):
    """Hands records over as they are; what finds no place is given up, so that a
    terminal that takes nothing more does not hold the feed up."""

    queue: Queue[logging.LogRecord]

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        with suppress(Full):
            self.queue.put_nowait(record)


@contextmanager
def logging_to(options: LiveOptions, standard: logging.Handler) -> Iterator[None]:
    """Logs what feeds, recorders and chains log: to the options' file, else to the
    handler given. Raises OSError where the file cannot be had."""
    handler = standard
    if options.log_file is not None:
        handler = logging.FileHandler(options.log_file, encoding="utf-8")
    elif options.log_format == "text" and not options.second_url:
        handler.addFilter(_is_not_the_end)
    is_json = options.log_format == "json"
    handler.setFormatter(JsonFormatter() if is_json else _TextFormatter())
    level = options.log_level.upper()
    levels = dict.fromkeys(_LOGGERS, level)
    if level != "DEBUG":
        levels["codec.feeds.socket"] = "WARNING"  # its INFO is for debugging
    aside = _Aside(Queue(_MAX_WAITING))
    listener = QueueListener(aside.queue, handler)
    before = {name: logging.getLogger(name).level for name in levels}
    for name in levels:
        logging.getLogger(name).setLevel(levels[name])
    for name in _LOGGERS:
        logging.getLogger(name).addHandler(aside)
    listener.start()
    try:
        yield
    finally:
        for name in _LOGGERS:
            logging.getLogger(name).removeHandler(aside)
        for name in before:
            logging.getLogger(name).setLevel(before[name])
        listener.stop()
        handler.close()
