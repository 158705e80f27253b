"""Command lines that are parsed and not run: do their options exist, and do their values fit?"""

from __future__ import annotations

import argparse
import importlib
import inspect
import shlex
import sys
from collections.abc import Callable
from typing import Any
from unittest import mock

from runner import registry


class Parsed(Exception):
    """The words were parsed without a fault; what would come next is not done."""


def module_of(words: list[str]) -> tuple[str, list[str]] | None:
    """The module that parses the words after `python -m`, and what it is given; None if nothing is known of them."""
    module, *rest = words
    if module == "runner" and rest and rest[0] in registry.commands.mains.keys() - {"train", "pretrain", "debug"}:
        return registry.commands.mains[rest[0]], rest[1:]
    if module == "benchmarks" or module.startswith("tests.stress."):
        return f"{module}.__main__" if module == "benchmarks" else module, rest
    return None


def fault(text: str) -> str | None:
    """What a parser says against `python -m MODULE WORDS…`; None if it takes the words, or nothing is known of them."""
    words = ["2" if word == "N" else word for word in shlex.split(text)[2:] if word != "…"]
    known = module_of(words)
    if known is None or "--help" in words:
        return None
    module, rest = known
    main = importlib.import_module(module).main

    def parsing(parse: Callable[..., Any]) -> Callable[..., None]:
        def only_parse(self: argparse.ArgumentParser, args: Any = None, namespace: Any = None) -> None:
            parse(self, args, namespace)
            raise Parsed

        return only_parse

    def refuse(self: argparse.ArgumentParser, message: str) -> None:
        raise ValueError(message)

    kind = argparse.ArgumentParser
    with (
        mock.patch.object(kind, "parse_args", parsing(kind.parse_args)),
        mock.patch.object(kind, "parse_intermixed_args", parsing(kind.parse_intermixed_args)),
        mock.patch.object(kind, "error", refuse),
        mock.patch("runner.commands.flags.FlagParser.error", refuse),
        mock.patch.object(sys, "argv", [module, *rest]),
    ):
        try:
            main(rest) if inspect.signature(main).parameters else main()
        except Parsed:
            return None
        except ValueError as error:
            return str(error)
    return "the command did not parse its words"
