"""`{type: NAME, ...}` → the object that the registry entry NAME makes of the other keys.

    resolve({"type": "adam", "learn_rate": 0.002}, "optimizers", "optimizer")

`check` only checks the arguments and builds nothing, so a whole config can be refused before anything is loaded.
Arguments must fit the factory's type hints: a bool is not a number, a text that reads as a number is a number (environment
variables give texts), nan and infinity are refused. An argument annotated with `registry.Block` is a nested block, or the
bare value of the block's shorthand. The factory itself checks conditions across keys (start < stop).
"""

from __future__ import annotations

import difflib
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from numbers import Real
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from runner import registry, synonyms
from runner.errors import RunFailed, RunnerError
from runner.user_code import code_error, file_of

MAX_WHOLE = 2**53  # larger whole numbers are no sizes or counts, and make arrays fail with obscure errors
_NOTHING: Mapping[str, Any] = {}
_LAX = ConfigDict(allow_inf_nan=False, arbitrary_types_allowed=True, coerce_numbers_to_str=True)


def check(block: Any, kind: str, place: str, *, extra: Mapping[str, Any] = _NOTHING) -> None:
    """Refuse a block that does not fit its factory. Builds nothing.

    kind: a registry kind ("optimizers"). place: the dotted key of the block, for messages. extra: arguments that the
    code passes (a component's `name`) and the block must not contain. Raises RunnerError at the wrong key.
    """
    _prepare(block, kind, place, extra)


def resolve(block: Any, kind: str, place: str, *, extra: Mapping[str, Any] = _NOTHING) -> Any:
    """Build the object that a block describes. Arguments and errors as in `check`, plus the factory's own errors."""
    factory, arguments = _prepare(block, kind, place, extra)
    return _build(factory, arguments, extra, place)


def resolve_argument(value: Any, hint: Any, place: str) -> Any:
    """Build the object for a block or bare value. With the hint `registry.Schedule`, 0.2 gives a constant schedule."""
    argument = _argument(value, hint, place)
    assert isinstance(argument, _Nested), "the hint marks no block"
    return argument.build()


def accepted(kind: str, name: str) -> set[str] | None:
    """The argument names that the factory takes. None if the factory takes any name. Raises RunnerError for an unknown name."""
    parameters = inspect.signature(registry.KINDS[kind].get(name)).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return None
    return set(parameters)


def code_behind(block: Any, kind: str, extra: Mapping[str, Any] = _NOTHING) -> set[str]:
    """The names of the `code:` files that registered the factories of the block and its nested blocks."""

    def files(factory: Callable[..., Any], arguments: Mapping[str, Any]) -> set[str]:
        own = {Path(file).name for file in [file_of(factory)] if file is not None}
        values = [*arguments.values()]
        values += [inner for value in values if isinstance(value, _NestedValues) for inner in value.values.values()]
        nested = [value for value in values if isinstance(value, _Nested)]
        return own.union(*(files(inner.factory, inner.arguments) for inner in nested))

    return files(*_prepare(block, kind, kind, extra))


class _Nested:
    """A checked nested block, built together with its owner."""

    def __init__(self, factory: Callable[..., Any], arguments: dict[str, Any], place: str, kind: str) -> None:
        self.factory = factory
        self.arguments = arguments
        self.place = place
        self.kind = kind

    def build(self) -> Any:
        made = _build(self.factory, self.arguments, _NOTHING, self.place)
        return _watched(made, self.place) if self.kind == "schedules" else made


