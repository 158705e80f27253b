"""Files that are not UTF-8, or whose lines end with CR alone: what the bytes look like, and the command that mends them.

Nothing is decoded on a guess. A hint names an encoding only where the bytes tell it from the others; a file that is UTF-8
but for some broken characters is never sent through another encoding, which would break the good ones.
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
_FOREIGN = 0.5  # share of high bytes among letters from which a text is of no Latin script
_FOREIGN_RUN = re.compile(rb"[\x80-\xff]{4}")  # which Latin scripts hardly have
_CR_TO_LF = r"tr '\r' '\n'"
SAMPLE = 1 << 18  # bytes that an encoding is guessed from


def guess_encoding(sample: bytes) -> str | None:
    """The encoding that bytes which are not UTF-8 look like, as iconv calls it; None where they could be of several.

    "UTF-8" is returned for a text in UTF-8 with a few broken characters.

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
    """UTF-16 or UTF-32 without a mark: every other byte, or three of four, are mostly zero."""
    sample = sample[:4096]
    if sample.count(0) < 0.4 * len(sample) or not sample:
        return None
    share = [sample[i::4].count(0) / max(len(sample[i::4]), 1) for i in range(4)]
    zeros = [part > 0.6 for part in share]
    patterns = ([False, True, True, True], [True, True, True, False], [False, True] * 2, [True, False] * 2)
    return next((name for name, pattern in zip(_WIDTHS, patterns, strict=True) if zeros == list(pattern)), None)


def _strangeness(sample: bytes, codec: str) -> int:
    """How often a character stands where none of its kind should, with the bytes read in this encoding."""
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
        hint = f"The rest of the file is UTF-8: mend the line, or drop what is broken: {_command(path, 'UTF-8', '-c ')}"
        return RunnerError(fact, place=place, hint=hint)
    if guess is None:
        hint = "Save the file as UTF-8. Its encoding cannot be told from its bytes; ask where it comes from."
        return RunnerError(fact, place=place, hint=hint)
    return RunnerError(f"{fact}; the file looks like {guess}", place=place, hint=f"Turn it: {_command(path, guess)}")


def _command(path: Path, encoding: str, flags: str = "") -> str:
    return _into_new_file(path, "utf8", f"iconv {flags}-f {encoding} -t UTF-8")


def _into_new_file(path: Path, mark: str, command: str) -> str:
    """A line for the shell that sends the file through a command, into a new file beside it: a.csv → a.utf8.csv."""
    stem, dot, suffix = path.name.removesuffix(".gz").rpartition(".")
    new = shlex.quote(str(path.with_name(f"{stem}.{mark}.{suffix}" if dot else f"{suffix}.{mark}")))
    old = shlex.quote(str(path))
    return f"zcat {old} | {command} > {new}" if path.name.endswith(".gz") else f"{command} < {old} > {new}"


def check_block(block: bytes, path: Path) -> None:
    """Look at the first bytes of a text file. Raises RunnerError for line ends of CR alone, and wide characters."""
    if 0 in block and _wide(block):
        raise not_utf8(path, block, f"{path}:1", "many bytes are zero, as in no text in UTF-8")
    if b"\r" not in block:
        return
    body = block.rstrip(b"\r\n")
    if body.count(b"\r") - body.count(b"\r\n") > body.count(b"\n"):
        raise RunnerError(
            "the lines end with CR alone (\\r, as on old Macs), so that the file reads as one line",
            place=f"{path}:1",
            hint=f"Turn them: {_into_new_file(path, 'lf', _CR_TO_LF)}",
        )


__all__ = ["check_block", "guess_encoding", "not_utf8"]
