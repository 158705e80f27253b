"""The reference manual: every key of a run with its type, default, unit and meaning.

Hydra merges the files of conf/ onto `typed_base()`, so a wrong type or a misspelt key stops before anything is loaded.
A key marked as a block holds `{type: NAME, ...}`: the registry entry NAME decides which further keys it takes, and
check.py checks them. The dataclasses are not frozen, because Hydra must be able to override their fields.

This module imports nothing heavy, because `python -m runner --help` needs it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from runner.config.ticket import Ticket
from runner.languages import DEFAULT_TOKENIZER

# Optional[int] and not int | None: OmegaConf names the type in its messages. key() makes a dataclasses.field.
# ruff: noqa: UP045, RUF009


def key(
    default: Any,
    meaning: str,
    *,
    low: float | None = None,
    high: float | None = None,
    one_of: tuple[str, ...] | None = None,
    block: str | None = None,
) -> Any:
    """A dataclass field that documents itself.

    low, high: the smallest and largest allowed number. one_of: the allowed texts.
    block: the registry that a `type:` block is looked up in.
    """
    meta = {"meaning": meaning, "low": low, "high": high, "one_of": one_of, "block": block}
    if isinstance(default, dict | list) or default in (dict, list):
        make = default if callable(default) else lambda: default.copy()
        return field(default_factory=make, metadata=meta)
    return field(default=default, metadata=meta)


@dataclass
class PipelineConfig:
    """The pipeline to train."""

    lang: str = key(
        "en", "language of the texts, such as en or de; a tokenizer that takes a language (spacy) follows it"
    )
    components: dict[str, Any] = key(dict, "name → block; trained together, in this order", block="components")
    shared_tok2vec: bool = key(False, "all components share the first one's tok2vec; false: each has its own")
    score_weights: dict[str, float] = key(
        dict,
        "score → weight (0 or more) in the final score that picks the best epoch; empty: the components' own weights",
    )
    tokenizer: dict[str, Any] = key(dict(DEFAULT_TOKENIZER), "splits raw text into words", block="tokenizers")


@dataclass
class InitConfig:
    """What a run starts from, in place of initial weights."""

    model: Optional[str] = key(
        None,
        "a trained model to go on with: its pipeline, labels, weights and words; a folder, runs:/…, models:/… or a package",
    )
    tok2vec: Optional[str] = key(
        None,
        "a pretrained model, named likewise: token vectors start from its weights and words, in components that have learned "
        "nothing yet",
    )


@dataclass
class TeacherConfig:
    """A trained model from which a run learns beside its data."""

    type: Optional[str] = key(
        None,
        "beliefs: the probabilities of its predictions, batch by batch; labels: its confident predictions, written into the "
        "training data before training; both; null: no teacher",
        one_of=("beliefs", "labels", "both"),
    )
    model: Optional[str] = key(None, "the model, named as for init.model; null: that of init.model")
    weight: Any = key(
        0.5,
        "of its belief beside the data's annotation, 0 to 1: number or block; where the data are silent, it counts alone",
        block="schedules",
    )
    texts: Any = key(
        None,
        "path, or list of paths, of raw texts that are learned from the teacher alone, mixed into the batches; their annotation, "
        "if any, is not read",
    )
    keep: bool = key(
        False,
        "what it believes about each text is computed once and kept in memory for later epochs: for a slow teacher, such as an "
        "encoder; not for parsers, whose gold heads it is asked about",
    )
    min_confidence: float = key(
        0.9,
        "the lowest probability of a prediction that is written as a label; what is less sure stays unknown",
        low=0,
        high=1,
    )

    @property
    def has_beliefs(self) -> bool:
        """Whether components learn from the teacher's probabilities."""
        return self.type in ("beliefs", "both")

    @property
    def writes_labels(self) -> bool:
        """Whether the teacher's confident predictions are written into the training data."""
        return self.type in ("labels", "both")


@dataclass
class CorpusConfig:
    """The data to train on."""

    name: Optional[str] = key(None, "name of the data set in tables and in MLflow")
    train: Any = key(None, "path, or list of paths, of the training data")
    dev: Any = key(None, "path, or list of paths, of the data that picks the best epoch")
    test: Any = key(None, "path, or list of paths, of held-out data, which influences no choice")
    old_dev: Any = key(
        None,
        "path, or list of paths, of dev data of what init.model knew before: scored beside the new, to see what is forgotten; "
        "it decides nothing",
    )
    score_test: bool = key(
        True, "score model-best on corpus.test once, when the run ends; false: do not read the test data, as for tuning"
    )
    reader: dict[str, Any] = key(dict, "reads the files", block="readers")
    gold_tokens: bool = key(True, "train and score on the tokens of the data; false: tokenize its raw text")
    partial_labels: Optional[list[str]] = key(
        None,
        "the only labels that the training data annotate: any other is unknown there, not absent; null: all labels",
    )
    folds: Optional[int] = key(None, "cut the training data into this many folds; null: use corpus.dev", low=2)
    fold: Optional[int] = key(None, "number, from 0, of the fold that serves as dev data", low=0)
    limit: Optional[int] = key(None, "read at most this many docs of each file; null: all", low=1)
    in_memory_words: int = key(
        2_000_000, "training data with more words stays on disk, packed once into a file in corpus.cache", low=0
    )
    cache: Optional[str] = key(None, "folder for packed files and checksums of large files; null: the user's cache")


