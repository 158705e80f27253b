"""The network of a pipeline: all components' tok2vecs and heads over one flat set of parameters.

The network builds missing models, predicts, and adds up gradients. The pipeline has the public methods, checks users'
input, warns and scores.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import takewhile
from math import isfinite
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from thinc.api import Model

from runner.components.base import Candidate, Component, Likelihood
from runner.components.beliefs import Teaching, taught_key
from runner.components.doc_batches import by_words
from runner.components.inputs import LAYERS, Batch
from runner.components.known_words import KnownWords
from runner.components.pseudo_labels import Rule, Written
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.lexemes import Lexemes
from runner.errors import AFTER_DIVERGENCE, Diverged
from runner.model.dropout import Dropout
from runner.model.layout import Floats2d, Packed, Tokens
from runner.model.ops import Ops
from runner.model.parameters import Given, Parameters

_SHARED = "tok2vec"  # owner of a shared tok2vec's weights


class Network:
    """Models and weights of a pipeline's components.

    components: name → component, in order; the pipeline adds more. ops: for all layers. seed: for initial weights and
    dropout. is_shared: all components use the first component's tok2vec; else each has its own.
    """

    def __init__(self, components: Mapping[str, Component], ops: Ops, *, seed: int, is_shared: bool) -> None:
        self.components = components
        self.seed = seed
        self.is_shared = is_shared
        self.parameters = Parameters(ops)
        self.words = KnownWords()
        self._given: dict[str, NDArray[np.float32]] = {}  # path → value that the next `build` puts there
        self._is_outdated = False  # a component was removed
        self._tok2vecs: dict[str, Model] = {}  # component → the model that reads its tokens
        self._masks = Dropout()  # for a shared tok2vec
        self._lock = RLock()  # held during `build` and `settle`

    @property
    def lexemes(self) -> Lexemes:
        """The known words and their counts, but for components that have counts of their own (known_words.py)."""
        return self.words.lexemes

    @lexemes.setter
    def lexemes(self, lexemes: Lexemes) -> None:
        self.words.lexemes = lexemes

    # Building

    def build(self, fresh: Collection[str] = (), given: Given | None = None) -> bool:
        """Make missing models and bind their parameters; known values stay.

        fresh, given: see Parameters.bind. Returns whether anything was built or bound.
        """
        is_whole = not self._is_outdated and all(component.head is not None for component in self.components.values())
        if is_whole and not fresh:
            return False
        with self._lock:
            stale = [name for name, component in self.components.items() if component.head is None]
            if is_needed := bool(stale or fresh or self._is_outdated):  # else another thread has built them
                self._bind(stale, fresh, given)
            return is_needed

    def _bind(self, stale: Collection[str], fresh: Collection[str], given: Given | None) -> None:
        models: dict[str, Model] = {}
        heads: dict[str, Model | None] = {name: component.head for name, component in self.components.items()}
        for name, component in self.components.items():
            tok2vec = self._tok2vec(component)
            if name in stale:
                width = tok2vec.get_dim("nO") if tok2vec is not None else 0
                heads[name] = component.build_head(width, component.masks)
            for part, model in (("tok2vec", tok2vec), ("head", heads[name])):
                if model is not None:
                    models[f"{name}/{part}"] = model
                    for node in model.walk():
                        node.ops = self.parameters.ops
        self.parameters.bind(models, self.seed, given, fresh, self._given)
        self._given, self._is_outdated = {}, False
        for name in stale:  # last: other threads must not see a head without weights
            self.components[name].head = heads[name]

    def _tok2vec(self, component: Component) -> Model | None:
        """Return the component's tok2vec, made if missing; None if the component has no tok2vec."""
        name = component.name
        if component.build_tok2vec is not None and name not in self._tok2vecs:
            shared = next(iter(self._tok2vecs.values()), None) if self.is_shared else None
            path = _SHARED if self.is_shared else f"{name}/tok2vec"
            masks = self._masks if self.is_shared else component.masks
            self._tok2vecs[name] = shared if shared is not None else component.build_tok2vec(path, 0, masks)
        return self._tok2vecs.get(name)

    def values(self, name: str) -> dict[str, NDArray[np.float32]]:
        """A component's weights by path, copied: its head's, and those of the tok2vec that it reads."""
        self.build()
        self.settle()
        tok2vec, head = self._tok2vecs.get(name), self.components[name].head
        owners = {node.name for model in (tok2vec, head) if model is not None for node in model.walk()}
        views = self.parameters.all_values()
        return {path: view.copy() for path, view in views.items() if path.rpartition("/")[0] in owners}

    def take(self, name: str, values: Mapping[str, NDArray[np.float32]]) -> None:
        """Give a new component weights that have been learned elsewhere, from the next `build` on. values: by path."""
        self._given.update(values)
        self.parameters.learned.add(name)
        if self.is_shared:
            self.parameters.learned.add(_SHARED)

    def tok2vec_values(self, name: str) -> dict[str, NDArray[np.float32]]:
        """Views of the weights of the tok2vec that a component reads, by their paths below the tok2vec's own."""
        self.build()
        prefix = f"{self._tok2vecs[name].name}/"
        values = self.parameters.all_values().items()
        return {path.removeprefix(prefix): value for path, value in values if path.startswith(prefix)}

    def remove(self, name: str) -> None:
        """Forget a component that is no longer among `components`; its weights are gone."""
        self._tok2vecs.pop(name, None)
        self.words.own.pop(name, None)
        self.parameters.learned.discard(name)
        self._given = {path: value for path, value in self._given.items() if path.partition("/")[0] != name}
        self._is_outdated = True

    def settle(self) -> None:
        """Apply the weight updates that an optimizer has put off."""
        with self._lock:
            self.parameters.settle()

    def unlearned(self, names: Sequence[str], *, start_over: bool) -> set[str]:
        """Return the owners (see Parameters.owners) whose weights start from initial values for these components.

        start_over: include owners that have already learned.
        """
        fresh = {name for name in names if start_over or name not in self.parameters.learned}
        readers = {name for name, component in self.components.items() if component.build_tok2vec is not None}
        if self.is_shared and not (self.parameters.learned & readers) - fresh:
            fresh.add(_SHARED)
        return fresh

    def freeze(self, off: Collection[str], resting: Collection[str] = ()) -> bool:
        """Freeze the weights of these components. Returns whether any shares a tok2vec that other components still train.

        resting: paths of further weights that are frozen.
        """
        if not off:
            if self.parameters.frozen or resting:
                self.parameters.freeze(resting)
            return False
        moving = {id(model) for name, model in self._tok2vecs.items() if name not in off}
        models = [model for model in self._tok2vecs.values() if id(model) not in moving]
        models += [head for name in off if (head := self.components[name].head) is not None]
        owners = {node.name for model in models for node in model.walk()}
        theirs = (path for path in self.parameters.layout if path.rpartition("/")[0] in owners)
        self.parameters.freeze({*theirs, *resting})
        return any(name in off and id(model) in moving for name, model in self._tok2vecs.items())

    # Predicting

    def annotate(
        self, docs: Sequence[Doc], names: Sequence[str], temperatures: Mapping[str, float] | None = None
    ) -> None:
        """Annotate docs in place with the named components, in this order.

        temperatures: component → the temperature of its confidence, 1 where it is missing; None: write no confidence.
        The last bits of a matrix product depend on its size. No one sees them in the best label, but in a probability;
        so each doc is a batch of its own if its confidence is asked for.
        """
        at_once = max((self.components[name].docs_at_once for name in names), default=1)
        for held in by_words(docs, at_once) if temperatures is None else ([doc] for doc in docs):
            parts: list[tuple[Batch, dict[int, Packed]]] = [
                (Batch.of(some, self.lexemes), {}) for some in by_words(held)
            ]
            for doc in held:
                doc.confidence = None if temperatures is None else {}
            for name in names:
                component = self.components[name]
                batches = [self._read(name, batch, known) for batch, known in parts]
                if component.docs_at_once > 1:
                    batches = [Batch.joined(batches)]
                for batch in batches:
                    if temperatures is not None:
                        batch = replace(batch, temperature=temperatures.get(name, 1.0))
                    component.annotate(batch)
                if not component.has_weights:  # the component has changed the tokens
                    parts = [(Batch.of(batch.docs, self.lexemes), {}) for batch, _ in parts]

    def _read(self, name: str, batch: Batch, known: dict[int, Packed]) -> Batch:
        """Return the batch with a component's token vectors. known: vectors by tok2vec, so that a shared tok2vec runs once."""
        tok2vec = self._tok2vecs.get(name)
        if tok2vec is None:
            return replace(batch, vectors=None)
        key, hidden = self._reading(name), None
        if key not in known:
            shown = replace(batch, docs=self._with_layers(batch.docs, name))
            tokens, hidden = self._tokens(name, tok2vec, shown, is_train=False)
            known[key] = tok2vec.predict(tokens)
        return replace(batch, vectors=known[key], hidden=hidden)

    def _reading(self, name: str) -> int:
        """What tells a component's token vectors apart from others' of the same batch: its tok2vec, unless it hides words."""
        component = self.components[name]
        return id(component) if component.hides_words else id(self._tok2vecs[name])

    def _tokens(
        self, name: str, tok2vec: Model, batch: Batch, *, is_train: bool
    ) -> tuple[Tokens, NDArray[np.intp] | None]:
        """Return what a component's tok2vec reads of the batch, and the positions of the words that it does not see."""
        component = self.components[name]
        tokens = replace(batch, known=self.words.own.get(name)).tokens(tok2vec.attrs["features"])
        return component.hide(tokens, batch, is_train=is_train) if component.hides_words else (tokens, None)

    def _with_layers(self, docs: Sequence[Doc], name: str) -> Sequence[Doc]:
        """The docs, with what this component reads of the components before it: copies, annotated, if any of it is missing."""
        layers = [LAYERS[feature] for feature in self._tok2vecs[name].attrs["features"] if feature in LAYERS]
        if not any(getattr(doc, layer) is None for layer in layers for doc in docs):
            return docs
        before = list(takewhile(lambda other: other != name, self.components))
        copies = [doc.copy_unannotated() for doc in docs]
        self.annotate(copies, [other for other in before if self.components[other].has_weights])
        return copies

    def ent_candidates(self, docs: Sequence[Doc], names: Sequence[str], threshold: float) -> list[list[Candidate]]:
        """Return, for each doc, the named components' entities with a probability of at least `threshold`."""
        candidates: list[list[Candidate]] = []
        finders = [self.components[name] for name in names if "entities" in (self.components[name].annotation or ())]
        for some in by_words(docs):
            batch = Batch.of(some, self.lexemes)
            vectors: dict[int, Packed] = {}
            here: list[list[Candidate]] = [[] for _ in some]
            for finder in finders:
                read = self._read(finder.name, batch, vectors)
                for all_of_doc, own in zip(here, finder.candidates(read, threshold), strict=True):
                    all_of_doc += own
            candidates += here
        return candidates

    def likelihoods(self, examples: Sequence[Example], names: Sequence[str]) -> Iterator[tuple[str, Likelihood]]:
        """Yield the likelihood of the gold annotation for the named components, one a batch of the examples."""
        start = 0
        for docs in by_words([example.predicted for example in examples]):
            some = examples[start : start + len(docs)]
            start += len(docs)
            batch, vectors = Batch.of(docs, self.lexemes), dict[int, Packed]()
            for name in names:
                component = self.components[name]
                if not component.has_weights:
                    some = [component.retokenized(example) for example in some]
                    batch, vectors = Batch.of([example.predicted for example in some], self.lexemes), {}
                    continue
                likelihood = component.likelihood(self._read(name, batch, vectors), some)
                if likelihood is not None:
                    yield name, likelihood

    def beliefs(self, docs: Sequence[Doc], name: str, question: Any = None) -> tuple[list[str], Any]:
        """The labels of a component, and what it believes about these docs (`Component.beliefs`). question: of its student."""
        self.build()
        self.settle()
        batch = replace(Batch.of(docs, self.lexemes), question=question)
        component = self.components[name]
        return list(component.labels), component.beliefs(self._read(name, batch, {}))

    def pseudo_label(
        self, references: Sequence[Doc], rules: Mapping[str, Rule], temperatures: Mapping[str, float]
    ) -> list[dict[str, Written]]:
        """Let the components with a rule write into the docs; return what each has written into each.

        temperatures: as of `annotate`. Docs share batches, in order; the last bits of a probability depend on these.
        """
        told: list[dict[str, Written]] = []
        for some in by_words(references):
            here: list[dict[str, Written]] = [{} for _ in some]
            batch, vectors = Batch.of([doc.copy_unannotated() for doc in some], self.lexemes), dict[int, Packed]()
            for name, rule in rules.items():
                read = replace(self._read(name, batch, vectors), temperature=temperatures.get(name, 1.0))
                for of_doc, written in zip(here, self.components[name].pseudo_label(read, some, rule), strict=True):
                    of_doc[name] = written
            told += here
        return told

    # Learning

    def reset_masks(self, names: Sequence[str], drop: float, step: int) -> None:
        """Reset dropout masks. A component's masks depend only on its name, the seed and the step."""
        self._masks.reset(drop, self.seed, step)
        for name in names:
            component = self.components[name]
            component.masks.reset(component.drop(drop, step), self.seed, step, zlib.crc32(name.encode("utf8")))

    def add_gradient(
        self,
        examples: Sequence[Example],
        names: Sequence[str],
        losses: dict[str, float] | None,
        step: int,
        teacher: Teaching | None = None,
    ) -> None:
        """Add the examples' gradient to the parameters' gradient, and each loss to `losses`. step: for error messages.

        teacher: of the components that it knows; the loss against what it believes is called "teach/NAME".
        Raises Diverged if a loss is not finite.
        """
        inputs = Batch.of([example.predicted for example in examples], self.lexemes)
        vectors: dict[int, tuple[Packed, Callable[[Any], Any]]] = {}  # by tok2vec, so that a shared tok2vec runs once
        gradients: dict[int, Floats2d] = {}
        for name in names:
            component, tok2vec = self.components[name], self._tok2vecs.get(name)
            if not component.has_weights:
                _backprop(vectors, gradients)
                examples = [component.retokenized(example) for example in examples]
                self.learn_words([example.predicted for example in examples if not example.is_augmented], names)
                inputs, vectors, gradients = Batch.of([e.predicted for e in examples], self.lexemes), {}, {}
                continue
            learn = partial(_learn, component, examples, teacher, losses)
            if tok2vec is None:
                loss, _ = learn(inputs)
            else:
                key, hidden = self._reading(name), None
                if key not in vectors:
                    tokens, hidden = self._tokens(name, tok2vec, inputs, is_train=True)
                    vectors[key] = tok2vec.begin_update(tokens)
                loss, dX = learn(replace(inputs, vectors=vectors[key][0], hidden=hidden))
                if dX is not None:
                    gradients[key] = dX if key not in gradients else gradients[key] + dX
            if not isfinite(loss):
                raise Diverged(f"the loss of {name} is {loss}", hint=AFTER_DIVERGENCE).at_step(step)
            if losses is not None:
                losses[name] = losses.get(name, 0.0) + loss
        _backprop(vectors, gradients)

    def learn_words(self, docs: Sequence[Doc], names: Sequence[str]) -> None:
        """Count the words of docs that these components learn from. The others go on with the words that they know."""
        others = [
            name
            for name, component in self.components.items()
            if name not in names and name in self.parameters.learned and component.build_tok2vec and not self.is_shared
        ]
        self.words.learn(docs, names, others)

    def count_words(self, counted: Lexemes, fresh: Collection[str]) -> None:
        """Give components that begin to learn, beside others that have learned, the word counts of their training data."""
        for name in fresh:
            if name in self.components and self.components[name].build_tok2vec and not self.is_shared:
                self.words.own[name] = dict(counted.frequencies)

    def note_learned(self, names: Sequence[str]) -> None:
        """Record that these components have learned: their weights are no longer initial."""
        learned = [name for name in names if self.components[name].has_weights]
        self.parameters.learned.update(learned, (_SHARED,) if self.is_shared else ())


def _learn(
    component: Component,
    examples: Sequence[Example],
    teacher: Teaching | None,
    losses: dict[str, float] | None,
    batch: Batch,
) -> tuple[float, Floats2d | None]:
    """A component's loss and the gradient of its vectors, from the gold annotation and what its teacher believes."""
    if teacher is None or not teacher.knows(component.name):
        return component.update(batch, examples)
    beliefs = teacher.beliefs(component.name, batch.docs, component.question(examples))
    lesson = component.learn_from(batch, examples, beliefs)
    if losses is not None:
        key = taught_key(component.name)
        losses[key] = losses.get(key, 0.0) + lesson.taught
    return lesson.learned, lesson.dX


def _backprop(vectors: Mapping[int, tuple[Packed, Callable[[Any], Any]]], gradients: Mapping[int, Floats2d]) -> None:
    for key, dX in gradients.items():
        vectors[key][1](dX)