class _NestedValues:
    """A mapping whose values may be nested blocks."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def build(self) -> dict[str, Any]:
        return {key: value.build() if isinstance(value, _Nested) else value for key, value in self.values.items()}


def _prepare(
    block: Any, kind: str, place: str, extra: Mapping[str, Any], *, bare: bool = False
) -> tuple[Callable[..., Any], dict[str, Any]]:
    table = registry.KINDS[kind]
    if not isinstance(block, Mapping):
        raise RunnerError(f"{block!r} is no block", place=place, hint=f"Give {{type: NAME, ...}}; {_known(kind)}.")
    if "type" not in block or block["type"] is None:
        raise RunnerError("the block has no type", place=place, hint=f"Add {place}.type=NAME; {_known(kind)}.")
    name = block["type"]
    if not isinstance(name, str):
        raise RunnerError(f"{name!r} is no name", place=f"{place}.type", hint=f"Choose one; {_known(kind)}.")
    try:
        factory = table.get(name)
    except RunnerError as error:
        raise error.at(f"{place}.type") from None
    parameters = inspect.signature(factory).parameters
    hints = _hints(factory)
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    open_names = [p.name for p in parameters.values() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    arguments: dict[str, Any] = {}
    for key, value in block.items():
        if key == "type":
            continue
        here = place if bare else f"{place}.{key}"
        if key in extra or (key not in open_names and not takes_any):
            names = [known for known in open_names if known not in extra]
            near = [meant] if (meant := synonyms.argument_here(str(key))) in names else []
            near = near or difflib.get_close_matches(str(key), names, n=1)
            question = f"; did you mean {near[0]!r}?" if near else ""
            listing = f"It takes: {', '.join(names)}." if names else "It takes no further key."
            raise RunnerError(f"the {kind[:-1]} {name!r} takes no {key!r}{question}", place=here, hint=listing)
        try:
            arguments[str(key)] = _argument(value, hints.get(str(key), Any), here)
        except RunnerError as error:
            if error.hint is None and key in parameters:
                error = RunnerError(error.fact, place=error.place, hint=_takes(kind, name, parameters[key], hints))
            raise error from None
    missing = [
        p.name
        for p in parameters.values()
        if p.default is p.empty
        and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
        and p.name not in arguments
        and p.name not in extra
    ]
    if missing:
        raise RunnerError(
            f"the {kind[:-1]} {name!r} needs {', '.join(repr(name) for name in missing)}",
            place=place,
            hint=f"Add {place}.{missing[0]}=VALUE.",
        )
    return factory, arguments


def _build(factory: Callable[..., Any], arguments: Mapping[str, Any], extra: Mapping[str, Any], place: str) -> Any:
    ready = {
        name: value.build() if isinstance(value, _Nested | _NestedValues) else value
        for name, value in arguments.items()
    }
    try:
        return factory(**ready, **extra)
    except RunnerError as error:
        raise error.at(place) from error.__cause__
    except ValueError as error:
        raise RunnerError(str(error) or repr(error), place=place) from error
    except Exception as error:
        known = code_error(error)
        if known is None:
            raise
        raise known from error


def _watched(schedule: Any, place: str) -> Any:
    """Wrap the schedule: a value that is not a finite number ends the run with the key and step in the message.

    The wrapper tries step 0 at once, while the config is still being checked.
    """
    if not callable(schedule):
        return schedule

    def watched(step: int, kind: type[RunnerError] = RunFailed) -> float:
        value = schedule(step)
        if isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value):
            fact = f"the schedule gives {_shown(value)} at step {step}"
            raise kind(fact, place=place, hint="It must give a finite number at every step, from 0 on.")
        return float(value)

    try:
        watched(0, RunnerError)
    except Exception as error:
        if isinstance(error, RunnerError):
            raise
        raise code_error(error) or RunnerError(
            f"the schedule fails at step 0 ({type(error).__name__}: {error})", place=place, hint="Change its values."
        ) from error
    return watched


def _argument(value: Any, hint: Any, place: str) -> Any:
    """Convert the value to the hint's type; return a `_Nested` if the hint marks a block, and `_NestedValues` of some."""
    if get_origin(hint) is Mapping and isinstance(value, Mapping) and _block_of(inner := get_args(hint)[1]) is not None:
        plain = next((part for part in get_args(inner) if _block_of(part) is None), inner)
        return _NestedValues(
            {
                str(key): _argument(one, inner if isinstance(one, Mapping) else plain, f"{place}.{key}")
                for key, one in value.items()
            }
        )
    block = _block_of(hint)
    if block is not None:
        is_none = value is None or (isinstance(value, Mapping) and "type" in value and value["type"] is None)
        if is_none and _is_optional(hint):
            return None
        expanded = _expanded(value, block, place)
        factory, arguments = _prepare(expanded, block.kind, place, _NOTHING, bare=expanded is not value)
        return _Nested(factory, arguments, place, block.kind)
    if hint is Any or hint is inspect.Parameter.empty:
        return value
    if not _mentions(hint, bool) and _has_bool(value):
        raise RunnerError(f"{_shown(value)} is not {_described(hint)}", place=place)
    if isinstance(value, int) and abs(value) > MAX_WHOLE:
        raise RunnerError(f"{_shown(value)} is too large a number", place=place)
    try:
        return TypeAdapter(hint, config=_LAX).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        inside = ".".join(str(part) for part in first["loc"] if isinstance(part, int))
        if first["type"] == "finite_number":
            raise RunnerError(f"{_shown(value)} is not a finite number", place=place) from None
        where = f"{place}.{inside}" if inside else place
        shown = _shown(first["input"] if inside else value)
        wanted = _described(hint) if not inside else f"fit for {_described(hint)}"
        raise RunnerError(f"{shown} is not {wanted}", place=where) from None
    except PydanticUserError:  # a hint that pydantic cannot check, in a user's factory
        return value


