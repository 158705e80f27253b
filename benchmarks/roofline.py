"""How near tagger training comes to what matrix products alone would take: `python -m benchmarks.roofline SPEC`.

    bound = measured sgemm rate at the model's shapes / floating-point operations a word;   share = words per CPU second / bound

Every layer with a weight matrix W makes three products a step: W @ C forward, dW = dP @ C.T and dC = W.T @ dP backward, 2 M K N
operations each. The layer that mixes embeddings runs on the batch's distinct lexemes (N of them), all others on its
tokens. Everything else the training does (embeddings, maxout, layer norm, dropout, Adam, Python) counts as nothing, so
1 is out of reach. Products are timed on arrays that lie in the cache, in turns with the training: noise of the machine hits both.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from benchmarks.jobs import Spec
from benchmarks.measure import blas, describe, machine, versions
from benchmarks.report import Table, number

BATCH_WORDS = 1000
CHUNK_WORDS = 20_000  # trained between two timings of the products
GEMM_SECONDS = 0.4  # of each timing


class Product(NamedTuple):
    """One layer's matrix: (M, K) @ (K, N)."""

    path: str
    M: int
    K: int
    is_by_lexeme: bool  # N is the batch's distinct lexemes, not its tokens


def products(layout: Mapping[str, tuple[int, Sequence[int]]]) -> list[Product]:
    """The weight matrices among all parameters, of which `layout` tells offset and shape by path.

    >>> products({"tagger/tok2vec/mix/W": (0, (3, 2, 4)), "tagger/tok2vec/mix/b": (24, (3, 2))})
    [Product(path='tagger/tok2vec/mix/W', M=6, K=4, is_by_lexeme=True)]
    """
    found = []
    for path, (_, shape) in layout.items():
        *layer, name = path.split("/")
        if name == "W" and len(shape) > 1:
            *rows, K = shape
            M = 1
            for size in rows:
                M *= size
            found.append(Product(path, M, K, layer[-1] == "mix"))
    return found


def flops_per_word(found: Sequence[Product], lexemes_per_word: float) -> float:
    """Operations of one training step for each word: three products of 2 M K each, less where lexemes repeat.

    >>> flops_per_word([Product("mix/W", 6, 4, True), Product("scores/W", 5, 2, False)], 0.5)
    132.0
    """
    return float(sum(6 * p.M * p.K * (lexemes_per_word if p.is_by_lexeme else 1.0) for p in found))


def gemm_rates(ops: Any, found: Sequence[Product], n_tokens: int, n_lexemes: int, seconds: float) -> list[float]:
    """Operations per CPU second of each layer's three products, all of them one after the other, again and again."""
    import numpy as np

    rng = np.random.default_rng(0)
    steps: list[list[Callable[[], Any]]] = []
    for product in found:
        n = n_lexemes if product.is_by_lexeme else n_tokens
        W, C, dP = (
            rng.random(shape, dtype="float32")
            for shape in ((product.M, product.K), (product.K, n), (product.M, n))
        )  # fmt: skip
        steps.append(
            [
                partial(ops.gemm, W, C),
                partial(ops.gemm, dP, C, trans2=True),
                partial(ops.gemm, W, dP, trans1=True),
            ]
        )
    spent = [0.0] * len(found)
    rounds = 0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or not rounds:
        for i, calls in enumerate(steps):
            began = time.process_time()
            for call in calls:
                call()
            spent[i] += time.process_time() - began
        rounds += 1
    sizes = [n_lexemes if product.is_by_lexeme else n_tokens for product in found]
    return [rounds * 6 * p.M * p.K * n / taken for p, n, taken in zip(found, sizes, spent, strict=True)]


def spec_of(data: str, *, threads: int | None = None, limit: int | None = None, settings: Sequence[str] = ()) -> Spec:
    """A tagger of width 96 and depth 4, whose batches have 1,000 words from the first on."""
    steady = (f"batch.size.start={BATCH_WORDS}", f"batch.size.stop={BATCH_WORDS}")
    return Spec(
        "roofline", "ours", "tagger", "words", epochs=1, limit=limit, threads=threads, data=data,
        settings=(*steady, *settings),
    )  # fmt: skip


