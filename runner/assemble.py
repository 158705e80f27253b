"""From a run's config to the objects that it names: corpus, pipeline, optimizer, plan, trackers.

Train, debug, the rehearsal of a sweep's jobs and the benchmarks all make them here, so that all see the same run.
Nothing is written, and nothing is initialized.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from runner.blocks import resolve, resolve_argument
from runner.compare.reproduction import code_tags
from runner.components.base import max_batch_size
from runner.components.carried import check_files
from runner.components.labelling import annotated_labels
from runner.components.pipeline import Pipeline, load
from runner.components.selection import check_annotating
from runner.components.teacher import Teacher
from runner.config.auto import NOMINAL, Chosen, is_left_open
from runner.config.kept import expanded_all
from runner.config.schema import RunConfig
from runner.corpus.augment import Augmentation
from runner.corpus.datasets import Corpus, CorpusSpec, Held, load_corpus, read_part
from runner.corpus.digests import sha256_of
from runner.corpus.example import Example
from runner.corpus.packed.examples import n_words
from runner.errors import RunnerError, suggest
from runner.launch.fingerprint import fingerprint
from runner.launch.initial import refuse_old_dev, refuse_unused_tok2vec
from runner.launch.pretrained import check_pretrained, pretrained_tags, shaped
from runner.launch.taught import take_labels
from runner.launch.teachers import make_teacher, teacher_weight
from runner.model.allocator import IN_TRAINING, keep_freed_memory
from runner.model.ops import make_ops
from runner.registry import Schedule
from runner.tracking.base import DatasetInfo, LearningPart, Resumed, RunInfo, ScoreColumns, Tracker, Trackers
from runner.tracking.initial import initial_model
from runner.tracking.provenance import provenance_tags
from runner.tracking.run_name import run_name
from runner.training.chosen import chosen, told
from runner.training.loop import Plan
from runner.training.optimizers import Optimizer


def set_compute(config: RunConfig) -> None:
    """What computes in this process: its library, BLAS threads, memory. Raises RunnerError where the library is missing.

    Called before anything is read, which may take minutes. More than one thread a job is many times slower on a busy
    machine.
    """
    from threadpoolctl import threadpool_limits

    make_ops(config.compute.ops)
    threadpool_limits(config.compute.threads)
    keep_freed_memory(IN_TRAINING)


def make_corpus(config: RunConfig) -> Corpus:
    """The data sets, read and checked."""
    return load_corpus(
        CorpusSpec(**{field.name: getattr(config.corpus, field.name) for field in dataclasses.fields(CorpusSpec)}),
        reader=resolve(config.corpus.reader, "readers", "corpus.reader"),
        tokenizer=resolve(config.pipeline.tokenizer, "tokenizers", "pipeline.tokenizer"),
        recipe=reading_recipe(config),
        texts=config.teacher.texts,
    )


def recorded_part(record: Mapping[str, Any], split: str, nlp: Pipeline, *, gold_tokens: bool | None = None) -> Held:
    """A part of the corpus that a past run was given. None of the code that the record names is run.

    record: the run's saved config. split: "train", "dev" or "test". nlp: its tokenizer makes words of raw texts.
    gold_tokens: None: as the run. Raises RunnerError if the record names no such part, or its files cannot be read.
    """
    corpus = record.get("corpus")
    if not isinstance(corpus, Mapping) or (corpus.get(split) is None and not (split == "dev" and corpus.get("folds"))):
        raise RunnerError(f"the run has no {split} data", place=f"corpus.{split}", hint="Name the data: MODEL DATA")
    known = expanded_all({field.name: corpus.get(field.name) for field in dataclasses.fields(CorpusSpec)})
    if gold_tokens is not None:
        known["gold_tokens"] = gold_tokens
    return read_part(
        CorpusSpec(**known),
        split,
        reader=resolve(expanded_all(corpus.get("reader")), "readers", "corpus.reader"),
        tokenizer=resolve(nlp.tokenizer_block, "tokenizers", "pipeline.tokenizer"),
    )


def reading_recipe(config: RunConfig) -> str:
    """What decides, beside files, which docs they give: reader, tokenizer, and the code that may hold either."""
    code = [sha256_of(Path(path).expanduser()) for path in config.code]
    return json.dumps([config.corpus.reader, config.pipeline.tokenizer, code], sort_keys=True, default=str)


def make_initial(config: RunConfig) -> Pipeline | None:
    """The trained model that the run starts from; None if it starts from initial weights.

    Raises RunnerError if there is no such model, or the config has another language, tokenizer or layout than it.
    """
    if config.init.model is None:
        refuse_old_dev(config)
        return None
    source = initial_model(config.init.model, config.tracking.get("uri")).source
    initial = load(source.folder, config.code, config.compute.ops, config.compute.threads)
    for key, ours, theirs in (
        ("lang", config.pipeline.lang, initial.lang),
        ("tokenizer", config.pipeline.tokenizer, initial.tokenizer_block),
        ("shared_tok2vec", config.pipeline.shared_tok2vec, initial.shared_tok2vec),
    ):
        if ours != theirs:
            raise RunnerError(
                f"{json.dumps(ours)} does not fit the model that the run starts from, which has {json.dumps(theirs)}",
                place=f"pipeline.{key}",
                hint="Leave the key as it is: on the command line, init.model=MODEL brings the model's pipeline along.",
            )
    refuse_unused_tok2vec(config, initial.components)
    initial.annotating = [name for name in config.training.annotating or () if initial.has_pipe(name)]
    return initial


def make_pipeline(config: RunConfig, numbers: Chosen = NOMINAL, initial: Pipeline | None = None) -> Pipeline:
    """The components, not yet initialized. numbers: for what their blocks leave open. initial: see `make_initial`.

    Only the components that learn take part (`training.components`); those that annotate for them stand before them.
    """
    numbers = shaped(config, numbers)
    pipeline = Pipeline(
        config.pipeline.lang,
        tokenizer=config.pipeline.tokenizer,
        seed=config.seed,
        shared_tok2vec=config.pipeline.shared_tok2vec,
        ops=config.compute.ops,
        threads=config.compute.threads,
    )
    annotating = config.training.annotating or []
    for name in sorted(
        config.pipeline.components, key=lambda name: name not in annotating
    ):  # those that annotate: first
        block = config.pipeline.components[name]
        is_known = initial is not None and initial.has_pipe(name)
        pipeline.add_pipe(name, numbers.in_component(block, name), source=initial if is_known else None)
    _select(config, pipeline)
    learning = [name for name in pipeline.pipe_names if pipeline.components[name].has_weights]
    check_annotating(annotating, pipeline.components, learning)
    pipeline.annotating = list(annotating)
    return pipeline


def _select(config: RunConfig, pipeline: Pipeline) -> None:
    """Switch off the components that do not learn. Raises RunnerError where `training.components` cannot be as it says."""
    learning = config.training.components
    if learning is None:
        return
    place = "training.components"
    for name in learning:
        if not pipeline.has_pipe(name):
            raise RunnerError(
                f"there is no component {name!r}; {suggest(name, pipeline.components)}",
                place=place,
                hint="The components are those of pipeline.components, and of the model in init.model.",
            )
    off = [name for name, one in pipeline.components.items() if one.has_weights and name not in learning]
    if off and pipeline.shared_tok2vec:
        fact = f"{', '.join(off)} share a tok2vec with what learns, and would change with it"
        raise RunnerError(fact, place=place, hint="Let all learn, or use pipeline.shared_tok2vec=false.")
    for name in off:
        if name not in pipeline.parameters.learned:
            hint = "Add it to the list, or choose a pipeline without it (pipeline=NAME)."
            raise RunnerError(f"{name!r} has never learned, and is not to learn now", place=place, hint=hint)
    if off:
        pipeline.select_pipes(disable=off)


def make_start(config: RunConfig) -> tuple[Pipeline | None, Teacher | None]:
    """The model that the run starts from, and its teacher; None where it has none.

    Called before any data are read. Raises RunnerError where either does not fit the pipeline, or a file is missing that a
    component needs: of word vectors, or of an encoder.
    """
    initial = make_initial(config)
    draft = make_pipeline(config, initial=initial)
    check_pretrained(config, draft)
    check_files(draft.components.values())
    return initial, make_teacher(config, draft, initial)


def make_learner(
    config: RunConfig,
    train: Sequence[Example] = (),
    initial: Pipeline | None = None,
    teacher: Teacher | None = None,
) -> tuple[Pipeline, Optimizer, Plan]:
    """The pipeline, the optimizer that turns its gradients into updates, and the plan of the loop.

    train: the examples that augmenters learn from, and by which numbers are chosen that the config leaves open; without
    any, these numbers are nominal ones. initial, teacher: what `make_start` gives; None: they are made here.
    """
    initial = initial if initial is not None else make_initial(config)
    numbers, lines = NOMINAL, {}
    if len(train):
        words = n_words(train)
        draft = make_pipeline(config, initial=initial)
        numbers = shaped(config, chosen(config, {name: draft.components[name] for name in draft.pipe_names}, words))
        lines = told(config, numbers, words)
    pipeline = make_pipeline(config, numbers, initial)
    _set_dropouts(config, numbers, pipeline)
    teacher = teacher if teacher is not None else make_teacher(config, pipeline, initial)
    if not config.teacher.has_beliefs:
        teacher = None  # it has written its labels into the data (commands/teaching.py)
    if teacher is not None:
        take_labels(pipeline, teacher)
    _set_partial(config, pipeline, None if config.teacher.writes_labels else teacher, train)
    sgd: Optimizer = resolve(numbers.in_optimizer(config.optimizer), "optimizers", "optimizer")
    plan = make_plan(config, pipeline, train, numbers, lines)
    if teacher is not None:
        teacher = dataclasses.replace(teacher, weight=teacher_weight(config, numbers))
    return pipeline, sgd, dataclasses.replace(plan, teacher=teacher)


def _set_dropouts(config: RunConfig, numbers: Chosen, pipeline: Pipeline) -> None:
    """Give each component that has no dropout of its own the rates that it advises, where the run leaves them open."""
    if not is_left_open(config.dropout):
        return
    for name, component in pipeline.components.items():
        if component.has_weights and component.dropout is None and len(numbers.dropout) > 2:  # else it is the run's
            component.dropout = resolve_argument(numbers.in_dropout(config.dropout, name), Schedule, "dropout")


def _set_partial(config: RunConfig, pipeline: Pipeline, teacher: Teacher | None, train: Sequence[Example]) -> None:
    """Tell components which labels the training data annotate. Raises RunnerError where none can learn from such data.

    With a teacher, a label that the data never have is the teacher's to tell.
    """
    if not config.corpus.partial_labels:
        for name in pipeline.pipe_names if teacher is not None and len(train) else ():
            component = pipeline.components[name]
            annotated = annotated_labels(component, train)
            if teacher is not None and teacher.knows(name) and component.partial_labels is not None:
                silent = [label for label in teacher.nlp.components[name].labels if label not in annotated]
                if silent and annotated:
                    component.partial_labels = annotated
                    told = f"{', '.join(silent)} of {name!r} do not occur in the training data: the teacher tells them"
                    print(told, file=sys.stderr, flush=True)  # stdout may be JSON
        return
    able = [name for name in pipeline.pipe_names if pipeline.components[name].partial_labels is not None]
    if not able:
        fact = f"no component that learns here takes data of some labels only ({', '.join(pipeline.pipe_names)})"
        raise RunnerError(
            fact, place="corpus.partial_labels", hint="An entity recognizer does; else leave the key out."
        )
    known = {label for name in able for label in annotated_labels(pipeline.components[name], train)}
    for label in config.corpus.partial_labels if len(train) else ():
        if label not in known:
            fact = f"the training data never annotate {label!r}; {suggest(label, known)}"
            raise RunnerError(fact, place="corpus.partial_labels", hint="Name the labels that they annotate.")
    for name in able:
        pipeline.components[name].partial_labels = frozenset(config.corpus.partial_labels)


def make_plan(
    config: RunConfig,
    pipeline: Pipeline,
    train: Sequence[Example] = (),
    numbers: Chosen = NOMINAL,
    lines: Mapping[str, str] = MappingProxyType({}),
) -> Plan:
    """Batches, dropout, augmenters, and when to stop. train: for augmenters that learn from it. lines: see Plan.chosen."""
    batch = numbers.in_batch(config.batch)
    if batch["type"] == "growing" and batch.get("stop") is None:
        batch.setdefault("max_size", max_batch_size(pipeline.components.values(), batch.get("component")))
    return Plan(
        batcher=resolve(batch, "batchers", "batch"),
        dropout=resolve_argument(numbers.in_dropout(config.dropout), Schedule, "dropout"),
        score_weights=_score_weights(config, pipeline),
        max_epochs=config.training.max_epochs or numbers.max_epochs,
        max_steps=config.training.max_steps,
        patience=config.training.patience,
        eval_every=config.training.eval_every,
        best_epoch=config.training.best_epoch,
        max_rollbacks=config.training.max_rollbacks,
        seed=config.seed,
        augment=make_augmentation(config, train),
        chosen=lines,
    )


def _score_weights(config: RunConfig, pipeline: Pipeline) -> Mapping[str, float]:
    """Score → weight in the final score, of the components that learn.

    Beside a model's components, `score_weights` of another pipeline names only its own: the model's have theirs.
    """
    own = {name: pipeline.components[name].score_weights for name in pipeline.pipe_names}
    given = config.pipeline.score_weights
    if not given:
        return {key: weight for weights in own.values() for key, weight in weights.items()}
    off = {key for name in pipeline.components if name not in own for key in pipeline.components[name].score_weights}
    off -= {key for weights in own.values() for key in weights}
    chosen_weights = {key: weight for key, weight in given.items() if key not in off}
    for weights in own.values() if config.init.model is not None else ():
        if chosen_weights.keys().isdisjoint(weights):
            chosen_weights.update(weights)
    return chosen_weights


def make_augmentation(config: RunConfig, train: Sequence[Example]) -> Augmentation | None:
    """What `augmenters` names; None where it names nothing."""
    if not config.augmenters:
        return None
    steps = {name: resolve(block, "augmenters", f"augmenters.{name}") for name, block in config.augmenters.items()}
    augmentation = Augmentation(steps, config.seed)
    if train:
        augmentation.prepare(train)
    return augmentation


def make_trackers(config: RunConfig) -> Tracker:
    """The console always, and the tracker that `tracking` names."""
    trackers: list[Tracker] = [resolve({"type": "console"}, "trackers", "tracking")]
    if config.tracking["type"] != "console":
        trackers.append(resolve(config.tracking, "trackers", "tracking"))
    return Trackers(trackers)


def run_info(
    config: RunConfig,
    corpus: Corpus,
    pipeline: Pipeline,
    plan: Plan,
    resumed: Resumed | None = None,
    tags: Mapping[str, str] | None = None,
) -> RunInfo:
    """What the trackers are told before the first step."""
    components = list(config.pipeline.components)
    swept = config.sweep.names.get(config.job_number or 0, "") if config.sweep is not None else ""
    return RunInfo(
        name=config.run_name or run_name(components, corpus.name, config.overrides, swept),
        experiment=config.experiment,
        output_dir=config.output_dir,
        config=config.as_dict(),
        tags={
            **provenance_tags(Path.cwd()),
            "component": ",".join(components),
            "corpus": corpus.name,
            "data_digest": corpus.digest,
            "fingerprint": fingerprint(config, corpus.sources),
            "overrides": " ".join(config.overrides),
            **code_tags(config),
            **{f"chosen.{key}": text for key, text in plan.chosen.items()},
            **(initial_model(config.init.model, config.tracking.get("uri")).tags() if config.init.model else {}),
            **(pretrained_tags(config) if config.init.tok2vec else {}),
            **(tags or {}),
        },
        datasets=[
            DatasetInfo(
                name=source.name,
                split=source.split,
                source=str(source.path),
                digest=source.sha256,
                n_docs=source.n_docs,
                n_words=source.n_words,
            )
            for source in corpus.sources
        ],
        components=components,
        columns=[
            ScoreColumns(
                component.name,
                component.heading,
                component.columns,
                is_taught=plan.teacher is not None and plan.teacher.knows(component.name),
                main=[key for key in component.columns if plan.score_weights.get(key)],
            )
            for component in (pipeline.components[name] for name in pipeline.pipe_names)
            if component.has_weights
        ],
        parts=_parts(pipeline),
        weighed=[score for score, weight in plan.score_weights.items() if weight],
        chosen=plan.chosen,
        max_epochs=plan.max_epochs,
        max_steps=plan.max_steps,
        resumed=resumed,
        parent=config.sweep.key if config.sweep is not None else None,
    )


def _parts(pipeline: Pipeline) -> list[LearningPart]:
    """What has weights: shared token vectors, then the components."""
    parts = []
    for name, span in pipeline.parameters.owners().items():
        labels = pipeline.components[name].labels if name in pipeline.components else ()
        learns = name not in pipeline.components or name in pipeline.pipe_names
        parts.append(LearningPart(name, span.stop - span.start, list(labels), learns=learns))
    return parts
