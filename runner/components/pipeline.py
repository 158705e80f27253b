"""`Pipeline`: a tokenizer and components that learn, predict and are scored together.

    nlp = runner.blank("en")
    nlp.add_pipe("ner")
    sgd = nlp.initialize(lambda: examples)
    nlp.update(examples, drop=0.2, sgd=sgd, losses=losses)
    with nlp.use_params(sgd.averages):
        nlp.to_disk("model")

It knows nothing of loops, schedules or MLflow.

Any number of threads may predict with one pipeline at once, each its own docs; the answers are those of one thread.
Whatever changes the pipeline (`update`, `use_params`, `select_pipes`, `add_pipe`) changes it for all threads, so no other
thread may use it meanwhile; threads that need other components or weights each load a pipeline of their own.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from runner.blocks import code_behind, resolve
from runner.components.base import Component
from runner.components.doubts import doubts
from runner.components.editing import Block, Editable
from runner.components.given import as_examples, check_drop, check_optimizer, examples_from
from runner.components.network import Network
from runner.components.optimizer import Rests, Updates, Used
from runner.components.pickled import from_bytes, reduced, restored, to_bytes
from runner.components.selection import Selection, check_annotating, disabled
from runner.components.storage import load_into, save
from runner.components.teacher import Teacher
from runner.corpus.doc import Doc
from runner.corpus.example import Example
from runner.corpus.lexemes import Lexemes
from runner.corpus.packed.examples import StoredExamples
from runner.errors import RunnerError
from runner.languages import DEFAULT_TOKENIZER, in_language
from runner.model.blas import with_own_threads
from runner.model.ops import make_ops

_ANNOTATED = "\0"  # key in Example.targets, no component's name: the mark of what was written into its predicted doc
_MET = ""  # key in Example.targets, no component's name: the pipeline that has learned the example's labels and words


class Pipeline(Editable):
    """Components over one flat set of parameters.

    lang: of the texts; a tokenizer that takes a language follows it. tokenizer: `type:` block. seed: of the initial
    weights and dropout. shared_tok2vec: one tok2vec, the first component's, for all; else one each. ops: "numpy", "blis"
    or "numba", see model/ops/__init__.py. threads: of BLAS, while the pipeline predicts or learns; None: as the process has them.

    annotating: trained components that are disabled (`select_pipes`) and predict nevertheless: what they write into a doc is
    there when the components after them learn from it, as it is when these predict.
    """

    def __init__(
        self,
        lang: str = "en",
        *,
        tokenizer: Block | None = None,
        seed: int = 0,
        shared_tok2vec: bool = False,
        ops: str = "numpy",
        threads: int | None = 1,
    ) -> None:
        if threads is not None and (not isinstance(threads, int) or threads < 1):
            raise RunnerError(f"threads is {threads!r}; it must be at least 1", hint="None leaves BLAS as it is.")
        self.lang = lang
        self.tokenizer_block = in_language(tokenizer or DEFAULT_TOKENIZER, lang)
        self.ops_name = ops
        self.threads = threads
        self.components: dict[str, Component] = {}
        self.blocks: dict[str, dict[str, Any]] = {}
        self.meta: dict[str, Any] = {}
        self.network = Network(self.components, make_ops(ops), seed=seed, is_shared=shared_tok2vec)
        self.annotating: list[str] = []
        self.selections: list[Selection] = []  # in force, see `select_pipes`
        self._tokenize: Callable[[str], tuple[list[str], list[bool]]] | None = None
        self._sgd: Updates | None = None
        self._memory: tuple[Any, ...] | None = None  # the pipeline when it went on learning, packed
        self._rehearsed: Teacher | None = None  # the same, unpacked
        self._met = object()  # what an example is marked with once its labels and words are learned
        self._annotated = object()  # what an example is marked with that `annotating` has written into
        self._warned: set[object] = set()  # warnings given

    # Learning

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Any]] | Iterable[Any] | None = None,
        *,
        sgd: Updates | None = None,
        start_over: bool | None = None,
    ) -> Updates:
        """Learn labels and words from the examples (where given), give weights their initial values, return an optimizer.

        Only components that take part (see `select_pipes`) and have learned nothing yet get initial weights; one that was
        loaded or updated keeps its own, with a warning unless start_over is False. start_over=True: those begin again too;
        a warning names what they lose.
        get_examples: a function that returns Examples or (text, annotations) pairs, or these themselves.
        Raises RunnerError where `sgd` has updated weights that begin again.
        """
        examples = examples_from(get_examples, self.make_doc)
        packed = examples if isinstance(examples, StoredExamples) else None
        shown = list(packed.covering() if packed is not None else examples)
        fresh = self.network.unlearned(self.pipe_names, start_over=bool(start_over))
        if sgd is not None:
            check_optimizer(sgd, fresh)
        for name in self.pipe_names:
            for label in self.components[name].labels_in(shown):
                self.components[name].add_label(label)
        counted = Lexemes()
        if packed is not None:
            counted.count_words(*packed.word_counts())
        else:
            counted.count([example.predicted for example in shown])
        if self.parameters.learned - fresh:  # counts are part of what these have learned
            old = [name for name in self.pipe_names if name not in fresh]
            self.network.learn_words([example.predicted for example in shown if not example.is_augmented], old)
            self.network.count_words(counted, fresh)
        else:
            self.network.lexemes = counted
            self.network.words.own.clear()
        self._tell_doubts(shown, 4)
        self._met = object()
        if not self.selections:
            for example in shown:
                example.targets[_MET] = self._met
        learned = ", ".join(sorted(self.parameters.learned & set(self.pipe_names)))
        if learned and start_over:
            warnings.warn(f"initialize sets the weights of {learned} back; what was learned is lost", stacklevel=2)
        elif learned and start_over is None:
            hint = "to begin again: nlp.initialize(start_over=True)"
            warnings.warn(f"initialize keeps the weights that {learned} learned; {hint}", stacklevel=2)
        self._build(fresh=fresh)
        self._sgd = sgd if sgd is not None else _default_optimizer()
        return self._sgd

    def resume_training(self, *, sgd: Updates | None = None) -> Updates:
        """Return an optimizer, Adam unless one is given, to go on learning. No weight changes.

        Components without weights get their initial ones. `update` without `sgd` does the same. What the pipeline knows now is
        what `rehearse` keeps.
        """
        if sgd is not None:
            check_optimizer(sgd)
        self._build()
        self._memory = self.__reduce__() if self.parameters.learned else None
        self._sgd = sgd if sgd is not None else _default_optimizer()
        return self._sgd

    def rehearse(
        self,
        texts: Sequence[Any] | str | Doc,
        *,
        drop: float = 0.0,
        sgd: Updates | None = None,
        losses: dict[str, float] | None = None,
    ) -> Used:
        """One step on texts that keeps what the pipeline believed when `resume_training` was called; annotation is ignored.

            sgd = nlp.resume_training()
            nlp.update(new_texts, annotations, sgd=sgd)
            nlp.rehearse(old_texts, sgd=sgd, losses=losses)     # losses["teach/ner"]

        Components that were added since, and those without lessons (`Component.has_lessons`), sit it out. Mixing updates
        and rehearsals: Li and Hoiem (2016), "Learning without forgetting". Raises RunnerError where nothing
        had been learned by then.
        """
        if self._memory is None and self._rehearsed is None:
            hint = "Call nlp.resume_training() on a trained pipeline first, before it is updated."
            raise RunnerError("there is nothing to rehearse: the pipeline remembers no earlier state", hint=hint)
        if self._memory is not None:
            restore, args = self._memory[0], self._memory[1]
            self._rehearsed, self._memory = Teacher(restore(*args), weight=1.0), None
        teacher = self._rehearsed
        assert isinstance(teacher, Teacher)
        listed = [texts] if isinstance(texts, str | Doc) else list(texts)
        docs = [one.predicted if isinstance(one, Example) else one for one in listed]  # spaCy 3 gives Examples
        bare = [
            Example.from_doc(one.copy_unannotated() if isinstance(one, Doc) else self.make_doc(one)) for one in docs
        ]
        able = [name for name in self.pipe_names if teacher.knows(name) and self.components[name].has_lessons]
        if not able:
            raise RunnerError(
                "no component that takes part can rehearse", hint="Recognizers, taggers, parsers and classifiers can."
            )
        with self.select_pipes(enable=able):
            return self.update(bare, drop=drop, sgd=sgd, losses=losses, teacher=teacher)

    def _tell_doubts(self, examples: Sequence[Example], level: int) -> None:
        for example in examples:
            for key, text in doubts(example, self.components) if example.is_given else ():
                self._warn_once(text, level, key)

    def _warn_once(self, text: str, level: int, key: object = None) -> None:
        """level: of the user's line above this one, for `warnings`."""
        key = key if key is not None else text
        if key not in self._warned:
            self._warned.add(key)
            warnings.warn(text, stacklevel=level)

    def _freeze(self, optimizer: Updates) -> None:
        """Freeze the disabled components, and the weights that rest in the optimizer's next update."""
        off = disabled(self.selections, self.components)
        rests = optimizer if isinstance(optimizer, Rests) else None
        is_shared = self.network.freeze(off, rests.resting(self.parameters) if rests is not None else ())
        if rests is not None:
            rests.prepare(self.parameters)
        if is_shared:
            self._warn_once(
                f"training moves the tok2vec that the disabled components ({', '.join(sorted(off))}) share: their "
                "predictions change as well",
                5,
            )

    @with_own_threads
    def update(
        self,
        examples: Sequence[Any] | Doc | Example,
        annotations: Sequence[Mapping[str, Any]] | Mapping[str, Any] | None = None,
        *,
        drop: float = 0.0,
        sgd: Updates | None = None,
        losses: dict[str, float] | None = None,
        teacher: Teacher | None = None,
    ) -> Used:
        """One step: examples (or texts and their annotations), dropout rate, optimizer. Adds to `losses` by component.

        A single text, Doc or Example stands for a list of it. Labels that the components have not met are added; weights
        are changed by the optimizer alone. sgd: by default the last one that `initialize`, `resume_training` or `update`
        has made, else a new Adam. teacher: a trained pipeline from which the components learn too, see teacher.py.
        Returns the values the optimizer used. Raises RunnerError where there is nothing to learn from, or something of
        another kind.
        """
        batch = as_examples(examples, annotations, self.make_doc)
        if not batch:
            raise RunnerError("there is no example to learn from", hint="Give at least one; pass over empty batches.")
        check_drop(drop)
        if sgd is not None:
            check_optimizer(sgd)
        self._meet([example for example in batch if example.targets.get(_MET) is not self._met])
        optimizer = sgd if sgd is not None else self._sgd or self.resume_training()
        names = self.pipe_names
        self._annotate_for(batch, names)
        self.network.reset_masks(names, drop, optimizer.step)
        try:
            at = teacher.at(optimizer.step) if teacher is not None else None
            self._freeze(optimizer)
            self.network.add_gradient(batch, names, losses, optimizer.step + 1, at)
            used = optimizer(self.parameters)
        except BaseException:
            self.parameters.forget_gradient()
            raise
        self.network.note_learned(names)
        if self.meta:
            self._forget_scores()
        return used

    def _annotate_for(self, examples: Sequence[Example], learning: Sequence[str]) -> None:
        """Let `annotating` write into the predicted docs, once an example."""
        new = [example for example in examples if example.targets.get(_ANNOTATED) is not self._annotated]
        if not self.annotating or not new:
            return
        check_annotating(self.annotating, self.components, learning)
        self.network.annotate([example.predicted for example in new], self.annotating)
        for example in new:
            example.targets[_ANNOTATED] = self._annotated

    def _meet(self, examples: Sequence[Example]) -> None:
        """Learn the labels and the words of examples not seen before."""
        if examples:
            for name in self.pipe_names:
                for label in self.components[name].labels_in(examples):
                    self.components[name].add_label(label)
            self.network.learn_words([e.predicted for e in examples if not e.is_augmented], self.pipe_names)
            self._tell_doubts(examples, 6)
            if not self.selections:
                for example in examples:
                    example.targets[_MET] = self._met
        self._build()

    @contextmanager
    def use_params(self, averages: Mapping[str, Any]) -> Iterator[None]:
        """Compute and save with other parameters (`sgd.averages`) for a while; an empty mapping changes nothing."""
        self._build()
        flat = self.parameters.weights.copy()
        for path, view in self.parameters.views(flat).items():
            if path in averages:
                view[...] = averages[path]
        with self.parameters.use(flat):
            yield

    # Keeping

    def to_disk(self, path: str | Path) -> None:
        """Write the model folder (see components/storage.py). What was there before is replaced whole, or not at all."""
        self._build()
        save(self, Path(path))

    def from_disk(self, path: str | Path, *, code: Sequence[str | Path] = ()) -> Self:
        """Become the pipeline of a model folder, and return it: components, weights, language and tokenizer.

        `ops` and `threads` stay. code: as for runner.load. Raises RunnerError as runner.load does; nothing changes then.
        """
        return self._become(load(Path(path), code, self.ops_name, self.threads))

    def to_bytes(self) -> bytes:
        """The model folder as bytes, with its checksums; see components/pickled.py. The optimizer stays behind."""
        self._build()
        return to_bytes(self)

    def from_bytes(self, data: bytes, *, code: Sequence[str | Path] = ()) -> Self:
        """Become the pipeline whose `to_bytes` gave these bytes, and return it. See `from_disk`.

        >>> nlp = Pipeline("en")
        >>> Pipeline().from_bytes(nlp.to_bytes()).lang
        'en'
        """
        return self._become(from_bytes(load, data, (code, self.ops_name, self.threads)))

    def _become(self, other: Pipeline) -> Self:
        self.__dict__ = other.__dict__
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickle and copy: the bytes of the model folder, see components/pickled.py. The optimizer stays behind."""
        self._build()
        return reduced(self, _restored)

    def describe(self) -> dict[str, Any]:
        """The config that builds this pipeline again; `code` names the user's files that it cannot be built without."""
        code = code_behind(self.tokenizer_block, "tokenizers").union(
            *(code_behind(block, "components", {"name": name}) for name, block in self.blocks.items())
        )
        return {
            **({"code": sorted(code)} if code else {}),
            "lang": self.lang,
            "tokenizer": self.tokenizer_block,
            "shared_tok2vec": self.shared_tok2vec,
            "components": {name: part.describe(self.blocks[name]) for name, part in self.components.items()},
        }


def _default_optimizer() -> Updates:
    optimizer: Updates = resolve({"type": "adam"}, "optimizers", "optimizer")
    return optimizer


def load(path: Path, code: Sequence[str | Path] = (), ops: str = "numpy", threads: int | None = 1) -> Pipeline:
    """Read a model folder; see runner.load."""
    return load_into(Pipeline, path, code, ops, threads)


def _restored(files: Mapping[str, bytes], state: Mapping[str, Any]) -> Pipeline:
    """The pipeline that was pickled."""
    return restored(load, files, state)