def measure(spec: Spec) -> dict[str, Any]:
    """One epoch of training, in pieces, between timings of the products; the first piece warms up and does not count."""
    import os

    from benchmarks.jobs import our_overrides
    from benchmarks.ours import Ours
    from runner.config.compose import compose

    if spec.data:
        os.environ["RUNNER_DATA_MIRROR"] = spec.data
    side = Ours(compose(our_overrides(spec)))
    batches = list(side.batches(1))
    n_lexemes = distinct_lexemes(side, [batch for batch, _ in batches])
    n_tokens = statistics.mean(n for _, n in batches)
    found = products(side.pipeline.parameters.layout)
    rates, words, seconds = [], 0, 0.0
    rates.append(gemm_rates(side.pipeline.parameters.ops, found, round(n_tokens), round(n_lexemes), GEMM_SECONDS))
    pending, began, is_warm = 0, time.process_time(), False
    for i, (batch, n) in enumerate(batches):
        side.update(batch)
        pending += n
        if pending >= CHUNK_WORDS or i == len(batches) - 1:
            if is_warm or i == len(batches) - 1:
                words, seconds = words + pending, seconds + time.process_time() - began
            rates.append(
                gemm_rates(side.pipeline.parameters.ops, found, round(n_tokens), round(n_lexemes), GEMM_SECONDS)
            )
            pending, began, is_warm = 0, time.process_time(), True
    by_product = [statistics.median(column) for column in zip(*rates, strict=True)]
    sizes = [n_lexemes if product.is_by_lexeme else n_tokens for product in found]
    work = [6 * p.M * p.K * n for p, n in zip(found, sizes, strict=True)]
    rate = sum(work) / sum(w / r for w, r in zip(work, by_product, strict=True))
    flops = flops_per_word(found, n_lexemes / n_tokens)
    return {
        "products": [
            {"path": p.path, "M": p.M, "K": p.K, "N": round(n), "gflops": r / 1e9, "flops_share": w / sum(work)}
            for p, n, r, w in zip(found, sizes, by_product, work, strict=True)
        ],
        "gflops": rate / 1e9,
        "words_per_batch": n_tokens,
        "lexemes_per_batch": n_lexemes,
        "flops_per_word": flops,
        "bound": rate / flops,
        "train_words": words,
        "train_cpu_seconds": seconds,
        "train_words_per_second": words / seconds,
        "share": words / seconds * flops / rate,
        "blas": blas(),
        "machine": machine(),
        "versions": versions("thinc", "numpy"),
    }


def distinct_lexemes(side: Any, batches: Sequence[Any]) -> float:
    """Mean number of columns of the mix layer a batch: distinct lexemes, a word that is hidden at random being another."""
    from runner.components.inputs import Batch
    from runner.model.dropout import Dropout
    from runner.model.tok2vec import hide_words

    block = side.pipeline.blocks["tagger"]["tok2vec"]
    dropout = Dropout()
    counts = []
    for step, batch in enumerate(batches):
        inputs = Batch.of([example.predicted for example in batch], side.pipeline.lexemes)
        tokens = inputs.tokens(block["features"])
        if block["word_dropout"]:
            dropout.reset(side.plan.dropout(step), 0, step)
            tokens = hide_words(side.pipeline.parameters.ops, tokens, block["features"], block["word_dropout"], dropout)
        counts.append(len(tokens.features))
    return statistics.mean(counts)


def table(record: Mapping[str, Any]) -> Table:
    """Each product, and what follows."""
    rows = [
        [p["path"].removesuffix("/W"), f"({p['M']}, {p['K']}) @ ({p['K']}, {p['N']})", number(p["gflops"], 1),
         f"{100 * p['flops_share']:.0f} %"]
        for p in record["products"]
    ]  # fmt: skip
    threads = sorted({library["num_threads"] for library in record["blas"]})
    return Table(
        f"Roofline of tagger training, batches of {BATCH_WORDS:,} words, {describe(record['machine'])}",
        ["layer", "product", "GFLOP/s", "of the work"],
        rows,
        [
            f"{record['lexemes_per_batch']:.0f} distinct lexemes a batch of {record['words_per_batch']:.0f} words, "
            f"{record['flops_per_word'] / 1e6:.2f} MFLOP a word, BLAS threads: {', '.join(map(str, threads))}",
            f"sgemm {record['gflops']:.1f} GFLOP/s bounds training to {record['bound']:,.0f} words/CPU s; "
            f"measured {record['train_words_per_second']:,.0f}: {100 * record['share']:.0f} %",
        ],
    )


def metrics(record: Mapping[str, Any]) -> dict[str, float]:
    names = ("gflops", "flops_per_word", "bound", "train_words_per_second", "share")
    return {f"roofline.{name}": float(record[name]) for name in names}


if __name__ == "__main__":
    from benchmarks.turns import reply

    reply(measure(Spec.from_json(sys.argv[1])))
