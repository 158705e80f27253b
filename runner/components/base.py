"""What every component does: learn labels, turn token vectors into annotations, score them.

A component is a head. The pipeline runs the tok2vec (its own, or one shared with others) and hands the vectors over; the
component returns their gradient.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from thinc.api import Model

from runner.components.advice import Advice, Size, between
from runner.components.beliefs import Beliefs, Lesson
from runner.components.calibration import Graded
from runner.components.counts import Counts
from runner.components.decisions import Decisions
from runner.components.facts import Facts, Flaw
from runner.components.inputs import Batch
from runner.components.outcomes import Chance, Outcome, View
from runner.components.pseudo_labels import WORD_LAYERS, Rule, Written, fill_words
from runner.components.scores import PerType, Scores
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.no_labels import holding, unread_keys
from runner.corpus.writers.jsonl import record_of
from runner.errors import Diverged, RunFailed, RunnerError
from runner.model.dropout import Dropout
from runner.model.layout import Floats2d, Tokens
from runner.model.tok2vec import HasFiles, WithParts
from runner.spacy_names import unknown

Candidate = tuple[int, int, str, float]  # an entity: start, end, label, probability
Likelihood = Callable[[float], float]  # temperature → negative log-likelihood

DEFAULT_BATCH_SIZE = 16  # examples, in batch=growing, where no component tells a size


class Component(ABC):
    """One trainable step of a pipeline.

    name: its key in the pipeline. type: its name in the registry. labels: in the order of the model's rows.
    masks: the source of its dropout masks, which do not depend on other components.
    dropout: its own rate, in place of the run's; None: the run's.

    What the others must know of a component stands on its class, and nothing looks up its type:

    columns: score → heading, wherever scores stand in columns (the console's table, MLflow's views). heading: of its loss
    there; empty: its name. score_weights: its part of the final score when the config names none.
    max_batch_size: examples, in batch=growing; None: the other components decide.
    docs_at_once: long docs that it predicts in one batch, for layers that step from word to word through all docs: a step
    costs about the same for one doc and for sixteen.
    annotation: keys of corpus/annotations.py that it learns from; None: not told.
    outcome_view: how the error page draws its outcomes (outcomes.py).
    adjustable: settings that may differ when its training goes on from a trained model; all others say what it is.
    partial_labels: see `corpus.partial_labels`; a component that has this attribute can learn from such data.
    hides_words: whether it has `hide`. Its tok2vec then runs for it alone, also where others share it.
    has_weights: False for a step that changes the tokens of the components after it (merge.py).
    scores_unpredicted: whether `score` may be called before anything is predicted, to tell which scores have gold. Where
    it may not, as in a component that does not say so, the dev set is predicted once more before training.
    """

    type: str
    heading: str = ""
    columns: ClassVar[Mapping[str, str]] = {}
    score_weights: ClassVar[Mapping[str, float]]
    max_batch_size: ClassVar[int | None] = None
    docs_at_once: ClassVar[int] = 1
    annotation: ClassVar[tuple[str, ...] | None] = None
    outcome_view: ClassVar[View] = "words"
    adjustable: ClassVar[tuple[str, ...]] = ("dropout",)
    hides_words = False
    has_weights = True
    scores_unpredicted: ClassVar[bool] = False
    partial_labels: frozenset[str] | None = None

    def __init__(self, name: str, build_tok2vec: Any | None) -> None:
        self.name = name
        self.heading = self.heading or name
        self.build_tok2vec = build_tok2vec
        self.labels: list[str] = []
        self.head: Model[Any, Any] | None = None
        self.masks = Dropout()
        self.dropout: Callable[[int], float] | None = None
        self._label_rows: dict[str, int] = {}

    if not TYPE_CHECKING:  # else a type checker would take any name

        def __getattr__(self, name: str) -> Any:
            raise unknown("component", self, name)

    def add_label(self, label: str) -> bool:
        """Learn one more label; False where it is known. The model grows at the next update or prediction."""
        if not isinstance(label, str) or not label.strip():
            raise RunnerError(f"a label is a string, not {label!r:.40}", hint='Write add_label("ANIMAL").')
        if label in self.labels:
            return False
        self.add_labels([label])
        return True

    def add_labels(self, labels: Sequence[str]) -> None:
        """Learn labels that are not known yet. Raises RunnerError for one that the component cannot have."""
        self.labels += labels
        self.head = None

    @property
    def label_rows(self) -> Mapping[str, int]:
        """Label → its row."""
        if list(self._label_rows) != self.labels:
            self._label_rows = {label: i for i, label in enumerate(self.labels)}
        return self._label_rows

    def files(self) -> dict[str, bytes]:
        """Files, by name, that a saved model must hold beside the weights: those of a tok2vec that has any."""
        return self.build_tok2vec.files() if isinstance(self.build_tok2vec, HasFiles) else {}

    def take_files(self, files: Mapping[str, bytes]) -> None:
        """Use these files of a saved model, before anything is built. Raises ValueError if others are needed."""
        if isinstance(self.build_tok2vec, HasFiles):
            self.build_tok2vec.take_files(files)
        elif files:
            raise ValueError(f"{self.name!r} has no use for files")

    def question(self, examples: Sequence[Example]) -> Any:
        """What a teacher must be told of these examples, beside their words, before it tells its beliefs. Here: nothing."""
        return None

    def have_vectors(self, words: Sequence[str]) -> NDArray[np.bool_] | None:
        """Whether each word has a vector that was known before training, (n,); None if the tok2vec reads no such vectors."""
        return self.build_tok2vec.know(words) if isinstance(self.build_tok2vec, WithParts) else None

    def beliefs(self, batch: Batch) -> Any:
        """What it teaches as a teacher: as a rule, the probability of each of its states, (n_states, n_tokens or n_docs).

        `batch.question` is what the student's `question` returned.
        Raises RunnerError where it cannot teach.
        """
        raise self._cannot("teach")

    def learn_from(self, batch: Batch, examples: Sequence[Example], beliefs: Beliefs) -> Lesson:
        """An update as `update` makes one, from gold annotation and from a teacher's beliefs about the same docs.

        Raises RunnerError where it cannot learn from a teacher.
        """
        raise self._cannot("learn from a teacher")

    def pseudo_label(self, batch: Batch, references: Sequence[Doc], rule: Rule) -> Iterator[Written]:
        """As a teacher: predict, and write into each reference what it leaves open and this component is sure of.

        batch: docs on the references' own words, with a temperature. The references are changed, but for what they say already.
        Here: the layers of `annotation` that have one value and one confidence a word. Raises RunnerError where the component
        tells no confidence.
        """
        self.annotate(batch)
        layers = [layer for layer in WORD_LAYERS if layer in (self.annotation or ())]
        for doc, reference in zip(batch.docs, references, strict=True):
            if len(doc) and not any(layer in (doc.confidence or {}) for layer in layers):
                raise self._cannot("say how sure it is of each word")
            yield Written(fill_words(reference, doc, layers, rule.minimum))

    def hide(self, tokens: Tokens, batch: Batch, *, is_train: bool) -> tuple[Tokens, NDArray[np.intp]]:
        """Return what its tok2vec reads in place of a batch's tokens, and the positions of the words that it does not see.

        Asked only if `hides_words`. is_train: draw at random, from `masks` alone; else choose by each text alone.
        """
        return tokens, np.zeros(0, dtype="intp")

    @property
    def has_lessons(self) -> bool:
        """Whether it can teach, and learn from a teacher."""
        own = type(self)
        return own.beliefs is not Component.beliefs and own.learn_from is not Component.learn_from

    def unlike(self, teacher: Component) -> str | None:
        """Why this component cannot learn from another, trained one ("it is …"); None if it can."""
        return None if self.type == teacher.type else f"another kind there ({teacher.type})"

    def _cannot(self, what: str) -> RunnerError:
        hint = "Leave it as it is with training.components=[…], or set teacher=none."
        return RunnerError(f"{self.name!r} ({self.type}) cannot {what}", place="teacher", hint=hint)

    def drop(self, rate: float, step: int) -> float:
        """The dropout rate of an update: its own where it has one, but for an update that is to have none at all.

        Raises RunFailed where a schedule leaves the range of a rate.
        """
        if not rate or self.dropout is None:
            return rate
        own = self.dropout(step)
        if not 0 <= own < 1:
            raise RunFailed(
                f"the schedule gives {own} at step {step}",
                place=f"pipeline.components.{self.name}.dropout",
                hint="It must stay from 0 to below 1.",
            )
        return own

    def advice(self, size: Size) -> Advice:
        """Settings for training data of that size, where the config leaves them to the run (`auto`)."""
        return Advice(learn_rate=0.002, dropout=(0.2, 0.2), batch_words=between(40, size.words / 60, 600), epochs=15)

    def describe(self, block: Mapping[str, Any]) -> dict[str, Any]:
        """`block`, this component's config, as a saved model holds it: without need of any file outside the model."""
        return dict(block)

    @abstractmethod
    def labels_in(self, examples: Iterable[Example]) -> list[str]:
        """The labels that the gold annotation uses, sorted.

        Of a packed corpus it is shown the examples that hold, between them, every value of each layer.
        """

    def flaws(self, examples: Iterable[Example]) -> Iterator[Flaw]:
        """Why learning from these training examples is worth little, their labels being known; as a rule there are none.

        Look no further into the examples than it takes: they may be many, and on disk.
        """
        return iter(())

    def nothing_to_learn(self, examples: Sequence[Example]) -> Flaw:
        """Why these training examples have no label for this component."""
        holds, choice = holding(examples)
        fact = f"no example in the training data has a label for {self.name!r}{holds}"
        hint = (
            choice or f"{self.heading} needs annotations; is this the right file, and corpus.reader the right reader?"
        )
        return Flaw(fact, hint + unread_keys(examples))

    def facts(self, examples: Sequence[Example]) -> Facts:
        """What `debug` tells of the annotation that this component learns from. Here: in how many texts each label is."""
        facts = Facts("texts", n_docs=len(examples))
        for example in examples:
            labels = self.labels_in([example])
            facts.n_annotated += bool(labels)
            facts.labels.update(labels)
        facts.n_values = facts.labels.total()
        return facts

    def doubts(self, example: Example) -> Iterator[tuple[object, str]]:
        """What cannot be learned from an annotation that someone wrote in Python.

        Each doubt as (what to say only once, the words after the example's text); as a rule there are none.
        """
        return iter(())

    @abstractmethod
    def build_head(self, width: int, dropout: Dropout) -> Model[Any, Any]:
        """A model from token vectors (width, n_tokens) to this component's scores, for the labels known now.

        width is 0 for a component without tok2vec. Layers' names start with the component's.
        """

    @abstractmethod
    def update(self, batch: Batch, examples: Sequence[Example]) -> tuple[float, Floats2d | None]:
        """Add to the gradient of the head; return the loss and the gradient of `batch.vectors.X`.

        The gradient is None without tok2vec, and where no example has this component's annotation (the loss is 0 then).
        """

    def check_finite(self, scores: Floats2d) -> None:
        """Raises Diverged where a score is not finite: of such, the best is no prediction."""
        if not np.isfinite(scores).all():
            raise Diverged(
                f"the scores of {self.name} are not finite", hint="Lower optimizer.learn_rate, and train again."
            )

    @abstractmethod
    def annotate(self, batch: Batch) -> None:
        """Predict, and write the predictions into the docs.

        If `batch.temperature` is a number, also write the probability of each prediction, computed from scores that are
        divided by it: `ent.confidence`, or a layer of `doc.confidence` (corpus/token_layers.py). A component that has no
        probabilities leaves them out.
        """

    def retokenized(self, example: Example) -> Example:
        """The example on the tokens that the components after this one learn from, where this one has no weights."""
        return example

    def on_same_tokens(self, example: Example) -> Example:
        """The predicted example with its reference on the tokens that this component has made, to score those after it."""
        return example

    def candidates(self, batch: Batch, threshold: float) -> list[list[Candidate]]:
        """For each doc every entity of at least that probability; they may overlap. Here: none."""
        return [[] for _ in batch.docs]

    def decisions(self, examples: Sequence[Example]) -> Decisions | None:
        """The probabilities that a threshold turns into labels; None where it takes none, or the references have no gold.

        The examples are predicted.
        """
        return None

    def set_threshold(self, threshold: float | Mapping[str, float]) -> dict[str, Any]:
        """Decide by this threshold from now on (or by label → its own); the keys of the component's block that keep it.

        Only for a component that has `decisions`.
        """
        raise RunnerError(f"{self.name!r} decides by no threshold")

    def as_record(self, doc: Doc) -> dict[str, Any]:
        """This component's part of an annotated doc, as plain values under the keys of corpus/annotations.py.

        Entities count in characters of `doc.text`; whoever gives one value a word gives the `words` too. Here, for a
        component that does not say better: every layer that the doc has, and its meta.
        """
        return {key: value for key, value in record_of(doc).items() if key not in ("text", "spaces")}

    def drop_unsure(self, doc: Doc, minimum: float) -> None:  # noqa: B027  # not abstract: it may do nothing
        """Remove this component's predictions with a confidence below `minimum` from the doc, where a doc can do without.

        Here: nothing. Every token keeps its tag and its head.
        """

    def graded(self, examples: Sequence[Example]) -> dict[str, Graded]:
        """Layer → the predictions that have a confidence and gold, and whether they are right. Here: none."""
        return {}

    def likelihood(self, batch: Batch, examples: Sequence[Example]) -> Likelihood | None:
        """The negative log-likelihood, summed, of the gold annotation or of the predictions' outcome, if the scores are
        divided by a temperature. None: these examples have no gold, or the component no probabilities.
        """
        return None

    @abstractmethod
    def score(self, examples: Sequence[Example]) -> tuple[Scores, PerType]:
        """Scores of the predicted docs against the references, 0 to 1; and the same for each label.

        None for a score that the references have no gold for. Which scores are None depends on the references alone.
        """

    def outcomes(self, example: Example) -> list[Outcome] | None:
        """The predictions of a predicted example beside its gold annotation, right ones too; see outcomes.py.

        Empty without gold annotation. None, as here: the component does not tell, and the error page has its scores only.
        """
        return None

    def chances(self, example: Example) -> list[Chance]:
        """The probability of every label that the whole text could have, for precision-recall curves. Here: none."""
        return []

    def counts(self, examples: Sequence[Example]) -> list[Counts]:
        """What each predicted doc contributes to the main scores (counts.py); nothing for scores that are no such sum."""
        return [{} for _ in examples]


def max_batch_size(components: Iterable[Component], decisive: str | None = None) -> int:
    """The largest batch that all of these components train well with, in examples.

    decisive: the name or type of the only one that counts. Raises RunnerError where that one tells no size.
    """
    sizes = {(part.name, part.type): part.max_batch_size for part in components if part.max_batch_size is not None}
    if decisive is None:
        return min(sizes.values(), default=DEFAULT_BATCH_SIZE)
    named = [size for names, size in sizes.items() if decisive in names]
    if not named:
        known = ", ".join(sorted(name for name, _ in sizes)) or "none"
        fact = f"no batch size is known for component {decisive!r} (known: {known})"
        raise RunnerError(fact, place="batch.component", hint="Give batch.stop a number.")
    return min(named)
