"""Many threads ask one pipeline at once, about words it has never seen: is any answer wrong, then or afterwards?

python -m tests.stress.threads --threads 8 --texts 5000

For ner, tagger, parser and textcat, with ops numpy and numba. Each thread has texts of its own; three words in ten are
new, and half of those are met by all threads. Even threads call `nlp(text)`, odd ones `nlp.pipe(texts)`. Right is what
one thread gets from a pipeline loaded afresh, to the last bit. While the threads run, one more loads models.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import runner
from runner.corpus.doc import Doc

KINDS = ("ner", "tagger", "parser", "textcat")
SMALL: dict[str, Any] = {
    "tok2vec": {"type": "hash_embed_cnn", "width": 32, "depth": 2, "embed_size": 500},
    "parser": {"rnn_width": 16, "arc_width": 16, "label_width": 16},
    "textcat": {"architecture": {"type": "ensemble", "rows": 4096, "hidden_width": 16}},
}
SAMPLE = Path(runner.__file__).parent / "corpus" / "sample" / "train.jsonl"
LAYERS = {"ner": ("entities",), "tagger": ("tags",), "parser": ("heads", "deps"), "textcat": ("cats",)}


def sample(limit: int = 100) -> list[dict[str, Any]]:
    """The first records of the bundled corpus."""
    with SAMPLE.open(encoding="utf8") as lines:
        return [json.loads(line) for line, _ in zip(lines, range(limit), strict=False)]


def train(folder: Path, kind: str, steps: int = 25) -> Path:
    """A small model of the bundled corpus, in a folder."""
    nlp = runner.blank(tokenizer={"type": "whitespace"})
    nlp.add_pipe(kind, {"tok2vec": SMALL["tok2vec"], **SMALL.get(kind, {})})
    texts, annotations = [], []
    for record in sample():
        texts.append(Doc(record["words"], record["spaces"]))
        annotations.append({key: record[key] for key in LAYERS[kind]})
    examples = [runner.Example.from_dict(*pair) for pair in zip(texts, annotations, strict=True)]
    sgd = nlp.initialize(lambda: examples, sgd=runner.adam(learn_rate=0.01))
    for step in range(steps):
        nlp.update(examples[step * 20 % 100 :][:20], drop=0.1, sgd=sgd)
    path = folder / kind
    nlp.to_disk(path)
    return path


def new_texts(n: int, seed: int, share: float = 0.3) -> list[str]:
    """Texts of 3 to 12 words, `share` of them new; half of the new words are the same whatever the seed."""
    known = sorted({word for record in sample() for word in record["words"]})
    rng, common = random.Random(f"texts {seed}"), random.Random("common")
    shared = [_word(common) for _ in range(n)]
    texts = []
    for _ in range(n):
        words = [rng.choice(known) for _ in range(rng.randint(3, 12))]
        for i in range(len(words)):
            if rng.random() < share:
                words[i] = rng.choice(shared) if rng.random() < 0.5 else _word(rng)
        texts.append(" ".join(words))
    return texts


def _word(rng: random.Random) -> str:
    letters = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 9)))
    return rng.choice((letters, letters.capitalize(), letters.upper(), f"{letters}-{rng.randint(0, 99)}"))


def answer(doc: Doc) -> Any:
    """All that is predicted."""
    return [ent.as_tuple() for ent in doc.ents], doc.tags, doc.heads, doc.deps, doc.sent_starts, doc.cats


def ask(nlp: runner.Pipeline, texts: Sequence[str], in_batches: bool) -> Iterator[Any]:
    docs = nlp.pipe(texts, batch_size=32) if in_batches else map(nlp, texts)
    return map(answer, docs)


@contextmanager
def switching(seconds: float = 1e-6) -> Iterator[None]:
    """Threads take turns that often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(seconds)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def at_once(tasks: Sequence[Callable[[], Any]]) -> list[Any]:
    """The result of each task, or its exception; all begin together, each in a thread."""
    results: list[Any] = [None] * len(tasks)
    barrier = threading.Barrier(len(tasks))

    def work(i: int) -> None:
        barrier.wait()
        try:
            results[i] = tasks[i]()
        except Exception as error:
            results[i] = error

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(tasks))]
    with switching():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return results


def race(path: Path, ops: str, n_threads: int, n_texts: int) -> tuple[list[Exception], int, int]:
    """Exceptions, texts with a wrong answer, and texts with a wrong answer when all threads have ended."""
    work = [(new_texts(n_texts, seed), seed % 2 == 1) for seed in range(n_threads)]
    right = [list(ask(runner.load(path, ops=ops), *one)) for one in work]
    nlp = runner.load(path, ops=ops)
    loader: Callable[[], Any] = lambda: [runner.load(path, ops=ops) for _ in range(5)] and []  # noqa: E731
    *found, loaded = at_once([*(lambda one=one: list(ask(nlp, *one)) for one in work), loader])
    errors = [one for one in (*found, loaded) if isinstance(one, Exception)]
    wrong = sum(_n_wrong(one, wanted) for one, wanted in zip(found, right, strict=True))
    wrong_after = sum(_n_wrong(list(ask(nlp, *one)), wanted) for one, wanted in zip(work, right, strict=True))
    return errors, wrong, wrong_after


def _n_wrong(answers: Any, right: Sequence[Any]) -> int:
    if isinstance(answers, Exception):
        return len(right)
    return sum(one != other for one, other in zip(answers, right, strict=True))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--texts", type=int, default=5000, help="of each thread")
    parser.add_argument("--ops", nargs="+", default=["numpy", "numba"])
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    arguments = parser.parse_args()
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        for kind in arguments.kinds:
            path = train(Path(folder), kind)
            for ops in arguments.ops:
                began = time.monotonic()
                errors, wrong, wrong_after = race(path, ops, arguments.threads, arguments.texts)
                found = f"{len(errors)} exceptions, {wrong} wrong, {wrong_after} wrong afterwards"
                print(f"{kind:8}{ops:6}{found}, {time.monotonic() - began:.0f} s", flush=True)
                for error in errors[:3]:
                    print(f"    {type(error).__name__}: {error}")
                faults += len(errors) + wrong + wrong_after
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
