"""YAML with places: each value read by its own rule, and all faults collected."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from codec.errors import CodecError, MissingDependencyError, PushConfigError

try:
    import yaml
except ModuleNotFoundError as error:
    raise MissingDependencyError(
        "configurations need the package PyYAML: pip install 'stork-codec[chain]'"
    ) from error

if TYPE_CHECKING:
    from yaml.nodes import Node

__all__ = ["Place", "Reader", "SecretSource", "Section"]

T = TypeVar("T")
_MAX_LEN = 1 << 20
_LIKE_A_KEY = re.compile(r"[0-9a-fA-F]{64}")
_KINDS = {"MappingNode": "keys with values", "SequenceNode": "a list"}


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where a secret is: in an environment variable, or in a file of its own."""

    env: str | None = None
    file: Path | None = None

    def __str__(self) -> str:
        return f"the environment's {self.env}" if self.env else str(self.file)

    def read(self) -> str:
        """The secret of this moment. Raises OSError, or ValueError where there is
        none; neither holds a part of it."""
        if self.env is not None:
            text = os.environ.get(self.env, "")
        else:
            assert self.file is not None
            try:
                text = self.file.read_text("utf-8")
            except UnicodeDecodeError:
                raise ValueError(f"{self} is no text") from None
        if not text.strip():
            raise ValueError(f"{self} is {'not set' if self.env else 'empty'}")
        return text.strip()


class Reader:
    """A YAML file. All scalars are texts here: what they mean says who reads them, so
    that addresses stay addresses, and 0.1 a tenth.

    root: the file's keys. faults: what was found so far, with line numbers.
    Raises PushConfigError for what is no YAML at all, OSError where there is no file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.faults: dict[tuple[int, str], None] = {}
        data = path.read_bytes()
        try:
            if len(data) > _MAX_LEN:
                raise ValueError("is larger than a MiB")
            node = yaml.compose(data.decode("utf-8"), Loader=yaml.BaseLoader)
        except UnicodeDecodeError:
            raise PushConfigError([f"{path}: is not UTF-8"]) from None
        except (ValueError, RecursionError) as error:
            raise PushConfigError([f"{path}: {error}"]) from None
        except yaml.YAMLError as error:
            raise PushConfigError([f"{path}: {_yaml_fault(error)}"]) from None
        self.root = Place(self, node, "")

    def fault(self, node: Node | None, place: str, what: str) -> None:
        """Notes a fault, once."""
        line = 0 if node is None else node.start_mark.line + 1
        text = f"{place}: {what}" if place else what
        shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
        self.faults[line, shown] = None

    def check(self) -> None:
        """Raises PushConfigError with all faults, in the file's order."""
        if self.faults:
            raise PushConfigError(
                f"{self.path}: line {line}: {text}" if line else f"{self.path}: {text}"
                for line, text in sorted(self.faults, key=lambda fault: fault[0])
            )


