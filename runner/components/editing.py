"""Add, take over, rename and remove the components of a pipeline."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.blocks import accepted, resolve
from runner.components.base import Component
from runner.components.predictor import TEMPERATURES, Predictor
from runner.components.selection import Selection
from runner.errors import RunnerError, suggest
from runner.spacy_names import unknown

Block = Mapping[str, Any]
DEFAULT_TOK2VEC: Block = {"type": "hash_embed_cnn"}
_SHARED = "tok2vec/"  # begins the paths of a shared tok2vec


class Editable(Predictor):
    """The half of `Pipeline` that chooses the components."""

    lang: str
    blocks: dict[str, dict[str, Any]]
    _met: object

    def add_pipe(
        self,
        name: str,
        config: Block | None = None,
        *,
        before: str | None = None,
        after: str | None = None,
        first: bool = False,
        last: bool = False,
        source: Editable | None = None,
    ) -> Component:
        """Add a component, last unless its place is given. config: its `type:` block; without a type, the name is the type.

        source: a trained pipeline whose component of that name is copied, with settings, labels, weights and the words it
        knows; config may then change what `Component.adjustable` names. Both pipelines need the same language and
        tokenizer. Raises RunnerError where the name is taken, the block does not fit, or the source's component does not.
        """
        if name in self.components:
            raise RunnerError(f"the pipeline already has a component {name!r}", hint="Give it another name.")
        if (before is not None) + (after is not None) + first + last > 1:
            raise RunnerError(f"{name!r} has more than one place", hint="Give one of before, after, first and last.")
        for neighbour in (before, after):
            if neighbour is not None:
                self.get_pipe(neighbour)
        if after is not None or first:
            names = list(self.components)
            before = next(iter(names[names.index(after) + 1 if after is not None else 0 :]), None)
        if source is None:
            component = self._make(name, {"type": name, **(config or {})})
        else:
            component = self._take_over(name, source, name, config or {})
        if before is not None:
            for other in list(self.components)[list(self.components).index(before) :]:
                if other != name:
                    self.components[other] = self.components.pop(other)
        return component

    def _make(self, name: str, block: dict[str, Any]) -> Component:
        """Add a component at the end."""
        if "tok2vec" in (accepted("components", str(block["type"])) or ()):
            shared = self._shared_block()
            if shared is not None:  # also in the saved config, in which another component may come first
                block["tok2vec"] = copy.deepcopy(shared)
            block.setdefault("tok2vec", dict(DEFAULT_TOK2VEC))
            block["tok2vec"] = _without_empty(block["tok2vec"])
        component = resolve(block, "components", f"pipeline.components.{name}", extra={"name": name})
        self._met = object()
        self.components[name] = component
        self.blocks[name] = block
        return component

    def _shared_block(self) -> Any:
        """The block of the tok2vec that all components share; None where there is none yet."""
        readers = (name for name, component in self.components.items() if component.build_tok2vec is not None)
        first = next(readers, None) if self.shared_tok2vec else None
        return self.blocks[first].get("tok2vec") if first is not None else None

    def _take_over(self, name: str, source: Editable, theirs: str, changes: Block = MappingProxyType({})) -> Component:
        """Add a copy of the source's component `theirs` at the end. Raises RunnerError where it does not fit."""
        given = source.get_pipe(theirs)
        block = {**copy.deepcopy(source.blocks[theirs]), **changes}
        for key in changes:
            if key not in given.adjustable and block[key] != source.blocks[theirs].get(key):
                where, before, ours = _first_difference(key, source.blocks[theirs].get(key), block[key])
                fact = f"{where} of {name!r} is {_short(before)} in the trained model, and cannot become {_short(ours)}"
                raise RunnerError(fact, place=f"pipeline.components.{name}.{where}", hint="Leave it as it is.")
        self._check_source(theirs, source)
        is_first = not self.parameters.learned
        is_learned = theirs in source.parameters.learned
        values = source.network.values(theirs) if given.has_weights else {}
        own = {
            path: value
            for path, value in values.items()
            if not (self.shared_tok2vec and path.startswith(_SHARED)) or is_first
        }
        component = self._make(name, block)
        component.take_files(given.files())
        component.add_labels(list(given.labels))
        if is_learned:
            self.network.take(name, {self._path(path, theirs, name): value for path, value in own.items()})
            self.network.words.take(name, source.network.words.of(theirs), is_first=is_first)
        temperature = source.meta.get(TEMPERATURES, {}).get(theirs)
        self._build()
        if temperature is not None:
            self.meta.setdefault(TEMPERATURES, {})[name] = temperature
        return component

    def _path(self, path: str, theirs: str, name: str) -> str:
        """The path of a weight of the source's component, here."""
        if path.startswith(_SHARED):
            return path if self.shared_tok2vec else f"{name}/{path}"
        return name + path.removeprefix(theirs)

    def _check_source(self, name: str, source: Editable) -> None:
        """Raise RunnerError if a component of the source would predict other things here than there."""
        for what, theirs, ours in (
            ("lang", source.lang, self.lang),
            ("tokenizer", source.tokenizer_block, self.tokenizer_block),
        ):
            if theirs != ours:
                raise RunnerError(
                    f"{name!r} was trained with {what} {_short(theirs)}, and this pipeline has {_short(ours)}",
                    hint=f"Make the pipeline with it: runner.blank({source.lang!r}, tokenizer=source.tokenizer_block).",
                )
        if not self.shared_tok2vec or source.components[name].build_tok2vec is None:
            return
        if not source.shared_tok2vec:
            raise RunnerError(
                f"{name!r} has a tok2vec of its own, and this pipeline shares one",
                hint="Make the pipeline with shared_tok2vec=False.",
            )
        if self.parameters.learned and not _is_same_tok2vec(self, source):
            raise RunnerError(
                f"{name!r} reads another tok2vec than the one that this pipeline shares",
                hint="Make the pipeline with shared_tok2vec=False.",
            )

    def remove_pipe(self, name: str) -> tuple[str, Component]:
        """Remove a component and its weights; a shared tok2vec stays. Returns its name and the component."""
        component = self.get_pipe(name)
        self._prepare()
        temperatures = {key: value for key, value in self.meta.get(TEMPERATURES, {}).items() if key != name}
        del self.components[name], self.blocks[name]
        self.network.remove(name)
        self._met = object()
        self._build()
        if temperatures:
            self.meta[TEMPERATURES] = temperatures
        return name, component

    def rename_pipe(self, old: str, new: str) -> None:
        """Call a component by another name; its place, its weights and what it predicts stay.

        Raises RunnerError where there is no component `old`, or one called `new`.
        """
        self.get_pipe(old)
        if old == new:
            return
        if new in self.components:
            raise RunnerError(f"the pipeline already has a component {new!r}", hint="Give it another name.")
        names = [new if name == old else name for name in self.components]
        meta = copy.deepcopy(self.meta)
        own = self.network.words.own.get(old)
        self._take_over(new, self, old)
        if own is not None:
            self.network.words.own[new] = own
        self.remove_pipe(old)
        for name in names:
            self.components[name] = self.components.pop(name)
        self.meta.update(meta)
        temperatures = self.meta.get(TEMPERATURES, {})
        if old in temperatures:
            temperatures[new] = temperatures.pop(old)
        for selection in self.selections:
            selection.names = tuple(new if name == old else name for name in selection.names)

    def has_pipe(self, name: str) -> bool:
        """Whether the pipeline has a component of that name, enabled or not."""
        return name in self.components

    def get_pipe(self, name: str) -> Component:
        """The component of that name. Raises RunnerError where there is none."""
        if name not in self.components:
            raise RunnerError(f"no component {name!r} in this pipeline; {suggest(str(name), self.components)}")
        return self.components[name]

    if not TYPE_CHECKING:  # else a type checker would take any name

        def __getattr__(self, name: str) -> Any:
            raise unknown("nlp", self, name)

    def select_pipes(
        self, *, enable: str | Sequence[str] | None = None, disable: str | Sequence[str] | None = None
    ) -> Selection:
        """From now on only some components predict, learn and are scored; the weights of the others do not move.

        Give the ones to enable, or the ones to disable. Until `restore()` of what is returned, or the end of its `with`
        block. A tok2vec that enabled components share with disabled ones goes on learning.
        """
        if (enable is None) == (disable is None):
            hint = 'Write nlp.select_pipes(disable="ner") or nlp.select_pipes(enable=["tagger", "parser"]).'
            raise RunnerError("select_pipes takes either enable or disable", hint=hint)
        given = enable if enable is not None else disable
        names = [given] if isinstance(given, str) else list(given or ())
        for name in names:
            self.get_pipe(name)
        return Selection("enable" if enable is not None else "disable", names, self.selections)


