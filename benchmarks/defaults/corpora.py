"""The corpora, each in three parts: train; dev, which picks the best epoch; test, which is scored once.

A corpus without a split of its own is cut here. The cuts are contiguous, because its files have an order: so no article
lies on both sides of a cut. Training data are shuffled once, under a fixed seed. A smaller cell has the first N docs of that
order, so that a larger cell holds the docs of the smaller ones. Dev sets are cut to 1,000 docs: they are scored many times.
"""

from __future__ import annotations

import json
import random
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.defaults.sources import source
from runner.corpus.doc import Doc
from runner.corpus.locate import SAMPLE
from runner.corpus.readers.conllu import conllu
from runner.corpus.readers.iob import iob
from runner.corpus.readers.jsonl import jsonl
from runner.corpus.writers.jsonl import Encoder
from runner.files import write_file

SIZES = (100, 300, 1000, 3000)
MOST_DEV = 1000  # docs
POLARITIES = ("neg", "pos")


class Parts(NamedTuple):
    """The docs of one corpus."""

    train: list[Doc]
    dev: list[Doc]
    test: list[Doc]


@dataclass(frozen=True)
class CorpusOf:
    """A corpus, and the components whose annotation it has.

    half: "a" or "b". Rules for defaults are chosen on one half of the corpora and checked on the other.
    """

    name: str
    components: Sequence[str]
    half: str
    read: Callable[[], Parts]


def treebank(folder: str, stem: str) -> Callable[[], Parts]:
    """A treebank with an official split."""

    def read() -> Parts:
        parts = (source(folder, f"{stem}-ud-{part}.conllu") for part in ("train", "dev", "test"))
        return Parts(*(list(conllu()(path)) for path in parts))

    return read


def vietnamese() -> Parts:
    """Its official split. Its dev file spells the fine tags otherwise than train: the universal ones stand in their place."""
    parts = treebank("ud_vietnamese_vtb", "vi_vtb")()
    for doc in (*parts.train, *parts.dev, *parts.test):
        doc.tags = doc.pos
    return parts