@dataclass
class TrainingConfig:
    """How long a run trains, and how often it is scored."""

    components: Optional[list[str]] = key(
        None, "components that learn; the others keep their weights, and are not scored while these learn; null: all"
    )
    annotating: Optional[list[str]] = key(
        None,
        "trained components that do not learn, and predict for those that do: features tag and pos read tags, merge reads "
        "entities; null: none",
    )
    max_epochs: Optional[int] = key(None, "passes over the training data; null: by components and data", low=1)
    max_steps: Optional[int] = key(None, "updates of the weights; null: only max_epochs ends the run", low=1)
    patience: Optional[int] = key(
        None, "stop after this many evaluations without a better score; null: never stop early", low=1
    )
    eval_every: Optional[int] = key(None, "steps between evaluations; null: after each epoch", low=1)
    checkpoint_seconds: float = key(
        60.0, "seconds between checkpoints, from which resume continues; 0: save one only when interrupted", low=0
    )
    checkpoint_steps: Optional[int] = key(
        None, "steps between checkpoints, in addition to checkpoint_seconds; null: seconds only", low=1
    )
    max_rollbacks: int = key(
        0,
        "how many times a run that diverges (a loss, gradient or weight is not finite) returns to its last evaluation "
        "and halves the learning rate; 0: stop at once",
        low=0,
        high=100,
    )
    best_epoch: str = key(
        "shared",
        "shared: model-best holds all components of one epoch; each: every component of its own best epoch "
        "(needs shared_tok2vec=false)",
        one_of=("shared", "each"),
    )
    errors: bool = key(
        True, "write errors.html at the end: what model-best gets wrong on the dev set; costs 1 to 3 seconds"
    )


@dataclass
class TrackingConfig:
    """Where a run's metrics go. Trackers take further keys of their own."""

    type: str = key("mlflow", "the tracker: mlflow, or console (the table only)")
    uri: Optional[str] = key(
        None, "MLflow store; null: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db in the current folder"
    )
    experiment: Optional[str] = key(
        None, "MLflow experiment, a group of runs to compare; null: MLFLOW_EXPERIMENT_NAME, else runner"
    )
    run_name: Optional[str] = key(None, "name of the run; null: what the command line changes, short")
    system_metrics: bool = key(False, "record CPU, memory and disk use while training")
    if_unreachable: str = key(
        "fail",
        "if no MLflow server answers at the start: fail, or offline (train now; send when it is back or by `runner sync`)",
        one_of=("fail", "offline"),
    )
    register: Optional[str] = key(None, "registered model of MLflow that model-best becomes the next version of")
    alias: Optional[str] = key(None, "its alias; moves to a new version that is better on the same dev data")


@dataclass
class ComputeConfig:
    """Where and how a run computes."""

    ops: str = key(
        "numpy",
        "arithmetic: numpy, numba (compiled loops, the fastest; an extra) or blis (thinc's matrix products)",
        one_of=("numpy", "numba", "blis"),
    )
    threads: int = key(
        1, "BLAS threads of one run; more than 1 on a busy machine is many times slower", low=1, high=1024
    )
    device: str = key("cpu", "where a run computes: cpu (there is no GPU support yet)", one_of=("cpu",))


@dataclass
class RootConfig:
    """The keys of every run."""

    seed: int = key(
        0,
        "seed of weights, shuffling and dropout: the same seed, data and ops give the same bits",
        low=0,
        high=2**32 - 1,
    )
    output_dir: Optional[str] = key(None, "folder for models and summary; null: a new one under outputs/")
    resume: Optional[str] = key(
        None,
        "continue an interrupted run: auto (this command's last one, else a new run), an MLflow run id, or its folder",
    )
    force: bool = key(False, "in a multirun: repeat jobs that finished earlier, in a new folder")
    fail_fast: bool = key(False, "in a multirun: start no more jobs once one has failed")
    repeat: int = key(
        1, "in a multirun: seeds for each point, counted from `seed`; reports mean and spread", low=1, high=1000
    )
    code: list[str] = key(list, "Python files with registry entries of your own; the only Python that a config runs")
    init: InitConfig = field(default_factory=InitConfig)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    pipeline: PipelineConfig = field(default_factory=PipelineConfig)
    optimizer: dict[str, Any] = key(dict, "turns gradients into updates", block="optimizers")
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    tok2vec: dict[str, Any] = key(dict, "token vectors, shared as ${tok2vec}", block="tok2vecs")
    vectors: dict[str, Any] = key(dict, "word vectors in the embedding, shared as ${vectors}", block="vectors")
    batch: dict[str, Any] = key(dict, "how examples become batches", block="batchers")
    dropout: Any = key(
        dict, "share of activations dropped while training, 0 to below 1: number or block", block="schedules"
    )
    augmenters: dict[str, Any] = key(
        dict, "name → block; change the training examples on the fly, in this order; empty: none", block="augmenters"
    )
    training: TrainingConfig = field(default_factory=TrainingConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)