def _expanded(value: Any, block: registry.Block, place: str) -> Any:
    if isinstance(value, Mapping) or block.shorthand is None:
        return value
    name, argument = block.shorthand
    return {"type": name, argument: value}


def _hints(factory: Callable[..., Any]) -> dict[str, Any]:
    target = factory.__init__ if inspect.isclass(factory) else factory
    try:
        return typing.get_type_hints(target, include_extras=True)
    except (NameError, TypeError):  # hints that only a type checker can resolve: arguments stay unchecked
        return {}


def _block_of(hint: Any) -> registry.Block | None:
    if get_origin(hint) is Annotated:
        return next((item for item in get_args(hint)[1:] if isinstance(item, registry.Block)), None)
    if get_origin(hint) in (Union, types.UnionType):
        return next(filter(None, map(_block_of, get_args(hint))), None)
    return None


def _is_optional(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint)


def _mentions(hint: Any, wanted: Any) -> bool:
    return hint in (wanted, Any, object) or any(_mentions(part, wanted) for part in get_args(hint))


def _has_bool(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_bool, value.values()))
    return isinstance(value, bool) or (isinstance(value, list | tuple) and any(map(_has_bool, value)))


def _described(hint: Any) -> str:
    plain = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", Path: "a path"}
    if hint in plain:
        return plain[hint]
    if hint is type(None):
        return "null"
    origin = get_origin(hint)
    parts = get_args(hint)
    if origin is Annotated:
        block = _block_of(hint)
        return f"a block of {block.kind}" if block is not None else _described(parts[0])
    if origin is Literal:
        return "one of " + ", ".join(str(part) for part in parts)
    if origin in (Union, types.UnionType):
        return " or ".join(_described(part) for part in parts)
    if inspect.isclass(origin) and issubclass(origin, Mapping):
        return (
            f"a mapping, each value {_described(parts[1])}" if len(parts) > 1 and parts[1] is not Any else "a mapping"
        )
    if inspect.isclass(origin) and issubclass(origin, Iterable) and parts:
        return f"a list, each {_described(parts[0])}"
    return getattr(hint, "__name__", str(hint))


def _shown(value: Any) -> str:
    text = (
        {True: "true", False: "false", None: "null"}[value]
        if value is None or value is True or value is False
        else repr(value)
    )
    return text if len(text) <= 60 else text[:57] + "..."


def _takes(kind: str, name: str, parameter: inspect.Parameter, hints: Mapping[str, Any]) -> str:
    """The hint for an argument that does not fit."""
    block = _block_of(hints.get(parameter.name))
    wanted = _described(hints.get(parameter.name, Any)) if block is None else f"a number or a block of {block.kind}"
    is_told = parameter.default is not parameter.empty and parameter.default not in (None, {})
    default = f", such as {_shown(parameter.default)}" if is_told else ""
    return f"The {kind[:-1]} {name!r} wants {wanted}{default}."


def _known(kind: str) -> str:
    return f"known {kind}: {', '.join(registry.KINDS[kind].names()) or 'none'}"
