"""What is compared: jobs, batch regimes, and the description of one run, which a process of its own is handed as JSON.

A job is the same work on both sides: data, gold tokens, width and depth of the token vectors, batches, and the score that
says how well it was done. Nothing here runs anything, and nothing imports spaCy.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.errors import RunnerError, suggest

SIDES = ("ours", "spacy")
LEARN_RATE = 0.001  # of both sides' Adam
OURS_DROPOUT = 0.2


@dataclass(frozen=True)
class Job:
    """One kind of work.

    pipeline: our overrides that make it. components: spaCy's names of the same. score: weights of the scores that make
    the one score of a curve (both sides use these names). width, depth: of the token vectors. epochs: of an accuracy run.
    folds: the corpus has no split of its own; the run's seed picks the fold.
    """

    pipeline: Sequence[str]
    corpus: str
    components: Sequence[str]
    score: Mapping[str, float]
    width: int = 96
    depth: int = 4
    epochs: int = 8
    folds: int | None = None
    is_default: bool = True  # whether it runs where no job is named


JOBS: dict[str, Job] = {
    "tagger": Job(["pipeline=tagger"], "ud_english_ewt", ["tagger"], {"tag_acc": 1.0}),
    "parser": Job(["pipeline=parser"], "ud_english_ewt", ["parser"], {"dep_las": 1.0}),
    "ner": Job(["pipeline=ner"], "wnut17", ["ner"], {"ents_f": 1.0}, epochs=10),
    "textcat_bow": Job(["pipeline=textcat_bow"], "movie_reviews", ["textcat_bow"], {"cats_macro_f": 1.0}, epochs=5),
    # As that, with pairs of words on spaCy's side too: its default has single words alone.
    "textcat_bow_pairs": Job(
        ["pipeline=textcat_bow"], "movie_reviews", ["textcat_bow_pairs"], {"cats_macro_f": 1.0}, epochs=5, is_default=False,
    ),
    # Width and depth are spaCy's defaults for it.
    "textcat_ensemble": Job(
        ["pipeline=textcat"], "movie_reviews", ["textcat"], {"cats_macro_f": 1.0}, width=64, depth=2, epochs=5,
    ),
    "tagger_parser": Job(
        ["pipeline=full", "~pipeline.components.ner", "~pipeline.score_weights.ents_f"], "ud_english_ewt",
        ["tagger", "parser"], {"tag_acc": 0.5, "dep_las": 0.5},
    ),
    "ner_wikigold": Job(
        ["pipeline=ner"], "wikigold", ["ner"], {"ents_f": 1.0}, epochs=10, folds=5, is_default=False,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Regime:
    """How batches are made: sizes compound from `start` to `stop`, in words or in sentences.

    spacy_dropout: what spaCy is given; 0.1 is its default config's.
    """

    unit: str
    start: float
    stop: float
    compound: float
    spacy_dropout: float

    @property
    def ours(self) -> list[str]:
        """The same as overrides of ours."""
        if self.unit == "words":
            prefix, head = "batch.size.", ["batch=words"]
        else:
            prefix, head = "batch.", ["batch=growing"]
        return [*head, *(f"{prefix}{key}={getattr(self, key)}" for key in ("start", "stop", "compound"))]


REGIMES: dict[str, Regime] = {
    "words": Regime("words", 100.0, 1000.0, 1.001, spacy_dropout=0.1),
    "sentences": Regime("sentences", 1.0, 32.0, 1.001, spacy_dropout=0.2),
}


@dataclass(frozen=True)
class Spec:
    """One run of one side.

    kind: "speed" or "accuracy". epochs: None for what our preset says. words, limit: None for no bound.
    evals: evaluations an epoch (accuracy). settings: further overrides of ours. threads: None for each side's default.
    """

    kind: str
    side: str
    job: str
    batch: str
    seed: int = 0
    epochs: int | None = None
    words: int | None = None
    limit: int | None = None
    evals: int = 1
    width: int = 96
    depth: int = 4
    threads: int | None = None
    settings: tuple[str, ...] = ()
    data: str = field(default="", compare=False)  # folder with our files, or that of the converted ones

    @property
    def name(self) -> str:
        """Of the file that keeps its result: readable, and another for other settings.

        >>> Spec("speed", "ours", "tagger", "words").name
        'speed.tagger.words.ours.0.c45bae16.json'
        """
        values = {key: value for key, value in self.as_dict().items() if key != "seed"}
        digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]
        return f"{self.kind}.{self.job}.{self.batch}.{self.side}.{self.seed}.{digest}.json"

    def as_dict(self) -> dict[str, Any]:
        """For the record: all but where the data lies."""
        values = {key: value for key, value in dataclasses.asdict(self).items() if key != "data"}
        return {**values, "settings": list(self.settings)}

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Spec:
        return cls.from_dict(json.loads(text))

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Spec:
        spec = cls(**values)  # type: ignore[arg-type]
        return dataclasses.replace(spec, settings=tuple(spec.settings))


def find_job(name: str) -> Job:
    if name not in JOBS:
        raise RunnerError(f"unknown job; {suggest(name, JOBS)}", place=f"--jobs {name}")
    return JOBS[name]


def our_overrides(spec: Spec) -> list[str]:
    """What our side is configured with: the job, the regime, and then `settings`, which win.

    A preset (`experiment=…`) has batches, dropout, width and epochs of its own: none of the regime's are given then.

    >>> our_overrides(Spec("speed", "ours", "tagger", "words", settings=("experiment=tagger",), epochs=2))
    ['pipeline=tagger', 'corpus=ud_english_ewt', 'seed=0', 'tracking=none', 'training.max_epochs=2', 'experiment=tagger']
    """
    job = find_job(spec.job)
    base = [*job.pipeline, f"corpus={job.corpus}", f"seed={spec.seed}", "tracking=none"]
    if job.folds:
        base += [f"corpus.fold={spec.seed % job.folds}"]
    if spec.limit:
        base += [f"corpus.limit={spec.limit}"]
    if spec.epochs is not None:
        base += [f"training.max_epochs={spec.epochs}"]
    if spec.threads is not None:
        base += [f"compute.threads={spec.threads}"]
    given = {setting.lstrip("+~").partition("=")[0] for setting in spec.settings}
    if "experiment" not in given:
        base += [f"tok2vec.width={spec.width}", f"tok2vec.depth={spec.depth}"]
        base += ["dropout=constant", f"dropout.value={OURS_DROPOUT}", f"optimizer.learn_rate={LEARN_RATE}"]
        base += REGIMES[spec.batch].ours
    kept = []
    for override in base:
        key = override.lstrip("+~").partition("=")[0]
        parents = {key, key.partition(".")[0]} if key.startswith(("batch.", "dropout.", "tok2vec.")) else {key}
        if not parents & given:
            kept.append(override)
    return [*kept, *spec.settings]
