"""Explain files that are not UTF-8, or whose lines end with CR only, and give the command that converts them.

Nothing is decoded on a guess. A hint names an encoding only if the bytes distinguish it from others. For UTF-8 with a few
broken characters the hint never names another encoding: converting would break the good characters.
"""

from __future__ import annotations

import codecs
import re
import shlex
import unicodedata
from pathlib import Path

from runner.errors import RunnerError

_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_WIDTHS = ("UTF-32LE", "UTF-32BE", "UTF-16LE", "UTF-16BE")
_ONE_BYTE = ("CP1252", "MACINTOSH")  # as iconv calls them
_CODECS = {"CP1252": "cp1252", "LATIN1": "latin-1", "MACINTOSH": "mac_roman"}  # as Python calls iconv's
_MULTI_BYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH = re.compile(rb"[\x80-\xff]")
_FOREIGN = 0.5  # share of high bytes among letters above which a text is not in Latin script
_FOREIGN_RUN = re.compile(rb"[\x80-\xff]{4}")  # rare in Latin scripts
_CR_TO_LF = r"tr '\r' '\n'"
SAMPLE = 1 << 18  # bytes that an encoding is guessed from


def guess_encoding(sample: bytes) -> str | None:
    """Guess the encoding, by iconv's name, of bytes that are not valid UTF-8; None if several are possible.

    The answer is "UTF-8" for a UTF-8 text with a few broken characters.

    >>> guess_encoding("caf\\u00e9 \\u201cok\\u201d".encode("cp1252")), guess_encoding("caf\\u00e9s".encode("mac_roman"))
    ('CP1252', 'MACINTOSH')
    >>> guess_encoding("\\u041f\\u0440\\u0438\\u0432\\u0435\\u0442".encode("cp1251"))
    """
    for mark, name in _MARKS:
        if sample.startswith(mark):
            return name
    if wide := _wide(sample):
        return wide
    n_high = len(_HIGH.findall(sample))
    n_whole = len(b"".join(_MULTI_BYTE.findall(sample)))
    if n_whole > 0.7 * n_high:
        return "UTF-8"
    n_letters = n_high + len(re.findall(rb"[A-Za-z]", sample))
    if _FOREIGN_RUN.search(sample) or (n_high > _FOREIGN * n_letters and n_letters > 3):
        return None
    faults = {name: _strangeness(sample, _CODECS[name]) for name in _ONE_BYTE}
    best = min(_ONE_BYTE, key=lambda name: faults[name])
    if best == "CP1252" and not re.search(rb"[\x80-\x9f]", sample):
        return "LATIN1"
    return best


def _wide(sample: bytes) -> str | None:
    """The name of UTF-16 or UTF-32 if every other byte, or three of four bytes, are mostly zero; else None."""
    sample = sample[:4096]
    if sample.count(0) < 0.4 * len(sample) or not sample:
        return None
    share = [sample[i::4].count(0) / max(len(sample[i::4]), 1) for i in range(4)]
    zeros = [part > 0.6 for part in share]
    patterns = ([False, True, True, True], [True, True, True, False], [False, True] * 2, [True, False] * 2)
    return next((name for name, pattern in zip(_WIDTHS, patterns, strict=True) if zeros == list(pattern)), None)


def _strangeness(sample: bytes, codec: str) -> int:
    """The number of characters, decoded with `codec`, that stand where characters of their kind do not belong."""
    text = sample.decode(codec, "replace")
    n = 0
    for i, character in enumerate(text):
        if character < "\x80":
            continue
        before, after = text[i - 1 : i], text[i + 1 : i + 2]
        category = unicodedata.category(character)
        if character == "\ufffd" or category in ("Cc", "Lm"):
            n += 4
        elif category[0] == "L":
            n += character.isupper() and before.islower()  # cafŽ
        elif before.isalpha() and after.isalpha():
            n += character not in "’‘·"  # M?nchen
        elif category[0] == "P":
            n += (category in ("Pi", "Ps")) == (
                before.isalnum() and not after.isalnum()
            )  # an opening quote that closes
        else:
            n += before.isalpha() or after.isalpha()
    return n


def not_utf8(path: Path, sample: bytes, place: str, fact: str) -> RunnerError:
    """The error of a file that is not UTF-8, with the command that turns it into UTF-8. sample: its first SAMPLE bytes."""
    guess = guess_encoding(sample[:SAMPLE])
    if guess == "UTF-8":
        hint = f"The rest of the file is UTF-8: repair the line, or drop its broken bytes: {_command(path, 'UTF-8', '-c ')}"
        return RunnerError(fact, place=place, hint=hint)
    if guess is None:
        hint = "Save the file as UTF-8. Its bytes do not reveal its encoding; ask whoever made the file."
        return RunnerError(fact, place=place, hint=hint)
    return RunnerError(f"{fact}; the file looks like {guess}", place=place, hint=f"Convert it: {_command(path, guess)}")


def _command(path: Path, encoding: str, flags: str = "") -> str:
    return _into_new_file(path, "utf8", f"iconv {flags}-f {encoding} -t UTF-8")


def _into_new_file(path: Path, mark: str, command: str) -> str:
    """A shell line that pipes the file through `command` into a new file beside it: a.csv → a.utf8.csv."""
    stem, dot, suffix = path.name.removesuffix(".gz").rpartition(".")
    new = shlex.quote(str(path.with_name(f"{stem}.{mark}.{suffix}" if dot else f"{suffix}.{mark}")))
    old = shlex.quote(str(path))
    return f"zcat {old} | {command} > {new}" if path.name.endswith(".gz") else f"{command} < {old} > {new}"


def check_block(block: bytes, path: Path) -> None:
    """Raises RunnerError if the first bytes of a text file show line ends of CR only, or UTF-16 or UTF-32."""
    if 0 in block and _wide(block):
        raise not_utf8(path, block, f"{path}:1", "many bytes are zero, as in no text in UTF-8")
    if b"\r" not in block:
        return
    body = block.rstrip(b"\r\n")
    if body.count(b"\r") - body.count(b"\r\n") > body.count(b"\n"):
        raise RunnerError(
            "the lines end with CR alone (\\r, as on old Macs), so that the file reads as one line",
            place=f"{path}:1",
            hint=f"Convert them: {_into_new_file(path, 'lf', _CR_TO_LF)}",
        )


__all__ = ["check_block", "guess_encoding", "not_utf8"]
