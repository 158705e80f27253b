"""Words per second from raw text to annotated docs, tokenization included; `python -m benchmarks.predict TASK` is one step.

    texts     the raw texts, as JSON lines [text, words]: sentences of EWT, reviews, and EWT's sentences joined to long texts
    model     a component, trained on a few thousand words and saved with its averaged parameters; one model a side
    measure   load the model, predict some texts to warm up, then time `nlp.pipe` over a given number of words

Both sides read the same strings, and words are the corpus's own tokens on both sides, whatever a tokenizer makes of the
text. Each measurement is a process of its own, so that its peak memory is that of prediction.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from benchmarks.jobs import Spec, find_job
from benchmarks.measure import Stopwatch, describe, machine, peak_mb, versions
from benchmarks.report import Table, median, number, ratio
from benchmarks.turns import Options, converted, in_process, run_once, work_folder
from runner.errors import RunnerError

DEFAULT_JOBS = ("tagger", "ner", "parser", "textcat_ensemble")
DEFAULT_WORDS = 200_000  # timed, of each kind of text
TRAINED_WORDS = 40_000  # a model of either side has learned from
TRAINED_DOCS = 2000  # at most; an ensemble of spaCy's takes minutes to read more
WARM_WORDS = 20_000  # predicted before the watch starts
HELD_WORDS = (
    12_000  # in a batch of either side; spaCy's 1,000 texts would be slower and take gigabytes if they are long
)
LONG_WORDS = 5000  # of one text of the kind "long"
TEXTS = {"sentences": "ud_english_ewt", "reviews": "movie_reviews", "long": "ud_english_ewt"}  # kind → corpus

Task = Mapping[str, Any]
Raw = tuple[str, int]  # a text, and its words


def run(options: Options) -> list[dict[str, Any]]:
    """Measure each job on each kind of text, the sides in turns. What `options.save` keeps is not repeated."""
    names = options.jobs or DEFAULT_JOBS
    words = options.words or DEFAULT_WORDS
    for name in names:
        find_job(name)
    records = []
    with work_folder(options.save) as folder:
        inputs = folder / "predict"
        for job in names:
            for kind in TEXTS:
                for turn in range(options.turns):
                    for side, ops in _sides(options.sides):
                        about = {"job": job, "texts": kind, "side": side, "ops": ops, "words": words, "turn": turn}
                        about |= {
                            "limit": options.limit,
                            "threads": options.threads,
                            "settings": list(options.settings),
                        }
                        records.append(
                            run_once("predict", about, options, lambda _, about=about: _measured(inputs, about, options))
                        )  # fmt: skip
    return records


def _sides(asked: Sequence[str]) -> list[tuple[str, str]]:
    """(side, ops) of the processes of one turn; numba where it is installed.

    >>> _sides(["spacy"])
    [('spacy', '')]
    """
    from importlib.util import find_spec

    ours = [("ours", "numpy"), *([("ours", "numba")] if find_spec("numba") else [])]
    return [pair for side in asked for pair in (ours if side == "ours" else [(side, "")])]


def _measured(folder: Path, about: Task, options: Options) -> dict[str, Any]:
    """One process's measurement; texts and model are made where they are missing."""
    texts = folder / f"{about['texts']}-{options.limit or 0}.jsonl"
    if not texts.is_file():
        _step({"step": "texts", "kind": about["texts"], "limit": options.limit, "path": str(texts)}, options)
    side = about["side"]
    spec = Spec(
        "speed", side, about["job"], "words", epochs=1, limit=options.limit or TRAINED_DOCS, threads=options.threads,
        width=find_job(about["job"]).width, depth=find_job(about["job"]).depth,
        settings=tuple(options.settings) if side == "ours" else (), data=options.data or "",
    )  # fmt: skip
    model = folder / spec.name.removesuffix(".json")
    if not model.is_dir():
        if side == "spacy":
            spec = Spec.from_dict(json.loads(spec.to_json()) | {"data": str(converted(spec, folder))})
        _step({"step": "model", "spec": json.loads(spec.to_json()), "path": str(model)}, options)
    return _step({**about, "step": "measure", "path": str(texts), "model": str(model)}, options)


def _step(task: Task, options: Options) -> dict[str, Any]:
    return in_process("benchmarks.predict", [json.dumps(task)], options.threads, options.data or "")


def write_texts(kind: str, limit: int | None, path: Path) -> None:
    """The training texts of a corpus. limit: of docs."""
    from runner.assemble import make_corpus
    from runner.config.compose import compose

    overrides = [f"corpus={TEXTS[kind]}", *([f"corpus.limit={limit}"] if limit else [])]
    corpus = make_corpus(compose(["pipeline=tagger" if kind != "reviews" else "pipeline=textcat", *overrides]))
    texts: Iterable[Raw] = ((example.reference.text, len(example.reference)) for example in corpus.train)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    with unfinished.open("w", encoding="utf8") as file:
        for text in joined(texts, LONG_WORDS) if kind == "long" else texts:
            file.write(json.dumps(text) + "\n")
    unfinished.replace(path)


