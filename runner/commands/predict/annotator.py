"""Chunks of units in, encoded predictions out: in this process, or in workers that share one map of the weights.

Workers are forks of this process, where that is safe: they begin at once, with its model. Elsewhere workers are spawned. Each
loads the model's config and words, and then looks at the weights through a file that all of them map. Either way the
weights are in memory once.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from runner.blocks import resolve
from runner.commands.predict.formats import encoder
from runner.components.pipeline import Pipeline, load
from runner.components.records import drop_unsure
from runner.corpus.doc import Doc
from runner.corpus.readers.reader import LeftOut
from runner.corpus.text_chunks import Chunk, units
from runner.corpus.texts import doc_of, is_tokenized
from runner.errors import RunFailed, RunnerError
from runner.signals import CODES

_AHEAD = 2  # chunks that wait for each worker


@dataclass(frozen=True)
class Setting:
    """What a worker must know to do the same as its parent."""

    folder: Path
    code: Sequence[str]
    ops: str
    form: str
    columns: Sequence[str]
    weights: Path | None = None  # flat float32 values
    confidence: bool = False
    min_confidence: float | None = None


@dataclass
class Answer:
    """The encoded text of a chunk. n_units: read, with those that had a fault. faults: of texts that were left out, in order.

    Without --skip-errors the chunk ends at its first fault, which is `error`.
    """

    text: bytes = b""
    n_units: int = 0
    n_texts: int = 0
    n_words: int = 0
    faults: list[str] = field(default_factory=list)
    error: RunnerError | None = None
    left_out: dict[str, int] = field(default_factory=dict)


class Annotator:
    """A pipeline and an encoder."""

    def __init__(self, nlp: Pipeline, setting: Setting) -> None:
        self._nlp = nlp
        self._tokenize = resolve(nlp.tokenizer_block, "tokenizers", "pipeline.tokenizer")
        self._encode = encoder(nlp, setting.form, setting.columns, confidence=setting.confidence)
        self._confidence = setting.confidence
        self._least = setting.min_confidence

    def __call__(self, chunk: Chunk, *, is_skipping: bool) -> Answer:
        """Read, annotate and encode a chunk."""
        answer, left_out = Answer(), LeftOut()
        docs: list[tuple[Doc, bool]] = []
        for unit in units(chunk):
            try:
                doc = doc_of(unit, self._tokenize)
                docs.append((doc, is_tokenized(unit, doc)))
            except RunnerError as error:
                if not is_skipping:
                    answer.error = error
                    break
                answer.faults.append(_one_line(error))
            answer.n_units += 1
        self._nlp.predict([doc for doc, _ in docs], confidence=self._confidence or self._least is not None)
        for doc, _ in docs if self._least is not None else ():
            drop_unsure(self._nlp, doc, self._least or 0.0)
            doc.confidence = doc.confidence if self._confidence else None
        try:
            answer.text = self._encode(docs, left_out)
            answer.n_texts, answer.n_words = len(docs), sum(len(doc) for doc, _ in docs)
        except RunnerError:
            self._one_by_one(docs, answer, is_skipping=is_skipping)
        else:
            answer.left_out = dict(left_out)
        return answer

    def _one_by_one(self, docs: Sequence[tuple[Doc, bool]], answer: Answer, *, is_skipping: bool) -> None:
        """Encode a chunk in which some doc cannot be encoded."""
        left_out = LeftOut()
        good: list[tuple[Doc, bool]] = []
        for i, pair in enumerate(docs):
            try:
                self._encode([pair], LeftOut())
                good.append(pair)
            except RunnerError as error:
                if not is_skipping:
                    answer.error, answer.n_units = error, i
                    break
                answer.faults.append(_one_line(error))
        answer.text = self._encode(good, left_out) if good else b""
        answer.n_texts, answer.n_words = len(good), sum(len(doc) for doc, _ in good)
        answer.left_out = dict(left_out)


def _one_line(error: RunnerError) -> str:
    return f"{error.place}: {error.fact}" if error.place else error.fact


@contextmanager
def answers(
    nlp: Pipeline, setting: Setting, chunks: Iterator[Chunk], n_workers: int, *, is_skipping: bool
) -> Iterator[Iterator[Answer]]:
    """The answers to all chunks, in order. Workers have begun when the block begins: it may start threads, a fork must not.

    Raises RunFailed if a worker dies.
    """
    if n_workers == 1:
        annotate = Annotator(nlp, setting)
        yield (annotate(chunk, is_skipping=is_skipping) for chunk in chunks)
        return
    try:
        with _workers(nlp, setting, n_workers) as pool:
            begun = (pool.submit(_annotate, chunk, is_skipping) for chunk in chunks)
            waiting = deque(islice(begun, _AHEAD * n_workers))
            yield _in_order(waiting, begun)
    except BrokenProcessPool:
        hint = "Was it killed for memory? Fewer workers need less."
        raise RunFailed("a worker process has ended", place="--workers", hint=hint) from None


def _in_order(waiting: deque[Future[Answer]], begun: Iterator[Future[Answer]]) -> Iterator[Answer]:
    """The answers, in order. For each that is given out the next chunk is handed to the workers."""
    while waiting:
        answer = waiting.popleft().result()
        waiting.extend(islice(begun, 1))
        yield answer


@contextmanager
def _workers(nlp: Pipeline, setting: Setting, n: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of n processes. At the end, what is not begun is cancelled."""
    with ExitStack() as stack:
        if can_fork():
            pool = ProcessPoolExecutor(n, get_context("fork"), _begin, (setting, os.getpid(), nlp))
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="runner-weights-"))
            shared = replace(setting, weights=Path(folder) / "weights.f32")
            try:
                nlp.parameters.weights.tofile(str(shared.weights))
            except OSError as error:
                hint = "Set TMPDIR to a folder with more space."
                raise RunFailed(f"the weights cannot be shared: {error.strerror}", place=folder, hint=hint) from None
            pool = ProcessPoolExecutor(n, get_context("spawn"), _begin, (shared, os.getpid()))
        stack.callback(pool.shutdown, cancel_futures=True)
        yield pool


def can_fork() -> bool:
    """Whether this process may be forked: on Linux, if it has no threads but those of BLAS, which ends them for a fork.

    A fork has one thread. Locks that other threads hold at that moment are never released in it. macOS's own libraries do
    not outlive a fork.
    """
    if not sys.platform.startswith("linux") or threading.active_count() > 1:
        return False
    of_blas = sum(max(0, library["num_threads"] - 1) for library in threadpool_info())
    try:
        return len(os.listdir("/proc/self/task")) <= 1 + of_blas
    except OSError:
        return False


_annotator: Annotator | None = None  # of this worker


def _begin(setting: Setting, parent: int, nlp: Pipeline | None = None) -> None:
    """Set up a worker. nlp: the parent's, in a fork."""
    global _annotator
    for number in CODES:
        signal.signal(number, signal.SIG_IGN)  # the parent ends its workers
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    if nlp is None:
        nlp = load(setting.folder, setting.code, setting.ops)
    if setting.weights is not None:
        nlp.parameters.look_at(np.memmap(setting.weights, dtype="float32", mode="c"))
    _annotator = Annotator(nlp, setting)


def _leave_with(parent: int) -> None:
    """End this process when its parent is gone: a killed parent tells nobody."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _annotate(chunk: Chunk, is_skipping: Any) -> Answer:
    assert _annotator is not None
    return _annotator(chunk, is_skipping=bool(is_skipping))
