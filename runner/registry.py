"""Name → factory, with one table per kind. A YAML `type:` can reach only these factories.

    @registry.schedules("constant")
    def constant(value: float) -> Schedule: ...

    registry.schedules.get("constant")

The project's own entries live in the modules named below and are imported at the first look-up of their kind, so that
importing this module is cheap. Each command has a module of its own, imported when that command is asked for. Users add
entries with the decorator, in a file named in `code:`, or through entry points of the group `runner.<kind>`
(`runner.schedules`, …). A name can be taken once.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import RLock
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

from runner.errors import RunnerError, suggest

Factory = TypeVar("Factory", bound=Callable[..., Any])
_LIBRARIES = "needed_libraries"  # attribute of a factory


class Registry:
    """The factories of one kind.

    modules: they register their entries when they are imported. mains: name → module, whose function `main` is the entry.
    """

    def __init__(
        self, kind: str, modules: tuple[str, ...] = (), mains: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.kind = kind
        self.mains = mains
        self._modules = modules
        self._factories: dict[str, Callable[..., Any]] = {}
        self._is_filled = False
        self._is_filling = False
        self._lock = RLock()  # the first look-ups may come from several threads at once

    def __call__(self, name: str) -> Callable[[Factory], Factory]:
        """Register the decorated factory under `name`.

        Raises RunnerError if another factory has the name.
        """

        def register(factory: Factory) -> Factory:
            self._add(name, factory)
            return factory

        return register

    def get(self, name: str) -> Callable[..., Any]:
        """The factory called `name`. Raises RunnerError that lists the known names."""
        if name in self.mains:
            main: Callable[..., Any] = importlib.import_module(self.mains[name]).main
            return main
        self._fill()
        if name not in self._factories:
            raise RunnerError(f"unknown {self.kind[:-1]} {name!r}; {suggest(str(name), self._factories)}")
        return self._factories[name]

    def names(self) -> list[str]:
        """Every known name, sorted."""
        self._fill()
        return sorted([*self.mains, *self._factories])

    def _add(self, name: str, factory: Callable[..., Any]) -> None:
        taken = self._factories.get(name)
        if name in self.mains:
            taken = self.get(name)
        if taken is not None and taken is not factory:
            raise RunnerError(
                f"the {self.kind[:-1]} {name!r} is already registered by {taken.__module__}.{taken.__qualname__}",
                hint=f"Give {factory.__module__}.{factory.__qualname__} another name.",
            )
        self._factories[name] = factory

    def _fill(self) -> None:
        if self._is_filled:
            return
        with self._lock:
            if self._is_filled or self._is_filling:  # filling: a module that is being imported below looks up a name
                return
            self._is_filling = True
            try:
                for module in self._modules:
                    importlib.import_module(module)
                for entry in importlib.metadata.entry_points(group=f"runner.{self.kind}"):
                    self._add(entry.name, entry.load())
                self._is_filled = True
            finally:
                self._is_filling = False


def needs(*libraries: str) -> Callable[[Factory], Factory]:
    """Note at the decorated factory which further distributions whatever it makes needs, wherever a model goes."""

    def note(factory: Factory) -> Factory:
        setattr(factory, _LIBRARIES, libraries)
        return factory

    return note


def libraries_of(factory: Callable[..., Any]) -> tuple[str, ...]:
    """The distributions that `needs` has noted."""
    return tuple(getattr(factory, _LIBRARIES, ()))


@dataclass(frozen=True)
class Block:
    """Marks an argument as a nested `type:` block of another kind: `Annotated[..., Block("schedules")]`.

    `shorthand` names the factory argument that a bare value stands for: `learn_rate: 0.001` is
    `{type: constant, value: 0.001}`.
    """

    kind: str
    shorthand: tuple[str, str] | None = None


Schedule = Annotated[Callable[[int], float], Block("schedules", shorthand=("constant", "value"))]
Tok2VecBlock = Annotated[Callable[..., Any], Block("tok2vecs")]
ClassifierBlock = Annotated[Any, Block("classifiers")]
VectorsBlock = Annotated[Any, Block("vectors", shorthand=("file", "path"))]

components = Registry(
    "components",
    (
        "runner.components.ner",
        "runner.components.merge",
        "runner.components.tagger",
        "runner.components.parser",
        "runner.components.textcat",
        "runner.components.word_vectors",
    ),
)
tok2vecs = Registry("tok2vecs", ("runner.model.tok2vec", "runner.model.encoder.encoder"))
vectors = Registry("vectors", ("runner.model.vectors.sources", "runner.model.vectors.pieces"))
classifiers = Registry("classifiers", ("runner.model.classifiers",))
optimizers = Registry("optimizers", ("runner.training.adam", "runner.training.optimizers"))
schedules = Registry("schedules", ("runner.training.schedules",))
batchers = Registry("batchers", ("runner.corpus.batching",))
readers = Registry(
    "readers",
    (
        "runner.corpus.readers.jsonl",
        "runner.corpus.readers.json_file",
        "runner.corpus.readers.iob",
        "runner.corpus.readers.conllu",
        "runner.corpus.readers.table",
        "runner.corpus.readers.archive",
        "runner.corpus.readers.spacy_json",
        "runner.corpus.readers.docbin",
        "runner.corpus.readers.prodigy",
        "runner.corpus.readers.auto",
        "runner.corpus.readers.raw_texts",
    ),
)
writers = Registry(
    "writers",
    (
        "runner.corpus.writers.jsonl",
        "runner.corpus.writers.conllu",
        "runner.corpus.writers.iob",
        "runner.corpus.writers.table",
        "runner.corpus.writers.docbin",
    ),
)
tokenizers = Registry("tokenizers", ("runner.corpus.tokenizer",))
trackers = Registry("trackers", ("runner.tracking.console", "runner.tracking.mlflow.tracker"))
augmenters = Registry("augmenters", ("runner.corpus.augment",))
commands = Registry(
    "commands",
    mains={
        "train": "runner.commands.program",
        "init": "runner.commands.init",
        "debug": "runner.commands.debug",
        "evaluate": "runner.commands.evaluate",
        "errors": "runner.commands.errors",
        "threshold": "runner.commands.threshold",
        "predict": "runner.commands.predict",
        "compare": "runner.commands.compare",
        "rerun": "runner.commands.rerun",
        "package": "runner.commands.package",
        "export": "runner.commands.export",
        "convert": "runner.commands.convert",
        "bootstrap": "runner.commands.bootstrap",
        "pretrain": "runner.commands.pretrain",
        "vectors": "runner.commands.vectors",
        "sync": "runner.commands.sync",
        "reap": "runner.commands.reap",
        "info": "runner.commands.info",
        "completion": "runner.commands.completion",
    },
)  # in the order of --help

KINDS: dict[str, Registry] = {
    table.kind: table
    for table in (
        components,
        tok2vecs,
        vectors,
        classifiers,
        optimizers,
        schedules,
        batchers,
        readers,
        writers,
        tokenizers,
        trackers,
        augmenters,
        commands,
    )
}