@dataclass(frozen=True, slots=True)
class Place:
    """A value of the file. name: how it is called in faults, rules[0].change."""

    reader: Reader
    node: Node | None
    name: str

    def fault(self, what: str) -> None:
        """Notes what is wrong here."""
        self.reader.fault(self.node, self.name, what)

    @property
    def text(self) -> str | None:
        """The scalar, None where it is none."""
        if isinstance(self.node, yaml.ScalarNode):
            return str(self.node.value)
        return None

    def read(self, parse: Callable[[str], T]) -> T | None:
        """What a function makes of the scalar; None, with a fault, where it is none or
        the function raises ValueError, OSError or a CodecError."""
        text = self.text
        if text is None:
            found = _KINDS[type(self.node).__name__]
            self.fault(f"a single value is needed, not {found}")
        elif not text:
            self.fault("has no value")
        else:
            return self.made(lambda: parse(text))
        return None

    def made(self, make: Callable[[], T]) -> T | None:
        """What a function gives; None, with a fault, where it raises ValueError,
        TypeError, OSError or a CodecError."""
        try:
            return make()
        except (ValueError, TypeError, OSError, CodecError) as error:
            self.fault(_os_text(error))
        return None

    def items(self) -> list[Place]:
        """The values of a list; what is no list is one value."""
        if not isinstance(self.node, yaml.SequenceNode):
            return [self]
        return [
            Place(self.reader, node, f"{self.name}[{i}]")
            for i, node in enumerate(self.node.value)
        ]

    @property
    def is_list(self) -> bool:
        """Whether it is a list."""
        return isinstance(self.node, yaml.SequenceNode)

    def section(self, *keys: str, required: Sequence[str] = ()) -> Section:
        """Its keys, of which there are no others than these."""
        result = Section(self)
        if not isinstance(self.node, yaml.MappingNode):
            if self.node is None:
                self.fault("is empty")
            else:
                self.fault(f"keys with values are needed: {', '.join(keys)}")
            return result
        for name, place in self.pairs():
            if name not in keys:
                place.fault(f"there is no such key{_hint(name, keys)}")
            else:
                result.places[name] = place
        for name in required:
            if name not in result.places:
                self.fault(f"{name} is missing")
        return result

    def pairs(self) -> Iterator[tuple[str, Place]]:
        """The keys and their values; a key that stands twice is a fault."""
        if not isinstance(self.node, yaml.MappingNode):
            return
        seen = set()
        for key, value in self.node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name is None:
                self.reader.fault(key, self.name, "a key must be a single value")
                continue
            shown = name if len(name) <= 50 else f"{name[:47]}..."
            full = f"{self.name}.{shown}" if self.name else shown
            if name in seen:
                self.reader.fault(key, full, "stands here twice")
                continue
            seen.add(name)
            yield name, Place(self.reader, value, full)

    def secret(self) -> SecretSource | None:
        """Where a secret is. One that is written here is a fault, and not shown."""
        if not isinstance(self.node, yaml.MappingNode):
            self.fault("secrets are not written here: {env: NAME} or {file: PATH}")
            return None
        section = self.section("env", "file")
        if len(section.places) != 1:
            self.fault("either env or file is needed")
            return None
        env, file = section.read("env"), section.read("file", self.path)
        if env is None and file is None:
            return None
        if _LIKE_A_KEY.search(env or str(file)):
            self.fault("the name of a variable or a file is needed, not a key")
            return None
        source = SecretSource(env, file)
        try:
            source.read()
        except (ValueError, OSError) as error:
            self.fault(_os_text(error))
            return None
        return source

    def path(self, text: str) -> Path:
        """A file's path, counted from the configuration's folder."""
        return self.reader.path.parent / text


@dataclass(frozen=True, slots=True)
class Section:
    """The keys of a mapping that are known."""

    place: Place
    places: dict[str, Place] = field(default_factory=dict)

    def __contains__(self, key: str) -> bool:
        return key in self.places

    def read(self, key: str, parse: Callable[[str], T] = str) -> T | None:  # type: ignore[assignment]
        """A key's scalar, as `Place.read`; None where the key is not there."""
        return self.places[key].read(parse) if key in self.places else None

    def items(self, key: str, *, needed: bool = False) -> list[Place]:
        """A key's values, one or a list of them; none where it is not there. needed: a
        list without any is a fault."""
        if key not in self.places:
            return []
        items = self.places[key].items()
        if needed and not items:
            self.places[key].fault("is empty")
        return items

    def secret(self, key: str) -> SecretSource | None:
        """Where a key's secret is."""
        return self.places[key].secret() if key in self.places else None


def _hint(name: str, keys: Sequence[str]) -> str:
    close = get_close_matches(name.replace("-", "_").casefold(), keys, 1)
    if close:
        return f"; is it {close[0]}?"
    return f"; there are {', '.join(keys)}"


def _yaml_fault(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or "cannot be read"
    return f"is no YAML: {what}" if mark is None else f"line {mark.line + 1}: {what}"


def _os_text(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)
