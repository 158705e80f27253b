"""Flip bits of saved models and checkpoints, cut checkpoints short, and see that every damage is told: never other weights.

    python -m tests.stress.damage --flips 2000 --seed 0

The models are small trained ones (ner; tagger, parser, ner and textcat together). A flipped bit ends in the same
predictions and weights, or in a RunnerError that names the folder. Of a checkpoint that is damaged, `resume` takes the
one before. The suite does the same with few flips (tests/components/test_storage.py, tests/training/test_checkpoint.py).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import runner
from runner.components.storage import weights_sha256
from runner.corpus.locate import SAMPLE
from runner.corpus.readers.jsonl import jsonl

TOK2VEC = {"type": "hash_embed_cnn", "width": 16, "depth": 1, "embed_size": 100}
TEXTS = ("Ines Duarte hid her notes in Oslo .", "Acme sold 3 boats on Monday !")


def small_model(components: Sequence[str], n_docs: int = 40) -> runner.Pipeline:
    """Trained a little, on the bundled sample."""
    docs = list(jsonl()(SAMPLE / "train.jsonl"))[:n_docs]
    nlp = runner.blank("en")
    for name in components:
        block: dict[str, Any] = {"tok2vec": TOK2VEC}
        if name == "textcat":
            block["architecture"] = {"type": "cnn", "hidden_width": 8}
        nlp.add_pipe(name, block)
    examples = [runner.Example.from_doc(doc) for doc in docs]
    sgd = nlp.initialize(lambda: examples)
    for batch in runner.minibatch(examples, size=8):
        nlp.update(batch, drop=0.1, sgd=sgd)
    nlp.meta = {"scores": {"ents_f": 0.5}, "note": "é"}
    return nlp


def outcome(folder: Path) -> Any:
    """All that a loaded model is: weights, words, labels, meta, and what it says of two texts."""
    nlp = runner.load(folder)
    docs = [nlp(text) for text in TEXTS]
    said = [(doc.words, doc.tags, doc.heads, doc.deps, [ent.as_tuple() for ent in doc.ents], doc.cats) for doc in docs]
    labels = [component.labels for component in nlp.components.values()]
    return weights_sha256(nlp), nlp.lexemes.frequencies, labels, nlp.meta, nlp.describe(), said


@contextmanager
def flip(path: Path, rng: random.Random) -> Iterator[tuple[int, int]]:
    """For a while, one bit of the file is another; (byte, bit)."""
    at, bit = rng.randrange(path.stat().st_size), rng.randrange(8)

    def turn() -> None:
        with open(path, "r+b") as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 1 << bit]))

    turn()
    try:
        yield at, bit
    finally:
        turn()


def damage_model(components: Sequence[str], n_flips: int, rng: random.Random, base: Path) -> int:
    """The number of flips that ended badly."""
    folder = base / "-".join(components)
    small_model(components).to_disk(folder)
    good = outcome(folder)
    names = sorted(os.listdir(folder))
    ends: Counter[str] = Counter()
    slowest = 0.0
    started = time.perf_counter()
    for number in range(n_flips):
        name = names[number % len(names)]
        with flip(folder / name, rng) as (at, bit):
            began = time.perf_counter()
            try:
                end = "same" if outcome(folder) == good else "OTHER MODEL"
            except runner.RunnerError as error:
                end = "refused" if str(folder) in str(error) and str(error).count("\n") <= 1 else "NO PLACE"
            except Exception as error:
                end = f"TRACEBACK {type(error).__name__}: {error}"
            slowest = max(slowest, time.perf_counter() - began)
        ends[f"{name}: {end}"] += 1
        if end not in ("same", "refused"):
            print(f"{name}, byte {at}, bit {bit}: {end}")
    assert outcome(folder) == good
    seconds = time.perf_counter() - started
    print(f"{'+'.join(components)}: {n_flips} flips in {seconds:.0f} s, the slowest load {slowest:.2f} s")
    for end, n in sorted(ends.items()):
        print(f"  {n:6,}  {end}")
    return sum(n for end, n in ends.items() if not end.endswith((": same", ": refused")))


def damage_checkpoint(run: Path, step: int, n_flips: int, rng: random.Random) -> int:
    """Cut the newest checkpoint of an interrupted run at every `step`th byte, and flip bits of it; how often it was taken."""
    from runner.commands.resume import _last_whole
    from runner.training.keeper import checkpoints

    folder = run / "checkpoint"
    (_, newest), (_, before) = checkpoints(folder)[:2]
    whole = newest.read_bytes()
    wanted = _last_whole(run).about
    before_bytes = before.read_bytes()
    newest.unlink()
    fallback = _last_whole(run).about
    assert fallback != wanted
    bad = n_tried = 0
    started = time.perf_counter()

    def check(content: bytes, what: str) -> None:
        nonlocal bad, n_tried
        n_tried += 1
        newest.write_bytes(content)
        try:
            with redirect_stderr(io.StringIO()):
                taken = _last_whole(run).about
        except Exception as error:
            taken = error
        if taken != fallback:
            bad += 1
            print(f"{what}: {'it was taken' if taken == wanted else repr(taken)[:200]}")

    for length in range(0, len(whole), step):
        check(whole[:length], f"cut at {length}")
    for _ in range(n_flips):
        at, bit = rng.randrange(len(whole)), rng.randrange(8)
        check(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :], f"byte {at}, bit {bit}")
    newest.write_bytes(whole)
    assert _last_whole(run).about == wanted
    assert before.read_bytes() == before_bytes
    print(
        f"checkpoint of {len(whole):,} bytes: {n_tried:,} damaged ones in {time.perf_counter() - started:.0f} s, "
        f"{bad} not told"
    )
    return bad


def interrupted_run(folder: Path, *overrides: str) -> Path:
    """A run that was killed after two checkpoints."""
    import signal
    import subprocess

    process = subprocess.Popen(
        [sys.executable, "-m", "runner", "tracking=none", "training.checkpoint_steps=5", f"output_dir={folder}", *overrides],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    while process.poll() is None and len(list((folder / "checkpoint").glob("step-0*[1-9]*.ckpt"))) < 2:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for left in (folder / "checkpoint").glob(".*"):
        with contextlib.suppress(OSError):
            left.unlink()
    return folder


def main() -> int:
    """The number of damages that were not told."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flips", type=int, default=2000, help="of each model, spread evenly over its files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cut", type=int, default=1000, help="bytes between two cuts of the checkpoint")
    parser.add_argument(
        "--run", nargs="*", default=["pipeline=tagger", "tok2vec=small"], help="overrides of the run that makes it"
    )
    options = parser.parse_args()
    base = Path(tempfile.mkdtemp(prefix="runner-damage-"))
    bad = 0
    try:
        for components in (("ner",), ("tagger", "parser", "ner", "textcat")):
            bad += damage_model(components, options.flips, random.Random(options.seed), base)
        run = interrupted_run(base / "run", *options.run)
        bad += damage_checkpoint(run, options.cut, options.flips, random.Random(options.seed))
    finally:
        shutil.rmtree(base, ignore_errors=True)
    print(f"{bad} damages were not told")
    return bad


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
