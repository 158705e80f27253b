"""Token patterns: rules that find phrases in docs, in the subset of spaCy's JSON patterns written down here.

    {"label": "ORG", "pattern": [{"LOWER": "acme"}, {"LOWER": {"IN": ["corp", "inc"]}, "OP": "?"}]}
    {"label": "GPE", "pattern": "New York"}

Each line is a JSON object. `pattern` lists one object a token, or is a text whose tokens must match exactly, in order.
`confidence` (0 to 1, default 1) and `id` are optional. A token must fulfil all keys of its object; `{}` fits any token:

    ORTH, TEXT      the word                     IS_ALPHA, IS_ASCII, IS_DIGIT, IS_LOWER, IS_UPPER, IS_TITLE,
    LOWER           … in lower case              IS_PUNCT, LIKE_NUM: true or false
    SHAPE           … as "Xxxxx", "dd", "XdXX"   LENGTH: characters
    OP              "!" one token that does not fit, "?" none or one, "+" one or more, "*" any number, "{2}", "{2,}", "{1,3}"

A text key takes a string, {"IN": […]}, {"NOT_IN": […]} or {"REGEX": "…"} (found anywhere in the text); LENGTH takes a
number or {"==", "!=", ">=", "<=", ">", "<": number}. As in spaCy's Matcher, shorter matches count too; proposals.py
chooses among matches. Other token attributes (tags, lemmas, extensions) and FUZZY raise an error.

Patterns may come from strangers, so limits bound the work: MAX_PATTERN tokens a pattern, MAX_REGEX characters a regular
expression, MAX_SPAN tokens a match. A regular expression sees the first MAX_WORD characters of a word. More than
REGEX_SECONDS over a word raises an error that names the expression. LIKE_NUM knows English number words.
"""

from __future__ import annotations

import operator
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import regex

from runner.corpus.doc import Doc
from runner.corpus.lexemes import shape
from runner.corpus.readers.jsonl import parse
from runner.corpus.readers.lines import read_lines
from runner.corpus.tokenizer import Tokenizer
from runner.errors import RunnerError, suggest

MAX_PATTERN = 64
MAX_REGEX = 200
MAX_WORD = 200
MAX_SPAN = 100
REGEX_SECONDS = 0.25

Test = Callable[[str], bool]

_NUMBER_WORDS = frozenset(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion trillion "
    "quadrillion gajillion bazillion "
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth thirtieth fortieth fiftieth sixtieth seventieth eightieth "
    "ninetieth hundredth thousandth millionth billionth trillionth quadrillionth gajillionth bazillionth".split()
)


def like_num(word: str) -> bool:
    """Whether a word means a number, in digits or in English.

    >>> [like_num(word) for word in ("10,000", "-3.5", "1/2", "Seven", "21st", "no", "1-2")]
    [True, True, True, True, True, False, False]
    """
    if word.startswith(("+", "-", "±", "~")):
        word = word[1:]
    digits = word.replace(",", "").replace(".", "")
    if digits.isdigit():
        return True
    above, bar, below = digits.partition("/")
    if bar and above.isdigit() and below.isdigit():
        return True
    lower = digits.lower()
    return lower in _NUMBER_WORDS or (lower.endswith(("st", "nd", "rd", "th")) and lower[:-2].isdigit())


def is_punct(word: str) -> bool:
    return all(unicodedata.category(character)[0] == "P" for character in word)


