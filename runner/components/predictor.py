"""The predicting half of a pipeline: tokenize, annotate, score. pipeline.py builds and trains pipelines."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar, overload

from runner.blocks import resolve
from runner.components.base import Candidate, Component, Likelihood, PerType
from runner.components.calibration import Graded
from runner.components.counts import Counts
from runner.components.drawn import drawn
from runner.components.given import as_examples
from runner.components.network import Network
from runner.components.pseudo_labels import Rule, Written
from runner.components.scores import tokens as token_scorer
from runner.components.selection import Selection, disabled
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.lexemes import Lexemes
from runner.errors import RunnerError
from runner.model.allocator import IN_PREDICTION, keep_freed_memory
from runner.model.blas import with_own_threads
from runner.model.parameters import Parameters

Context = TypeVar("Context")

TEMPERATURES = "temperatures"  # key of meta: component → the temperature of its confidence, see calibration.py
# Keys of meta that describe the trained weights.
ABOUT_WEIGHTS = ("epoch", "step", "score", "scores", "epochs", "data_digest", "seed", "weights_sha256", TEMPERATURES)
_WORDS_HELD = 12_000  # by `pipe`, beside the text that exceeds the number: some batches of Network.annotate


class Predictor:
    """The predicting half of `Pipeline`, which sets these attributes."""

    components: dict[str, Component]
    lang: str
    meta: dict[str, Any]
    network: Network
    annotating: list[str]  # see `Pipeline`
    selections: list[Selection]  # the active selections, see `Pipeline.select_pipes`
    threads: int | None
    tokenizer_block: Mapping[str, Any]
    _tokenize: Callable[[str], tuple[list[str], list[bool]]] | None

    @property
    def parameters(self) -> Parameters:
        """All weights."""
        return self.network.parameters

    @property
    def lexemes(self) -> Lexemes:
        """The known words and their counts in the training data."""
        return self.network.lexemes

    @property
    def seed(self) -> int:
        return self.network.seed

    @property
    def shared_tok2vec(self) -> bool:
        return self.network.is_shared

    @property
    def pipe_names(self) -> list[str]:
        """The names of the components that take part, see `select_pipes`."""
        if not self.selections:
            return list(self.components)
        off = disabled(self.selections, self.components)
        return [name for name in self.components if name not in off]

    @property
    def predicting(self) -> list[str]:
        """The names of the components that predict: those that take part, and those that annotate for them."""
        taking_part = self.pipe_names
        return [name for name in self.components if name in taking_part or name in self.annotating]

    def _repr_html_(self) -> str:
        """The pipeline as a table, for notebooks."""
        return drawn(self.components, self.pipe_names, self.parameters, self.lang, self.meta)

    def _build(self, fresh: Collection[str] = ()) -> None:
        """Build the missing models. fresh: owners whose weights begin again."""
        if self.network.build(fresh):
            self._forget_scores()

    def _prepare(self) -> None:
        """Build the missing models, and apply the weight updates that an optimizer has postponed.

        The process keeps some freed memory from now on (allocator.py).
        """
        keep_freed_memory(IN_PREDICTION)
        self._build()
        self.network.settle()

    def _forget_scores(self) -> None:
        """Remove scores and other facts about the old weights from meta, because the weights change."""
        for key in ABOUT_WEIGHTS:
            self.meta.pop(key, None)

    def make_doc(self, text: str) -> Doc:
        """Tokenize a text into a Doc."""
        if not isinstance(text, str):
            hint = "Write nlp(text) for one text, nlp.pipe(texts) for many."
            raise RunnerError(f"a text is a string, not {type(text).__name__}", hint=hint)
        if self._tokenize is None:
            self._tokenize = resolve(self.tokenizer_block, "tokenizers", "pipeline.tokenizer")
            assert self._tokenize is not None
        return Doc.tokenized(text, self._tokenize(text))

    def __call__(self, text: str | Doc, *, confidence: bool = True) -> Doc:
        """Annotate one text. confidence: give each prediction its probability, as `ent.confidence`."""
        doc = text if isinstance(text, Doc) else self.make_doc(text)
        self.predict([doc], confidence=confidence)
        return doc

    @overload
    def pipe(
        self,
        texts: Iterable[str | Doc],
        batch_size: int = 256,
        *,
        as_tuples: Literal[False] = False,
        confidence: bool = False,
    ) -> Iterator[Doc]: ...
    @overload
    def pipe(
        self,
        texts: Iterable[tuple[str | Doc, Context]],
        batch_size: int = 256,
        *,
        as_tuples: Literal[True],
        confidence: bool = False,
    ) -> Iterator[tuple[Doc, Context]]: ...
    def pipe(
        self, texts: Iterable[Any], batch_size: int = 256, *, as_tuples: bool = False, confidence: bool = False
    ) -> Iterator[Any]:
        """Annotate a stream of texts in order, with the components that take part now.

        batch_size: how many texts are held in memory; fewer if they have 12,000 words together. No prediction depends
        on it, but for the last bits of `doc.cats` (1e-7), which differ with the texts beside a text.
        as_tuples: take (text, context) pairs and yield (doc, context) pairs; a context may be anything.
        confidence: give each prediction its probability, as `ent.confidence`. The texts are computed one at a time
        then, which takes several times as long, so that each has the numbers that `nlp(text)` gives, to the last bit.
        """
        if isinstance(texts, str | Doc):
            raise RunnerError(
                "nlp.pipe takes many texts, and was given one", hint="Write nlp(text), or nlp.pipe([text])."
            )
        names = self.predicting
        if not as_tuples:
            return self._stream(texts, batch_size, names, confidence=confidence)
        contexts: deque[Any] = deque()  # of the texts held
        docs = self._stream(_set_aside(texts, contexts), batch_size, names, confidence=confidence)
        return ((doc, contexts.popleft()) for doc in docs)

    def _stream(
        self, texts: Iterable[str | Doc], batch_size: int, names: Sequence[str], *, confidence: bool
    ) -> Iterator[Doc]:
        batch: list[Doc] = []
        n_words = 0
        for text in texts:
            batch.append(text if isinstance(text, Doc) else self.make_doc(text))
            n_words += len(batch[-1])
            if len(batch) >= batch_size or n_words >= _WORDS_HELD:
                self.predict(batch, names, confidence=confidence)
                yield from batch
                batch, n_words = [], 0
        self.predict(batch, names, confidence=confidence)
        yield from batch

    @with_own_threads
    def predict(self, docs: Sequence[Doc], names: Sequence[str] | None = None, *, confidence: bool = False) -> None:
        """Annotate docs in place. names: the components that predict, in order; None: `predicting`.

        confidence: as in `pipe`.
        """
        self._prepare()
        temperatures = self.meta.get(TEMPERATURES, {}) if confidence else None
        self.network.annotate(docs, self.predicting if names is None else names, temperatures)

    @with_own_threads
    def ent_candidates(self, docs: Sequence[Doc], threshold: float) -> list[list[Candidate]]:
        """For each doc, every possible entity with a probability of at least `threshold`, on the doc's own tokens.

        Each candidate is (start, end, label, probability). Candidates may overlap. The docs are not annotated.
        """
        self._prepare()
        return self.network.ent_candidates(docs, self.pipe_names, threshold)

    @with_own_threads
    def pseudo_label(self, references: Sequence[Doc], rules: Mapping[str, Rule]) -> list[dict[str, Written]]:
        """Write into annotated docs, where they have gaps, what the components with a rule are sure of (pseudo_labels.py).

        Returns, for each doc, component → what it has written. Raises RunnerError for a component that tells no confidence.
        """
        self._prepare()
        return self.network.pseudo_label(references, rules, self.meta.get(TEMPERATURES, {}))

    def evaluate(self, examples: Sequence[Example]) -> dict[str, Any]:
        """Predict and score the examples. Return every component's scores, token_acc, speed (words/s) and per_type.

        A score is None if the examples have no gold annotation for it. examples: Examples, or (text, annotations) pairs.
        """
        examples = as_examples(examples, None, self.make_doc)  # once: predict and score the same Examples
        docs = [e.predicted.copy_unannotated() if self.changes_tokens else e.predicted for e in examples]
        started = time.perf_counter()
        self.predict(docs)
        seconds = time.perf_counter() - started
        if self.changes_tokens:
            examples = [Example(doc, e.reference) for doc, e in zip(docs, examples, strict=True)]
        return {**self.score(examples), "speed": sum(map(len, docs)) / max(seconds, 1e-9)}

    def score(self, examples: Sequence[Example]) -> dict[str, Any]:
        """Score the examples' current predictions. Return every component's scores, token_acc and per_type."""
        scores: dict[str, Any] = dict(token_scorer()(examples)[0])
        per_type: dict[str, PerType] = {}
        for component, some in self.scored(examples):
            own, per_type[component.name] = component.score(some)
            scores.update(own)
        return {**scores, "per_type": per_type}

    def gold_scores(self, examples: Sequence[Example]) -> dict[str, Any]:
        """As `score`, of examples that have no predictions yet: the gold annotation alone decides which scores are None."""
        components = [self.components[name] for name in self.pipe_names]
        return self.score(
            examples if all(one.scores_unpredicted for one in components) else self.predicted_copies(examples)
        )

    def predicted_copies(self, examples: Sequence[Example]) -> list[Example]:
        """Copies of the examples, predicted now, on the tokens that the pipeline makes. The examples stay as they are."""
        docs = [example.predicted.copy_unannotated() for example in examples]
        self.predict(docs)
        return [Example(doc, example.reference) for doc, example in zip(docs, examples, strict=True)]

    def counts(self, examples: Sequence[Example]) -> list[Counts]:
        """Each doc's counts for the components' main scores (counts.py), from the current predictions."""
        per_doc: list[Counts] = [{} for _ in examples]
        for component, some in self.scored(examples):
            for counts, own in zip(per_doc, component.counts(some), strict=True):
                counts.update(own)
        return per_doc

    def graded(self, examples: Sequence[Example]) -> dict[str, dict[str, Graded]]:
        """Component → layer → the examples' current predictions that have a confidence and gold; see calibration.py."""
        return {component.name: component.graded(some) for component, some in self.scored(examples)}

    @with_own_threads
    def likelihoods(self, examples: Sequence[Example]) -> list[tuple[str, Likelihood]]:
        """(component, likelihood) for each batch of the examples in which it has gold; see Component.likelihood."""
        self._prepare()
        return list(self.network.likelihoods(as_examples(examples, None, self.make_doc), self.pipe_names))

    def scored(self, examples: Sequence[Example]) -> Iterator[tuple[Component, Sequence[Example]]]:
        """Yield each enabled component that has weights, with the examples on the tokens that the component sees."""
        for name in self.pipe_names:
            component = self.components[name]
            if component.has_weights:
                yield component, examples
            else:
                examples = [component.on_same_tokens(example) for example in examples]

    @property
    def changes_tokens(self) -> bool:
        """Whether prediction changes a doc's tokens. If so, examples are predicted on copies."""
        return any(not self.components[name].has_weights for name in self.pipe_names)


def _set_aside(pairs: Iterable[Any], contexts: deque[Any]) -> Iterator[Any]:
    """The texts of (text, context) pairs; the contexts are appended to `contexts`."""
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise RunnerError(
                f"nlp.pipe(as_tuples=True) takes (text, context) pairs, and was given a {type(pair).__name__}",
                hint='Give pairs: nlp.pipe([("Uber grows", {"id": 1})], as_tuples=True); or leave as_tuples out.',
            )
        contexts.append(pair[1])
        yield pair[0]
