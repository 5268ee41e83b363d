"""Dicts into structs, with what the structs do not know kept beside."""

from __future__ import annotations

from decimal import Decimal
from operator import attrgetter
from typing import Any, Final, get_args

import msgspec

from codec.feeds.shuriken.payloads_alpha import Message, SignalSource
from codec.feeds.shuriken.payloads_base import EXTRA, TAG, Extra, Misfit, Payload
from codec.feeds.shuriken.payloads_json import LARGEST_EXPONENT as _MOST

__all__ = ["Shape", "shape_of"]

# Which field says what another one is.
_DISCRIMINATORS = {
    (SignalSource, "source"): "sourceType",
    (Message, "data"): "platform",
}
_OTHER = "other"
_shapes: dict[type[Payload], Shape] = {}


class Shape:
    """One type of payload: how its texts and dicts become structs.

    Decoding a text at once is fastest, and stops at a field that is not known. Then
    the text is read into a dict, which is sorted into what is known and what is not;
    once a payload had unknown fields, the next one of its kind begins with that.

    is_direct: whether texts can be decoded at once, which takes that no part's type
    depends on another field. has_decimals: whether it or a part has any.
    """

    __slots__ = (
        "_children",
        "_decimals",
        "_decode",
        "_get",
        "_known",
        "_surprised",
        "has_decimals",
        "is_direct",
        "type",
    )

    def __init__(self, kind: type[Payload]) -> None:
        self.type: Final = kind
        fields = [
            field
            for field in msgspec.structs.fields(kind)
            if field.encode_name != EXTRA
        ]
        self._known = frozenset(field.encode_name for field in fields)
        self._children = [
            _Child(
                field.encode_name,
                field.name,
                kinds,
                _DISCRIMINATORS.get((kind, field.name)),
            )
            for field in fields
            if (kinds := _payloads_in(field.type))
        ]
        self._decimals = [
            (field.encode_name, field.name)
            for field in fields
            if Decimal in (field.type, *get_args(field.type))
        ]
        names = [name for _, name in self._decimals]
        # With one name attrgetter would give no tuple; the check takes None.
        self._get = attrgetter(*names, *names[:1]) if names else None
        self._decode = msgspec.json.Decoder(kind).decode
        self._surprised = False
        self.is_direct: Final[bool] = all(child.is_direct for child in self._children)
        self.has_decimals: Final[bool] = bool(names) or any(
            child.has_decimals for child in self._children
        )

    def decode(self, text: str | bytes) -> Payload | None:
        """The payload, or None where it takes a closer look, by `fit`."""
        if self._surprised or not self.is_direct:
            return None
        try:
            payload: Payload = self._decode(text)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        return payload if self._is_sound(payload) else None

    def fit(self, value: dict[str, Any]) -> Payload | Misfit:
        """The payload of a JSON object."""
        sorted_out = self.sort_out(value)
        try:
            payload = msgspec.convert(sorted_out, self.type)
        except (msgspec.MsgspecError, ValueError) as error:
            return Misfit(value, f"not a {self.type.__name__}: {error}")
        path = self.find_unsound(payload, "$")
        if path is not None:
            problem = "Expected a finite number of sane size"
            return Misfit(value, f"not a {self.type.__name__}: {problem} - at `{path}`")
        self._surprised = self._has_extra(payload)
        return payload

    def sort_out(self, value: dict[str, Any]) -> dict[str, Any]:
        """With unknown fields, also of the parts, where the structs have them."""
        unknown = value.keys() - self._known
        if not unknown and not self._children:
            return value
        result = value.copy()
        if unknown:
            extra = {name: result.pop(name) for name in value if name in unknown}
            result[EXTRA] = Extra(extra)
        for child in self._children:
            part = result.get(child.wire)
            if part is not None:
                result[child.wire] = child.sort_out(part, value)
        return result

    def find_unsound(self, payload: Payload, path: str) -> str | None:
        """The path of a Decimal that is not finite or too large, or None."""
        if not self._is_sound(payload):
            for wire, name in self._decimals:
                if not _is_sane(getattr(payload, name)):
                    return f"{path}.{wire}"
        for child in self._children:
            if not child.has_decimals:
                continue
            for index, part in child.parts(payload):
                here = f"{path}.{child.wire}{index}"
                found = shape_of(type(part)).find_unsound(part, here)
                if found is not None:
                    return found
        return None

    def _has_extra(self, payload: Payload) -> bool:
        return bool(payload.extra) or any(
            part.extra for child in self._children for _, part in child.parts(payload)
        )

    def _is_sound(self, payload: Payload) -> bool:
        if self._get is not None:
            for number in self._get(payload):
                # As _is_sane, whose calls would be a fifth of the time of decoding.
                if number is not None and not (
                    number.is_finite() and -_MOST <= number.adjusted() <= _MOST
                ):
                    return False
        return True


class _Child:
    """A field that holds structs: one, a list of them, or one of several types."""

    __slots__ = ("_kinds", "_shape", "discriminator", "has_decimals", "name", "wire")

    def __init__(
        self,
        wire: str,
        name: str,
        kinds: list[type[Payload]],
        discriminator: str | None,
    ) -> None:
        self.wire = wire
        self.name = name
        self.discriminator = discriminator
        self._shape = shape_of(kinds[0])
        self.has_decimals = any(shape_of(kind).has_decimals for kind in kinds)
        self._kinds = {str(kind.__struct_config__.tag): kind for kind in kinds}

    @property
    def is_direct(self) -> bool:
        return self.discriminator is None and self._shape.is_direct

    def parts(self, payload: Payload) -> list[tuple[str, Payload]]:
        """The structs, each with its index as paths have it."""
        part = getattr(payload, self.name)
        if isinstance(part, list):
            return [(f"[{place}]", item) for place, item in enumerate(part)]
        return [] if part is None else [("", part)]

    def sort_out(self, part: Any, parent: dict[str, Any]) -> Any:
        if isinstance(part, list):
            return [self.sort_out(item, parent) for item in part]
        if not isinstance(part, dict):
            return part  # which the conversion refuses, with its path
        if self.discriminator is None:
            return self._shape.sort_out(part)
        tag = parent.get(self.discriminator)
        if not isinstance(tag, str) or tag not in self._kinds:
            tag = _OTHER
        return {**shape_of(self._kinds[tag]).sort_out(part), TAG: tag}


def shape_of(kind: type[Payload]) -> Shape:
    """The one shape of a type."""
    shape = _shapes.get(kind)
    if shape is None:
        shape = _shapes[kind] = Shape(kind)
    return shape


def _is_sane(number: Decimal | None) -> bool:
    return number is None or (
        number.is_finite() and -_MOST <= number.adjusted() <= _MOST
    )


def _payloads_in(kind: Any) -> list[type[Payload]]:
    if isinstance(kind, type) and issubclass(kind, Payload):
        return [kind]
    return [found for part in get_args(kind) for found in _payloads_in(part)]
