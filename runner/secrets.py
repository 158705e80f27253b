"""Masks passwords in texts: every text that leaves the process goes through `masked` or `masked_all`.

    masked("postgresql://ada:pa55@db/runs")        postgresql://***@db/runs
    masked("https://host/a.csv?token=abc&n=3")     https://host/a.csv?token=***&n=3
    masked("+reader.api_key=abc")                  +reader.api_key=***

The password of an address is masked anywhere in a text. A password may also stand alone, for example where a library quotes
it in an error: passwords that are known (from the command line, the config and the environment, see `learn`) are masked
anywhere too. An expression such as `${oc.env:TOKEN}` is no secret and stays.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote

MASK = "***"

# Schemes whose user name is no secret; in other addresses, a token may stand in its place.
_NAMED_USERS = ("postgresql", "postgres", "mysql", "mariadb", "mssql", "oracle", "ssh", "sftp", "git")
_NO_USERS = ("sqlite", "file")
_SHORTEST = 6  # characters of a password that is masked even where it stands alone
_SHORTEST_WORD = 12  # the same for a password of small letters alone: "mlflow" is a word of our own texts

_WORDS = r"(?:ssl)?pass(?:word|wd|phrase)?|pwd|secret|credentials?|(?:api|access|private|secret|account)[_-]?key"
_TOKEN = r"(?:(?:api|access|auth|bearer|hf|id|refresh|security|session)[_-])?token"  # and not pad_token
_NAME = re.compile(rf"(?:^|[_.\-])(?:{_WORDS})$|(?:^|\.){_TOKEN}$", re.IGNORECASE)
_VARIABLE = re.compile(r"(?:^|_)(?:TOKEN|PAT)$")
_QUERY_NAME = re.compile(rf"{_WORDS}|token|^sig$|signature|^(auth|key|code|odbc_connect)$|credential", re.IGNORECASE)
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://([^\s'\"<>\\`]+)")
_WHOLE = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://(\S.*)", re.DOTALL)  # a value that is an address as a whole
_ENCODED = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*%3A%2F%2F)[^\s'\"<>/?#&]+?(%40)", re.IGNORECASE)
_ASSIGNED = re.compile(
    rf"((?<![\w%])(?:(?:[\w+.\-]*[_.\-+])?(?:{_WORDS})|(?:[\w+.\-]*[.+])?{_TOKEN})=)(?!\$\{{|\*\*\*)[^\s'\",;&|)}}\]]+",
    re.IGNORECASE,
)
_FLOW = re.compile(
    rf"(\b(?:(?:\w+_)?(?:{_WORDS})|{_TOKEN})\s*:\s*)(?!\$\{{)('[^']*'|\"[^\"]*\"|[^\s,}}]+)", re.IGNORECASE
)
_QUERY = re.compile(r"([?&;#])([^=&;#?]*)=([^&]*)")
_EXPRESSION = re.compile(r"\$\{[^{}]*\}")
_MASKED = re.compile(r"://\*\*\*@|[?&;#][^=&;#?]*=\*\*\*(?=$|[&\s])|^\*\*\*$")

_known: dict[str, None] = {}  # secrets to be masked anywhere, the longest first


def masked(text: str) -> str:
    """Mask the passwords of addresses, of `password=…`, and all known passwords in a text.

    >>> masked("cannot reach http://me:pa55@host:5000/x, tried twice")
    'cannot reach http://***@host:5000/x, tried twice'
    """
    for secret in _known:
        if secret in text:
            text = text.replace(secret, MASK)
    if "://" in text:
        text = _ADDRESS.sub(_without_userinfo, text)
    if "%" in text:
        text = _ENCODED.sub(rf"\1{MASK}\2", text)
    return _ASSIGNED.sub(rf"\1{MASK}", text) if "=" in text else text


def masked_word(word: str) -> str:
    """Mask the secret in a word of the command line, `key=value`.

    >>> masked_word("+corpus.reader={type: mine, token: abc}")
    '+corpus.reader={type: mine, token: ***}'
    """
    key, equals, value = word.partition("=")
    if equals and value and is_secret_name(key.lstrip("+~")) and not _is_expression(value):
        return f"{key}={MASK}"
    return masked(_FLOW.sub(rf"\1{MASK}", word))


def masked_all(value: Any) -> Any:
    """Mask all texts of nested plain values; a text under a key such as `api_key` is masked as a whole."""
    if isinstance(value, str):
        whole = _WHOLE.fullmatch(value)
        return masked(_without_userinfo(whole) if whole else value)
    if isinstance(value, Mapping):
        return {
            key: MASK
            if isinstance(inner, str) and inner and is_secret_name(str(key)) and not _is_expression(inner)
            else masked_all(inner)
            for key, inner in value.items()
        }
    return [masked_all(inner) for inner in value] if isinstance(value, list | tuple) else value


def is_masked(text: str) -> bool:
    """Whether the text holds the mask of a secret."""
    return _MASKED.search(text) is not None


def is_secret_name(name: str) -> bool:
    """Whether a key or a variable of that name holds a secret: `API_TOKEN`, `corpus.reader.password`."""
    return _NAME.search(name) is not None or _VARIABLE.search(name) is not None


def learn(*values: Any) -> None:
    """Remember the secrets in these values (texts, or nested plain values), to mask them where they stand alone."""
    for value in values:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                if isinstance(inner, str) and is_secret_name(str(key)):
                    _remember([inner])
            learn(*value.values())
        elif isinstance(value, list | tuple):
            learn(*value)
        elif isinstance(value, str):
            _learn_text(value)


def learn_environment() -> None:
    """Remember the environment's variables that hold a secret, and the passwords of addresses in all others."""
    for name, value in os.environ.items():
        if is_secret_name(name):
            _remember([value])
        elif "://" in value:
            _learn_text(value)