# Keys inside these are not in the schema: registry entries, components and score names decide them.
OPEN = (
    "pipeline.components", "pipeline.score_weights", "pipeline.tokenizer",
    "optimizer", "corpus.reader", "tok2vec", "vectors", "batch", "dropout", "augmenters", "tracking",
)  # fmt: skip

# Keys of `tracking` that every run has; a tracker is given only those that it takes.
SHARED_TRACKING = ("uri", "experiment", "run_name", "system_metrics", "if_unreachable", "register", "alias")


@dataclass(frozen=True)
class KeyDoc:
    """One line of the manual."""

    key: str
    type: str
    default: Any
    meaning: str


@dataclass
class RunConfig:
    """The config of one run, resolved and checked: plain values, nothing of Hydra's.

    Blocks are dicts `{"type": NAME, ...}` that passed `blocks.check`; `dropout` may also be a number.
    """

    seed: int
    output_dir: Path  # absolute; exists
    code: list[str]
    pipeline: PipelineConfig
    optimizer: dict[str, Any]
    corpus: CorpusConfig
    tok2vec: dict[str, Any]
    batch: dict[str, Any]
    dropout: Any
    training: TrainingConfig
    tracking: dict[str, Any]  # the tracker's block, with only the keys that it takes
    compute: ComputeConfig
    experiment: str = "runner"  # tracking.experiment, whatever the tracker
    run_name: str | None = None  # tracking.run_name
    overrides: list[str] = field(default_factory=list)  # of this job, as on the command line
    choices: dict[str, str] = field(default_factory=dict)  # config group → option
    is_multirun: bool = False
    job_number: int | None = None  # in a multirun, from 0
    augmenters: dict[str, Any] = field(default_factory=dict)  # name → block
    init: InitConfig = field(default_factory=InitConfig)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    resume: str | None = None
    has_own_folder: bool = False  # the user named output_dir
    force: bool = False
    fail_fast: bool = False
    repeat: int = 1
    sweep: Ticket | None = None  # of the multirun that this run is a job of
    notes: dict[str, str] = field(default_factory=dict)  # Hydra's files for the run to write: name in output_dir → text
    resolved: dict[str, Any] = field(default_factory=dict)  # the whole config as nested plain values
    kept: dict[str, Any] = field(default_factory=dict)  # `resolved` without secrets, see kept.py

    def as_dict(self) -> dict[str, Any]:
        """The config as nested plain values without secrets, fit to be saved; a fresh copy."""
        return _copied(self.kept)


def typed_base() -> Any:
    """The schema as an OmegaConf node that takes further keys inside its blocks."""
    from omegaconf import OmegaConf

    node = OmegaConf.structured(RootConfig)
    for place in OPEN:
        OmegaConf.set_struct(OmegaConf.select(node, place), False)
    return node


def manual() -> list[KeyDoc]:
    """The documentation of every key, in order, for help texts and error messages."""
    return list(_documented(RootConfig, ""))


def manual_entry(place: str) -> KeyDoc | None:
    """The documentation of the key at `place`; None if the manual lacks the key."""
    return next((entry for entry in manual() if entry.key == place), None)


def described(place: str | None) -> str | None:
    """One line about the key at `place`, for the hint of an error; None if the manual lacks the key."""
    place = re.sub(r"\[\d+\]$", "", place or "")
    entry = manual_entry(place) if place else None
    if entry is None and place and (above := manual_entry(place.rpartition(".")[0])) is not None:
        return f"{above.key} ({above.type}): {above.meaning}."
    if entry is None:
        return None
    default = "null" if entry.default is None else entry.default
    return f"{entry.key} ({entry.type}, default {default}): {entry.meaning}."


def section(kind: Any, values: Mapping[str, Any]) -> Any:
    """The dataclass `kind` filled with `values`."""
    return kind(**{f.name: values[f.name] for f in dataclasses.fields(kind)})


def _documented(kind: Any, prefix: str) -> Iterator[KeyDoc]:
    """The documentation of the keys of the dataclass `kind` and of the sections in it."""
    for f in dataclasses.fields(kind):
        nested = section_in(f)
        if nested is not None:
            yield from _documented(nested, f"{prefix}{f.name}.")
            continue
        default = f.default if f.default_factory is dataclasses.MISSING else f.default_factory()
        kind_of_block = f.metadata["block"]
        type_text = str(f.type) if kind_of_block is None else f"block of {kind_of_block}"
        type_text = re.sub(r"Optional\[(\w+)\]", r"\1 or null", type_text)
        yield KeyDoc(f"{prefix}{f.name}", type_text, default, f.metadata["meaning"])


def section_in(f: dataclasses.Field[Any]) -> Any:
    """The dataclass of a section, or None for a key."""
    return f.default_factory if dataclasses.is_dataclass(f.default_factory) else None


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _copied(item) for name, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value
