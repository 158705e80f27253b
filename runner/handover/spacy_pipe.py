"""A trained pipeline as one component of a spaCy pipeline: the factory `runner`.

    nlp = spacy.blank("en")
    nlp.add_pipe("runner", config={"model": "mine", "enable": ["tagger"]})
    nlp.add_pipe("ner", source=spacy.load("en_core_web_sm"))

spaCy finds the factory by the entry point `spacy_factories` of this project; nothing of a model's folder is run. The component
writes the layers that its own components predict and leaves all others alone; in a layer that two components write, the
later one's annotation stands. On disk it is a model folder of ours inside spaCy's folder.
"""

# No `from __future__ import annotations` here: spaCy reads the annotations of the factory as objects.

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from spacy.language import Language

from runner.components.pipeline import Pipeline, load
from runner.corpus.doc import Doc
from runner.errors import RunnerError
from runner.handover.spacy_docs import annotate, from_spacy
from runner.handover.spacy_scores import spacy_scores
from runner.tracking.model_source import find_model

FACTORY = "runner"
_LAYERS = ("tags", "pos", "heads", "deps", "cats", "ents")


@Language.factory(
    FACTORY, default_config={"model": None, "enable": None, "ops": "numpy", "confidence": False}, retokenizes=False
)
def make_pipe(
    nlp: Language,
    name: str,
    model: str | None,
    enable: list[str] | None,
    ops: str,
    confidence: bool,
) -> "SpacyPipe":
    """The component. model: any MODEL of the command line; None: it comes from spaCy's folder. enable: the components of
    the model that predict; None: all. confidence: keep probabilities in `doc.user_data["runner_confidence"]`, which takes
    several times as long.

    Warns if there is no such model here. It is no error yet: spaCy calls this for a folder that it loads as well, and such a
    folder brings its own model, wherever the first one was. An address in MLflow is asked at the first text alone.
    """
    if model is not None and ":/" not in model:
        try:
            find_model(model)
        except RunnerError as error:
            place = f"{error.place}: " if error.place else ""
            warnings.warn(f"{place}{error.fact}; {name!r} needs it, unless spaCy's folder brings a model", stacklevel=2)
    return SpacyPipe(name, model, enable, ops, confidence=confidence)


class SpacyPipe:
    """What spaCy calls. The model is read at its first use: a folder that spaCy loads brings its own."""

    def __init__(
        self,
        name: str = FACTORY,
        model: str | None = None,
        enable: list[str] | None = None,
        ops: str = "numpy",
        *,
        confidence: bool = False,
    ) -> None:
        self.name = name
        self.model = model
        self.enable = enable
        self.ops = ops
        self.confidence = confidence
        self._pipeline: Pipeline | None = None

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline. Raises RunnerError if there is no model, or it cannot be read."""
        if self._pipeline is None:
            if self.model is None:
                hint = f'Write nlp.add_pipe("{FACTORY}", config={{"model": "model-best"}}).'
                raise RunnerError("the component has no model", place=self.name, hint=hint)
            self.take(load(find_model(self.model).folder, (), self.ops))
        assert self._pipeline is not None
        return self._pipeline

    def take(self, pipeline: Pipeline) -> None:
        """Predict with this pipeline from now on. Raises RunnerError if it merges tokens, or `enable` names none of it."""
        if self.enable is not None:
            pipeline.select_pipes(enable=self.enable)
        if pipeline.changes_tokens:
            hint = 'Leave that component out (enable); spaCy has its own: nlp.add_pipe("merge_entities").'
            raise RunnerError("a component of the model merges tokens", place=self.name, hint=hint)
        self._pipeline = pipeline

    def __call__(self, doc: Any) -> Any:
        """Annotate one spaCy Doc in place."""
        self._annotate([doc])
        return doc

    def pipe(self, stream: Iterable[Any], *, batch_size: int = 128) -> Iterator[Any]:
        """Annotate a stream of spaCy Docs in order. No prediction depends on batch_size."""
        batch: list[Any] = []
        n_words = 0
        for doc in stream:
            batch.append(doc)
            n_words += len(doc)
            if len(batch) >= batch_size or n_words >= _WORDS_HELD:
                self._annotate(batch)
                yield from batch
                batch, n_words = [], 0
        self._annotate(batch)
        yield from batch

    def _annotate(self, targets: list[Any]) -> None:
        docs = [from_spacy(target) for target in targets]
        self.pipeline.predict(docs, confidence=self.confidence)
        for target, doc in zip(targets, docs, strict=True):
            annotate(target, doc, _layers(doc))

    def score(self, examples: Iterable[Any], **options: Any) -> dict[str, Any]:
        """spaCy's own scores of the layers that the model predicts, for `nlp.evaluate`."""
        return spacy_scores(self.pipeline, list(examples))

    def initialize(self, get_examples: Any, *, nlp: Any = None) -> None:
        """Nothing: the model is trained already."""

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """The model folder as bytes."""
        return self.pipeline.to_bytes()

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> "SpacyPipe":
        """Take the model of `to_bytes`. Raises RunnerError if the bytes are damaged."""
        self.take(Pipeline(ops=self.ops).from_bytes(data))
        return self

    def to_disk(self, path: Any, *, exclude: Iterable[str] = ()) -> None:
        """Write the model folder."""
        self.pipeline.to_disk(path)

    def from_disk(self, path: Any, *, exclude: Iterable[str] = ()) -> "SpacyPipe":
        """Take the model in a folder. Raises RunnerError if it is damaged, or needs code."""
        self.take(load(Path(path), (), self.ops))
        return self


_WORDS_HELD = 12_000  # in a batch, beside the text that exceeds the number


def _layers(doc: Doc) -> "frozenset[str]":
    """The layers that the doc's components have predicted."""
    return frozenset(layer for layer in _LAYERS[:-1] if getattr(doc, layer) is not None) | (
        frozenset(["ents"]) if doc.has_ents else frozenset()
    )
