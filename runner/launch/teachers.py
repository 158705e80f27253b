"""The teacher of a run (`teacher` in the config): loaded and checked against what learns, before any data are read."""

from __future__ import annotations

from runner.blocks import resolve_argument
from runner.components.pipeline import Pipeline, load
from runner.components.teacher import Memory, Teacher
from runner.config.auto import NOMINAL, Chosen
from runner.config.schema import RunConfig
from runner.errors import RunnerError
from runner.registry import Schedule
from runner.tracking.initial import initial_model


def make_teacher(config: RunConfig, pipeline: Pipeline, initial: Pipeline | None) -> Teacher | None:
    """The model that teaches; None without one. pipeline: what learns. initial: the model that the run starts from.

    Raises RunnerError where there is no such model, or what learns cannot learn from it.
    """
    if config.teacher.type is None:
        return None
    nlp = initial
    if config.teacher.model is not None:
        source = initial_model(config.teacher.model, config.tracking.get("uri"), "teacher.model").source
        nlp = load(source.folder, config.code, config.compute.ops, config.compute.threads)
    if nlp is None:
        hint = "Name the model that the run starts from, init.model=MODEL; or another one, teacher=model teacher.model=MODEL."
        raise RunnerError("there is no model to learn from", place="teacher.model", hint=hint)
    if nlp.tokenizer_block != config.pipeline.tokenizer:
        fact = "the teacher was trained with another tokenizer than this run has"
        raise RunnerError(fact, place="teacher.model", hint="Set pipeline.tokenizer.type to the teacher's.")
    teacher = Teacher(nlp, teacher_weight(config, NOMINAL), Memory() if config.teacher.keep else None)
    _check(pipeline, teacher, needs_lessons=config.teacher.has_beliefs)
    return teacher


def teacher_weight(config: RunConfig, numbers: Chosen) -> Schedule:
    """The schedule of the teacher's weight. numbers: for what it leaves open."""
    weight: Schedule = resolve_argument(numbers.in_weight(config.teacher.weight), Schedule, "teacher.weight")
    return weight


def _check(pipeline: Pipeline, teacher: Teacher, *, needs_lessons: bool) -> None:
    """Raise RunnerError if the teacher has nothing for what learns, or a component cannot learn from it.

    needs_lessons: whether components learn from what the teacher believes, and not from the labels that it writes alone.
    """
    taught = [name for name in pipeline.pipe_names if teacher.knows(name)]
    if not taught:
        fact = f"the teacher has none of the components that learn ({', '.join(pipeline.pipe_names)})"
        raise RunnerError(fact, place="teacher.model", hint="Components learn from those of the same name.")
    for name in taught:
        one, theirs = pipeline.components[name], teacher.nlp.components[name]
        what = one.unlike(theirs)
        if what is None and needs_lessons and not one.has_lessons:
            what = "of a kind that has no lessons"
        if what is not None:
            raise RunnerError(
                f"{name!r} ({one.type}) cannot learn from the teacher: it is {what}",
                place="teacher",
                hint="Leave it as it is with training.components=[…], or set teacher=none.",
            )
