"""Writes the fuzzer's first inputs: the faults of the tests, and messages without one.

Usage: python tests/c/make_seeds.py FOLDER
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import aggregator_fault_cases as aggregator
from fault_cases import FAULTS, LAYOUT_1, LAYOUT_2, RECORD, entry, signed, unsigned

# The first byte of an input (invariants.h): form, then settings.
FORMS = {"decode": 0, "lines": 1, "payloads": 2, "repeated": 3}
SETTINGS = (0x10, 0x14, 0x18, 0x1C, 0x30, 0x34, 0x38, 0x3C, 0x00, 0x20, 0x50, 0x90)
LEN_MAX = 4096


def good_texts() -> list[str]:
    """Valid messages in many forms."""
    payloads = [LAYOUT_1 + RECORD * n for n in (0, 1, 2, 3, 4, 5, 8, 20, 50)]
    payloads += [LAYOUT_2 + (RECORD + "01") * n for n in (0, 1, 2, 3, 7)]
    payloads += [LAYOUT_2.replace("ff020003", "ff020001") + RECORD * 2]
    texts = [form(p) for p in payloads for form in (str, "0x{}".format, signed)]
    texts += [signed("0x" + p) for p in payloads]
    texts += [
        unsigned("[]"),
        unsigned('[{"id":1,"v":"5"},{"id":65535,"v":"-5","ms":4}]'),
        unsigned('[ {"v":"0" ,"x":[{}],"id":0} ]', tax="0", ts="18446744073709551615"),
        entry(v='"-170141183460469231731687303715884105728"'),
        entry(v='"170141183460469231731687303715884105727"', x='{"y":[1.5e9,null]}'),
        signed("\\u0030x" + LAYOUT_1),
        '{ "p" : "' + LAYOUT_1 + '" , "x" : [[[]]], "type" : "signed\\u005fecdsa" } ',
    ]
    return texts


def good_lines(texts: list[str]) -> list[str]:
    """Several messages on lines, some with a receive time."""
    same = "\n".join([texts[3]] * 4)
    timed = "\n".join(f"{10**k} {text}" for k, text in enumerate(texts[:8]))
    return [same, timed, same + "\n\n" + timed + "\n"]


def as_bytes(item: object) -> bytes | None:
    """A fault's input as bytes, if it is one message of them."""
    if isinstance(item, str):
        return item.encode("utf-8", "surrogatepass")
    if isinstance(item, bytes | bytearray):
        return bytes(item)
    return None


def inputs() -> list[bytes]:
    """Every input, its settings byte first."""
    texts = good_texts()
    found = [(FORMS[kind], as_bytes(data)) for _, kind, data, _, _ in FAULTS]
    found += [(FORMS["decode"], text.encode()) for text in texts]
    found += [(FORMS["repeated"], text.encode()) for text in texts]
    found += [(FORMS["lines"], text.encode()) for text in good_lines(texts)]
    found += [(FORMS["decode"], case[1].encode()) for case in aggregator.FAULTS]
    good = aggregator.data(aggregator.entry()).encode()
    found += [(FORMS["decode"], good), (FORMS["lines"], b"7 " + good + b"\n" + good)]
    binary = [bytes.fromhex(t) for t in texts if t.startswith(LAYOUT_1[:8])]
    found += [(FORMS["payloads"], payload) for payload in binary]
    return [
        bytes([SETTINGS[i % len(SETTINGS)] | form]) + data
        for i, (form, data) in enumerate(found)
        if data is not None and len(data) < LEN_MAX
    ]


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for data in inputs():
        (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