def _learn_text(text: str) -> None:
    key, equals, value = text.partition("=")
    if equals and is_secret_name(key.lstrip("+~")):
        _remember([value.strip("'\"")])
    whole = _WHOLE.fullmatch(text)
    for scheme, rest in [whole.groups()] if whole else _ADDRESS.findall(text):
        userinfo = rest[: _end_of_userinfo(scheme, rest)]
        user, _, password = userinfo.partition(":")
        _remember([password or user] if scheme.split("+")[0].lower() in _NAMED_USERS else [user, password])
        _remember(value for _, name, value in _QUERY.findall(rest) if _QUERY_NAME.search(name))


def _remember(secrets: Iterable[str]) -> None:
    """Remember secrets as they are, encoded and decoded; not those so short that they may be a word of other texts."""
    for secret in secrets:
        if "${" in secret or MASK in secret or secret.startswith(("/", "~", "./")):
            continue
        for form in {secret, unquote(secret), quote(unquote(secret), safe=""), secret.replace("'", "''")}:
            shortest = _SHORTEST_WORD if form.isalpha() and form.islower() else _SHORTEST
            if len(form) >= shortest and not _is_number(form):
                _known[form] = None
    for secret in sorted(_known, key=len, reverse=True):
        _known[secret] = _known.pop(secret)


def _without_userinfo(address: re.Match[str]) -> str:
    scheme, rest = address.groups()
    userinfo = rest[: _end_of_userinfo(scheme, rest)]
    rest = rest[len(userinfo) :]
    query = _QUERY.sub(
        lambda part: (
            f"{part[1]}{part[2]}={MASK}"
            if part[3] and _QUERY_NAME.search(part[2]) and not _is_expression(part[3])
            else part[0]
        ),
        rest,
    )
    user, colon, password = _blanked(userinfo).partition(":")
    is_open = bool((password if colon else user).strip("\0"))  # and not an expression
    return f"{scheme}://{MASK if is_open else userinfo}{query}"


def _end_of_userinfo(scheme: str, rest: str) -> int:
    """The index of the `@` that ends user and password; 0 if there is no secret.

    rest: the address behind `://`. A password may hold a `/`, `?` or `#` that should have been encoded.
    """
    kind = scheme.split("+")[0].lower()
    if kind in _NO_USERS or "@" not in rest:
        return 0
    plain = _blanked(rest)
    authority = re.split(r"[/?#]", plain, maxsplit=1)[0]
    path = plain.partition("?")[0]
    if "@" in authority:
        if ":" in authority[: authority.rfind("@")]:
            return path.rfind("@")
        return 0 if kind in _NAMED_USERS else authority.rfind("@")
    port = authority.partition(":")[2] if ":" in authority and not authority.startswith("[") else ""
    if port and not port.isdigit():
        return max(plain.rfind("@"), 0)
    return max(path.rfind("@"), 0) if port and kind in _NAMED_USERS else 0


def _blanked(text: str) -> str:
    """The text with NULs in place of its expressions, so that their punctuation is not read."""
    return _EXPRESSION.sub(lambda expression: "\0" * len(expression[0]), text)


def _is_expression(text: str) -> bool:
    """Whether the text holds `${…}` and nothing else, quotes aside."""
    return bool(text) and not _EXPRESSION.sub("", text).strip("'\"")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
