"""Find signs that a text was read in the wrong encoding or damaged.

The signs are replacement characters, byte order marks inside the text, control characters, lone surrogates, and mojibake: UTF-8
that was read as cp1252 or latin-1, which turns é into Ã©. Nothing is repaired; plausible letters (Ärger, São) do not count.
"""

from __future__ import annotations

import re
import unicodedata

FAULTS: dict[str, re.Pattern[str]] = {
    "replacement characters": re.compile("\ufffd"),
    "byte order marks": re.compile("\ufeff"),
    "control characters": re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"),
    "lone surrogates": re.compile("[\ud800-\udfff]"),
}
# A lead byte of UTF-8, read as cp1252 or latin-1, and the continuation bytes that it requires.
_CP1252 = "".join(chr(b) if (c := bytes([b]).decode("cp1252", "ignore")) == "" else c for b in range(0x80, 0xC0))
_CONTINUES = "[\u0080-\u00bf" + re.escape("".join(c for c in _CP1252 if ord(c) > 0xFF)) + "]"
_MOJIBAKE = re.compile(f"[\u00c2-\u00df]{_CONTINUES}|[\u00e0-\u00ef]{_CONTINUES}{{2}}|[\u00f0-\u00f4]{_CONTINUES}{{3}}")


def mojibake(text: str) -> list[str]:
    """The pieces of text that are UTF-8 read as cp1252 or latin-1.

    >>> mojibake("cafÃ© and itâ€™s, but Ärger, São and Âge are fine")
    ['Ã©', 'â€™']
    """
    if text.isascii():
        return []
    return [piece for piece in _MOJIBAKE.findall(text) if _as_utf8(piece)]


def _as_utf8(piece: str) -> str | None:
    """The character that `piece` is in UTF-8; None if the piece may be meant as it stands."""
    raw = bytearray()
    for character in piece:
        try:
            raw += character.encode("cp1252")
        except UnicodeEncodeError:
            if ord(character) > 0xFF:
                return None
            raw.append(ord(character))
    try:
        meant = raw.decode("utf8")
    except UnicodeDecodeError:
        return None
    return meant if len(meant) == 1 and unicodedata.category(meant)[0] != "C" else None


def encoding_faults(text: str) -> dict[str, int]:
    """Count the signs of a damaged encoding in a text: name of the sign → number.

    >>> encoding_faults("na\\ufffdve cafÃ©")
    {'replacement characters': 1, 'mojibake': 1}
    """
    if text.isascii() and text.isprintable():
        return {}
    counts = {name: len(pattern.findall(text)) for name, pattern in FAULTS.items()}
    counts["mojibake"] = len(mojibake(text))
    return {name: n for name, n in counts.items() if n}