def armenian() -> Parts:
    """The treebank's dev file is trained on; the first half of its test file is dev, the second half test.

    It has no fine tags: the universal ones stand in their place.
    """
    folder = "ud_armenian_armtdp"
    train = list(conllu()(source(folder, "hy_armtdp-ud-dev.conllu")))
    rest = list(conllu()(source(folder, "hy_armtdp-ud-test.conllu")))
    for doc in (*train, *rest):
        doc.tags = doc.pos
    return Parts(train, rest[: len(rest) // 2], rest[len(rest) // 2 :])


def wnut17() -> Parts:
    """The official split."""
    names = ("wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated")
    return Parts(*(list(iob(scheme="iob2")(source("wnut17", name))) for name in names))


def wikigold() -> Parts:
    """Three fifths, a fifth, a fifth, in the file's order."""
    docs = list(iob(scheme="iob1")(source("wikigold", "wikigold.conll.txt")))
    fifth = len(docs) // 5
    return Parts(docs[: 3 * fifth], docs[3 * fifth : 4 * fifth], docs[4 * fifth :])


def sample() -> Parts:
    """The bundled corpus: its dev file is the test set here, the last quarter of its training file the dev set."""
    train, test = (list(jsonl()(SAMPLE / f"{part}.jsonl")) for part in ("train", "dev"))
    kept = 3 * len(train) // 4
    return Parts(train[:kept], train[kept:], test)


def movie_reviews() -> Parts:
    """Of each side, the files cv000 to cv799 train, cv800 to cv899 dev, cv900 to cv999 test."""
    parts = Parts([], [], [])
    with zipfile.ZipFile(source("movie_reviews", "movie_reviews.zip")) as archive:
        for name in sorted(archive.namelist()):
            match = re.fullmatch(r"movie_reviews/(neg|pos)/cv(\d)\d\d_\d+\.txt", name)
            if match is not None:
                part = {"8": parts.dev, "9": parts.test}.get(match[2], parts.train)
                part.append(text(archive.read(name).decode("latin-1"), match[1], POLARITIES))
    return parts


def sentence_polarity() -> Parts:
    """Of each side, lines 1 to 4,264 train, lines to 4,797 dev, the rest test."""
    parts = Parts([], [], [])
    with zipfile.ZipFile(source("sentence_polarity", "sentence_polarity.zip")) as archive:
        for side in POLARITIES:
            lines = archive.read(f"sentence_polarity/rt-polarity.{side}").decode("latin-1").splitlines()
            docs = [text(line, side, POLARITIES) for line in lines]
            for part, cut in zip(parts, (docs[:4264], docs[4264:4797], docs[4797:]), strict=True):
                part.extend(cut)
    return parts


def genres() -> Parts:
    """Sentences of the English treebank, each with the genre of its document: five classes."""
    parts = Parts([], [], [])
    for part, name in zip(parts, ("train", "dev", "test"), strict=True):
        path = source("ud_english_ewt", f"en_ewt-ud-{name}.conllu")
        genre_of, genre = [], ""
        for line in path.read_text(encoding="utf8").splitlines():
            if line.startswith("# newdoc id = "):
                genre = line.removeprefix("# newdoc id = ").partition("-")[0]
            elif line.startswith("# sent_id"):
                genre_of.append(genre)
        names = sorted({*genre_of})
        for doc, genre in zip(conllu()(path), genre_of, strict=True):
            part.append(Doc(doc.words, doc.spaces, cats={name: float(name == genre) for name in names}))
    return parts


def text(line: str, category: str, categories: Sequence[str]) -> Doc:
    """A doc of a text whose words and punctuation are separated by spaces."""
    return Doc(line.split(), cats={name: float(name == category) for name in categories})


TREES, TEXTS = ("tagger", "parser"), ("textcat", "textcat_bow")
CORPORA = {
    one.name: one
    for one in (
        CorpusOf("wnut17", ("ner",), "a", wnut17),
        CorpusOf("wikigold", ("ner",), "b", wikigold),
        CorpusOf("ewt", TREES, "a", treebank("ud_english_ewt", "en_ewt")),
        CorpusOf("vietnamese", TREES, "b", vietnamese),
        CorpusOf("armenian", TREES, "b", armenian),
        CorpusOf("polarity", TEXTS, "a", sentence_polarity),
        CorpusOf("genres", TEXTS, "b", genres),
        CorpusOf("reviews", TEXTS, "b", movie_reviews),
        CorpusOf("sample", ("ner", *TREES, *TEXTS), "a", sample),
    )
}


def sizes_of(n_docs: int) -> list[int]:
    """The sizes of the cells of a corpus: those well below all of its training docs, and all of them.

    >>> sizes_of(1104)
    [100, 300, 1104]
    """
    return [size for size in SIZES if size * 1.25 < n_docs] + [n_docs]


def prepare(name: str, folder: Path) -> list[int]:
    """Write the corpus into `folder`/NAME as JSON lines, unless it is there. Returns the sizes of its cells.

    Files: train-N.jsonl, dev.jsonl, test.jsonl, and sizes.json, which is written last.
    """
    target = folder / name
    if not (target / "sizes.json").is_file():
        parts = CORPORA[name].read()
        draw = random.Random(0)
        train = draw.sample(parts.train, len(parts.train))
        dev = parts.dev if len(parts.dev) <= MOST_DEV else draw.sample(parts.dev, MOST_DEV)
        sizes = sizes_of(len(train))
        for stem, docs in [(f"train-{n}", train[:n]) for n in sizes] + [("dev", dev), ("test", parts.test)]:
            encode = Encoder()
            write_file(target / f"{stem}.jsonl", "".join(encode(_bare(doc)) for doc in docs))
        write_file(target / "sizes.json", json.dumps(sizes))
    sizes = json.loads((target / "sizes.json").read_text(encoding="utf8"))
    return sizes


def _bare(doc: Doc) -> Doc:
    """Take away comments and the like, which nothing here learns."""
    doc.meta.clear()
    return doc