TEXTS: dict[str, Callable[[str], str]] = {
    "ORTH": str,
    "TEXT": str,
    "LOWER": str.lower,
    "SHAPE": lambda word: shape(word) if len(word) < 100 else "LONG",  # as in spaCy
}
FLAGS: dict[str, Test] = {
    "IS_ALPHA": str.isalpha,
    "IS_ASCII": str.isascii,
    "IS_DIGIT": str.isdigit,
    "IS_LOWER": str.islower,
    "IS_UPPER": str.isupper,
    "IS_TITLE": str.istitle,
    "IS_PUNCT": is_punct,
    "LIKE_NUM": like_num,
}
COMPARISONS: dict[str, Callable[[int, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt,
}  # fmt: skip
KNOWN = (*TEXTS, *FLAGS, "LENGTH", "OP")


class Element:
    """One token's object of a pattern, with a cache of tested words.

    least, most: how many fitting tokens in a row; most None: any number.
    """

    def __init__(self, tests: Sequence[Test], least: int = 1, most: int | None = 1, *, negated: bool = False) -> None:
        self.tests = tests
        self.least = least
        self.most = most
        self.negated = negated
        self._fits: dict[str, bool] = {}

    def fits(self, word: str) -> bool:
        known = self._fits.get(word)
        if known is None:
            if len(self._fits) > 100_000:
                self._fits.clear()
            known = self._fits[word] = all(test(word) for test in self.tests) != self.negated
        return known


@dataclass(frozen=True)
class Pattern:
    """A label and its phrase's elements."""

    label: str
    elements: tuple[Element, ...]
    confidence: float = 1.0
    id: str | None = None
    first: tuple[str, frozenset[str]] | None = field(
        default=None, compare=False
    )  # (ORTH or LOWER, possible first words)

    def ends(self, words: Sequence[str], start: int) -> list[int]:
        """The ends (exclusive) of matches that begin at `start`, in order; no match is empty."""
        limit = min(len(words), start + MAX_SPAN)
        reached = {start}
        for element in self.elements:
            further: set[int] = set()
            for position in sorted(reached):
                count = 0
                if element.least == 0:
                    further.add(position)
                while position < limit and (element.most is None or count < element.most):
                    if not element.fits(words[position]):
                        break
                    position, count = position + 1, count + 1
                    if count >= element.least:
                        if element.most is None and position in further and count > element.least:
                            break  # an earlier position went on from here
                        further.add(position)
            reached = further
            if not reached:
                return []
        return sorted(reached - {start})


class Matcher:
    """Match many patterns. Patterns with a fixed first word are looked up by word."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self.patterns = list(patterns)
        self._by_word: dict[str, dict[str, list[Pattern]]] = {"ORTH": {}, "LOWER": {}}
        self._others: list[Pattern] = []
        for pattern in self.patterns:
            if pattern.first is None:
                self._others.append(pattern)
            else:
                kind, words = pattern.first
                for word in words:
                    self._by_word[kind].setdefault(word, []).append(pattern)

    def __call__(self, doc: Doc) -> Iterator[tuple[int, int, Pattern]]:
        """Yield (start, end, pattern) of each match, by start."""
        for start, word in enumerate(doc.words):
            orth, lower = self._by_word["ORTH"].get(word, ()), self._by_word["LOWER"].get(word.lower(), ())
            for patterns in (orth, lower, self._others):
                for pattern in patterns:
                    for end in pattern.ends(doc.words, start):
                        yield start, end, pattern


def read_patterns(path: Path, tokenizer: Tokenizer) -> list[Pattern]:
    """The patterns of a JSON lines file. Raises RunnerError at a wrong line."""
    patterns = []
    for number, line in read_lines(path):
        if line and not line.isspace():
            place = f"{path}:{number}"
            patterns.append(make_pattern(parse(line, place), tokenizer, place))
    if not patterns:
        raise RunnerError("there are no patterns in the file", place=str(path), hint="Write one JSON object a line.")
    return patterns


def make_pattern(record: Mapping[str, Any], tokenizer: Tokenizer, place: str | None = None) -> Pattern:
    """The Pattern of a JSON object. tokenizer: splits phrases. Raises RunnerError."""
    hint = 'A pattern is {"label": "ORG", "pattern": [{"LOWER": "acme"}]} or {"label": "ORG", "pattern": "Acme Corp"}.'
    for key in record:
        if key not in ("label", "pattern", "confidence", "id"):
            raise RunnerError(f"there is no key {key!r} in a pattern", place=place, hint=hint)
    label, tokens, confidence = record.get("label"), record.get("pattern"), record.get("confidence", 1.0)
    if not isinstance(label, str) or not label.strip():
        raise RunnerError("the pattern has no label", place=place, hint=hint)
    if isinstance(confidence, bool) or not isinstance(confidence, (int, float)) or not 0 <= confidence <= 1:
        raise RunnerError(f"confidence is {confidence!r}", place=place, hint="Give a number from 0 to 1.")
    if isinstance(tokens, str):
        tokens = [{"ORTH": word} for word in tokenizer(tokens)[0]]
    if not isinstance(tokens, list) or not tokens:
        raise RunnerError("the pattern holds no tokens", place=place, hint=hint)
    if len(tokens) > MAX_PATTERN:
        raise RunnerError(
            f"the pattern has {len(tokens)} tokens", place=place, hint=f"At most {MAX_PATTERN} are taken."
        )
    elements = tuple(_element(token, f"token {i}", place) for i, token in enumerate(tokens))
    return Pattern(label, elements, float(confidence), _optional_text(record.get("id"), place), _first(tokens[0]))


def _optional_text(value: Any, place: str | None) -> str | None:
    if value is not None and not isinstance(value, str):
        raise RunnerError("the pattern's id is no text", place=place, hint="Quote it.")
    return value


def _first(token: Mapping[str, Any]) -> tuple[str, frozenset[str]] | None:
    """(ORTH or LOWER, possible first words) by a pattern's first object, or None."""
    given = {str(key).upper(): value for key, value in token.items()}
    if given.get("OP", "1") not in ("1", "+"):
        return None
    for key, kind in (("ORTH", "ORTH"), ("TEXT", "ORTH"), ("LOWER", "LOWER")):
        value = given.get(key)
        if isinstance(value, str):
            return kind, frozenset([value])
        if isinstance(value, Mapping) and list(value) == ["IN"]:
            return kind, frozenset(value["IN"])
    return None


def _element(token: Any, name: str, place: str | None) -> Element:
    if not isinstance(token, Mapping):
        raise RunnerError(f"{name} of the pattern is no object", place=place, hint='Write {"LOWER": "acme"}.')
    tests: list[Test] = []
    least, most, negated = 1, 1, False
    for given, value in token.items():
        key = given.upper()
        if key == "OP":
            least, most, negated = _operator(value, name, place)
        elif key in TEXTS:
            tests.append(_text_test(TEXTS[key], value, f"{name}, {given}", place))
        elif key in FLAGS:
            if not isinstance(value, bool):
                raise RunnerError(f"{name}, {given} is {value!r}", place=place, hint="Give true or false.")
            tests.append(_flag_test(FLAGS[key], wanted=value))
        elif key == "LENGTH":
            tests.append(_length_test(value, f"{name}, {given}", place))
        else:
            raise RunnerError(f"{name} has an unknown key {given!r}; {suggest(key, KNOWN)}", place=place)
    return Element(tests, least, most, negated=negated)


def _operator(value: Any, name: str, place: str | None) -> tuple[int, Any, bool]:
    """(least, most, negated)."""
    known: dict[Any, tuple[int, int | None, bool]] = {
        "1": (1, 1, False), "!": (1, 1, True), "?": (0, 1, False), "+": (1, None, False), "*": (0, None, False),
    }  # fmt: skip
    if isinstance(value, str):
        if value in known:
            return known[value]
        counted = re.fullmatch(r"\{(\d{1,3})?(,)?(\d{1,3})?\}", value)
        if counted and (counted[1] or counted[3]):
            least = int(counted[1] or 0)
            most = least if not counted[2] else int(counted[3]) if counted[3] else None
            if most is None or most >= least:
                return least, most, False
    raise RunnerError(f"{name}, OP is {value!r}; known: !, ?, +, *, {{n}}, {{n,m}}", place=place)


def _text_test(of: Callable[[str], str], value: Any, name: str, place: str | None) -> Test:
    if isinstance(value, str):
        return lambda word: of(word) == value
    if not isinstance(value, Mapping) or not value:
        hint = 'Give a text, {"IN": […]}, {"NOT_IN": […]} or {"REGEX": "…"}.'
        raise RunnerError(f"{name} is {value!r}", place=place, hint=hint)
    tests: list[Test] = []
    for key, wanted in value.items():
        if key in ("IN", "NOT_IN"):
            if not isinstance(wanted, list) or not all(isinstance(item, str) for item in wanted):
                raise RunnerError(f"{name}, {key} is no list of texts", place=place, hint='Write ["acme", "initech"].')
            tests.append(_in_test(of, frozenset(wanted), is_in=key == "IN"))
        elif key == "REGEX":
            tests.append(_regex_test(of, wanted, name, place))
        else:
            raise RunnerError(f"{name} has an unknown key {key!r} (known: IN, NOT_IN, REGEX)", place=place)
    return tests[0] if len(tests) == 1 else lambda word: all(test(word) for test in tests)


def _in_test(of: Callable[[str], str], wanted: frozenset[str], *, is_in: bool) -> Test:
    return lambda word: (of(word) in wanted) == is_in


def _flag_test(flag: Test, *, wanted: bool) -> Test:
    return lambda word: flag(word) == wanted


def _length_test(value: Any, name: str, place: str | None) -> Test:
    wanted = {"==": value} if isinstance(value, int) else value
    if not isinstance(wanted, Mapping) or not wanted:
        raise RunnerError(f"{name} is {value!r}", place=place, hint='Give a number, or {">=": 3}.')
    for key, number in wanted.items():
        if key not in COMPARISONS or isinstance(number, bool) or not isinstance(number, int):
            fact = f"{name} has {key!r}: {number!r} (known: {', '.join(COMPARISONS)}, each with a whole number)"
            raise RunnerError(fact, place=place)
    pairs = [(COMPARISONS[key], number) for key, number in wanted.items()]
    return lambda word: all(compare(len(word), number) for compare, number in pairs)


def _regex_test(of: Callable[[str], str], expression: Any, name: str, place: str | None) -> Test:
    if not isinstance(expression, str) or len(expression) > MAX_REGEX:
        hint = f"Give a text of at most {MAX_REGEX} characters."
        raise RunnerError(f"{name}, REGEX is no short text", place=place, hint=hint)
    try:
        compiled = regex.compile(expression)
    except (regex.error, RecursionError, OverflowError, MemoryError) as error:
        raise RunnerError(f"{name}, REGEX {expression!r} is no regular expression ({error})", place=place) from None

    def test(word: str) -> bool:
        try:
            return compiled.search(of(word)[:MAX_WORD], timeout=REGEX_SECONDS) is not None
        except (TimeoutError, MemoryError):
            raise RunnerError(
                f"{name}, REGEX {expression!r} takes too long over {word[:30]!r}",
                place=place,
                hint="Repetition inside repetition, as in (a+)+, is the usual reason; write it without.",
            ) from None

    return test