def joined(texts: Iterable[Raw], words: int) -> Iterator[Raw]:
    """Texts joined by blanks until they have at least `words` words; the last one may have fewer.

    >>> list(joined([("He slept.", 3), ("No.", 2), ("Yes.", 2)], 4))
    [('He slept. No.', 5), ('Yes.', 2)]
    """
    parts: list[str] = []
    total = 0
    for text, n in texts:
        parts.append(text)
        total += n
        if total >= words:
            yield " ".join(parts), total
            parts, total = [], 0
    if parts:
        yield " ".join(parts), total


def train(spec: Spec, path: Path) -> None:
    """Train a side's component on TRAINED_WORDS words, and save it with averaged parameters."""
    side: Any
    if spec.side == "spacy":
        from benchmarks.peer import Peer

        side = Peer(spec)
        nlp = side.nlp
    else:
        from benchmarks.jobs import our_overrides
        from benchmarks.ours import Ours
        from runner.config.compose import compose

        side = Ours(compose(our_overrides(spec)))
        nlp = side.pipeline
    trained = 0
    for batch, n in side.batches(1):
        side.update(batch)
        trained += n
        if trained >= TRAINED_WORDS:
            break
    with side.averaged():
        nlp.to_disk(path)


def measure(task: Task) -> dict[str, Any]:
    """Seconds and peak memory of predicting `task["words"]` words, with the texts repeated as often as that takes."""
    if task["side"] == "spacy":
        import spacy

        nlp = spacy.load(task["model"])
        packages = ["spacy", "thinc", "numpy"]
    else:
        import runner

        nlp = runner.load(task["model"], ops=task["ops"], threads=task["threads"] or 1)
        packages = ["thinc", "numpy", *(["numba"] if task["ops"] == "numba" else [])]
    with open(task["path"], encoding="utf8") as file:
        texts = [tuple(json.loads(line)) for line in file]
    batch_size = min(256, max(1, HELD_WORDS * len(texts) // sum(n for _, n in texts)))
    _predict(nlp, texts, WARM_WORDS, batch_size)
    watch = Stopwatch()
    watch.start()
    words, docs = _predict(nlp, texts, task["words"], batch_size)
    watch.stop()
    return {
        "predict_words": words, "predict_docs": docs, "predict_cpu_seconds": watch.cpu, "predict_wall_seconds": watch.wall,
        "peak_mb": peak_mb(), "machine": machine(), "versions": versions(*packages),
    }  # fmt: skip


def _predict(nlp: Any, texts: Sequence[Raw], words: int, batch_size: int = 256) -> tuple[int, int]:
    """Predict texts, over and over, until they have `words` words. Returns the words and docs; no doc is held."""
    counts = [0, 0]

    def taken() -> Iterator[str]:
        for text, n in cycle(texts):
            if counts[0] >= words:
                return
            counts[0] += n
            yield text

    for _ in nlp.pipe(taken(), batch_size=batch_size):
        counts[1] += 1
    return counts[0], counts[1]


def table(records: Sequence[Mapping[str, Any]]) -> Table:
    """Medians over turns of words per CPU second, their ratios to spaCy's, and peak memory."""
    where = describe(records[0]["machine"])
    words = " and ".join(f"{n:,}" for n in sorted({record["spec"]["words"] for record in records}))
    rows = []
    for job, kind in dict.fromkeys((record["spec"]["job"], record["spec"]["texts"]) for record in records):
        own = [record for record in records if (record["spec"]["job"], record["spec"]["texts"]) == (job, kind)]
        rates = {ops: _median_rate(own, ops) for ops in ("numpy", "numba", "")}
        peaks = [median(r["peak_mb"] for r in own if r["spec"]["ops"] == ops) for ops in ("numpy", "numba", "")]
        rows.append(
            [job, kind, *(number(value) for value in rates.values()),
             *(number(ratio(rates[ops], rates[""]), 1) for ops in ("numpy", "numba")), *(number(peak) for peak in peaks)]
        )  # fmt: skip
    settings = sorted({" ".join(r["spec"]["settings"]) for r in records if r["spec"]["settings"]})
    return Table(
        f"Prediction from raw text, words per CPU second, {words} words, {where}",
        ["job", "texts", "numpy", "numba", "spaCy", "ratio, numpy", "ratio, numba", "MB, numpy", "MB, numba", "MB, spaCy"],
        rows,
        notes=[f"with {text}" for text in settings],
    )  # fmt: skip


def _median_rate(records: Sequence[Mapping[str, Any]], ops: str) -> float | None:
    return median(r["predict_words"] / max(r["predict_cpu_seconds"], 1e-9) for r in records if r["spec"]["ops"] == ops)


def metrics(record: Mapping[str, Any]) -> dict[str, float]:
    """Of one record; later turns of the same measurement overwrite earlier ones."""
    spec = record["spec"]
    key = f"predict.{spec['job']}.{spec['texts']}.{spec['ops'] or spec['side']}"
    rate = record["predict_words"] / max(record["predict_cpu_seconds"], 1e-9)
    return {f"{key}.words_per_second": rate, f"{key}.peak_mb": record["peak_mb"]}


def main(text: str) -> int:
    from benchmarks.turns import reply

    task = json.loads(text)
    try:
        if task["step"] == "texts":
            write_texts(task["kind"], task["limit"], Path(task["path"]))
        elif task["step"] == "model":
            train(Spec.from_dict(task["spec"]), Path(task["path"]))
        reply(measure(task) if task["step"] == "measure" else {})
    except RunnerError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