def _without_empty(block: Any) -> Any:
    """The block without nested blocks of no type (`vectors: {type: null}`), which say no more than their absence."""
    if not isinstance(block, Mapping):
        return block
    return {
        key: value for key, value in block.items() if not (isinstance(value, Mapping) and value.get("type", "") is None)
    }


def _is_same_tok2vec(ours: Editable, theirs: Editable) -> bool:
    """Whether two pipelines share tok2vecs of equal weights and word counts."""
    shared = [
        {path: value for path, value in nlp.parameters.all_values().items() if path.startswith(_SHARED)}
        for nlp in (ours, theirs)
    ]
    return (
        shared[0].keys() == shared[1].keys()
        and all(np.array_equal(value, shared[1][path]) for path, value in shared[0].items())
        and ours.lexemes.frequencies == theirs.lexemes.frequencies
    )


def _short(value: Any) -> str:
    return json.dumps(value, default=str)[:80]


def _first_difference(key: str, before: Any, now: Any) -> tuple[str, Any, Any]:
    """(dotted key, value before, value now) of the first difference inside two blocks; of the whole where they are none."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for inner in (*before, *now):
            if before.get(inner) != now.get(inner):
                return _first_difference(f"{key}.{inner}", before.get(inner), now.get(inner))
    return key, before, now
