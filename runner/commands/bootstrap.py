"""`python -m runner bootstrap TEXTS`: propose entities for raw text, to review and train on.

    python -m runner bootstrap texts.txt --patterns patterns.jsonl > tasks.jsonl
    python -m runner bootstrap texts.jsonl --model outputs/…/model-best --order uncertain --limit 200 -o tasks.jsonl

A model's confidence is the probability of the whole entity (model/crf_spans.py). A pattern's confidence is set in the
pattern file, else 1. Review the tasks in Prodigy or any editor; `corpus.train=tasks.jsonl` trains on the accepted lines.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import srsly

from runner.commands.flags import FlagParser, exit_code
from runner.corpus.doc import Doc
from runner.corpus.patterns import Matcher, read_patterns
from runner.corpus.proposals import Proposal, resolve_overlaps, task, uncertainty
from runner.corpus.readers.jsonl import parse
from runner.corpus.readers.lines import MAX_LINE, read_lines
from runner.errors import RunnerError
from runner.files import is_handed_over, write_file

BATCH = 256  # texts
DOUBTFUL = 0.1  # a model's candidates of at least this probability raise uncertainty, even below --threshold
MAX_CHARACTERS = 100_000  # in a text

Text = tuple[str, dict[str, Any], str]  # the text, its meta, "file:line"


def main(words: Sequence[str]) -> int:
    """Run `bootstrap` with these command-line arguments, and return the exit code."""
    return exit_code(lambda: _run(_parser().parse_args(list(words))))


def _run(options: argparse.Namespace) -> int:
    if options.model is None and not options.patterns:
        raise RunnerError(
            "there is nothing to propose with", place="bootstrap", hint="Give --model FOLDER, --patterns FILE, or both."
        )
    model = None
    if options.model is not None:
        from runner import load

        model = load(options.model, code=options.code or ())
        if not any(component.type == "ner" for component in model.components.values()):
            raise RunnerError(
                "the model has no entity recognizer", place=options.model, hint="Train pipeline=ner first."
            )
    tokenize = _tokenizer(options.tokenizer, model)
    patterns = [pattern for path in options.patterns or () for pattern in read_patterns(Path(path), tokenize)]
    matcher = Matcher(patterns) if patterns else None
    seen: Counter[str] = Counter()
    tasks = _tasks(read_texts(options.input), tokenize, model, matcher, options.threshold, seen)
    chosen: Iterable[dict[str, Any]]
    if options.order == "uncertain":
        ranked = sorted(tasks, key=lambda pair: -pair[0])  # stable: equally uncertain tasks keep the order of the input
        chosen = (made for _, made in ranked)
    else:
        chosen = (made for _, made in tasks)
    if options.skip_empty:
        chosen = (made for made in chosen if made["spans"])
    lines = (_line(made, seen) for made in islice(chosen, options.limit))
    if options.output == "-":
        for line in lines:
            sys.stdout.write(line)
        sys.stdout.flush()
    else:
        write_file(Path(options.output), "".join(lines))
    _report(seen)
    return 0


def _line(made: dict[str, Any], seen: Counter[str]) -> str:
    seen["written"] += 1
    seen["with"] += bool(made["spans"])
    for span in made["spans"]:
        seen[f"label {span['label']}"] += 1
    line: str = srsly.json_dumps(made) + "\n"
    return line


def _report(seen: Counter[str]) -> None:
    labels = {key.removeprefix("label "): n for key, n in seen.items() if key.startswith("label ")}
    listing = ", ".join(f"{label} {n:,}" for label, n in sorted(labels.items(), key=lambda item: (-item[1], item[0])))
    total = sum(labels.values())
    print(
        f"{seen['read']:,} texts read, {seen['written']:,} written, {seen['with']:,} of them with proposals: "
        f"{total:,}{f' ({listing})' if labels else ''}",
        file=sys.stderr,
    )


def _tasks(
    texts: Iterator[Text],
    tokenize: Callable[[str], tuple[list[str], list[bool]]],
    model: Any,
    matcher: Matcher | None,
    threshold: float,
    seen: Counter[str],
) -> Iterator[tuple[float, dict[str, Any]]]:
    """Yield (uncertainty, task) for each text."""
    while batch := list(islice(texts, BATCH)):
        docs = [Doc(*tokenize(text)) for text, _, _ in batch]
        from_model = model.ent_candidates(docs, min(threshold, DOUBTFUL)) if model is not None else [()] * len(docs)
        for (text, meta, _), doc, candidates in zip(batch, docs, from_model, strict=True):
            seen["read"] += 1
            proposals = [Proposal(start, end, label, p, "ner") for start, end, label, p in candidates]
            if matcher is not None:
                for start, end, pattern in matcher(doc):
                    proposals.append(Proposal(start, end, pattern.label, pattern.confidence, "patterns", pattern.id))
            kept = resolve_overlaps(proposal for proposal in proposals if proposal.confidence >= threshold)
            yield uncertainty(proposals), task(text, doc, kept, meta)


def read_texts(source: str) -> Iterator[Text]:
    """Yield the texts of a file: a text a line, or JSON lines with the key "text". "-" reads standard input.

    The file is JSON lines if its first line starts with `{"`. Blank lines are skipped. Raises RunnerError at file:line.
    """
    is_json: bool | None = None
    for number, line in _lines(source):
        line = line.removesuffix("\r")
        if not line or line.isspace():
            continue
        place = f"{'standard input' if source == '-' else source}:{number}"
        if is_json is None:
            is_json = line.lstrip().startswith('{"')
        text: Any = line
        meta: dict[str, Any] = {}
        if is_json:
            record = parse(line, place)
            text = record.get("text")
            if not isinstance(text, str) or not text.strip():
                raise RunnerError("there is no text", place=place, hint='Write {"text": "…"}, one a line.')
            meta = record["meta"] if isinstance(record.get("meta"), dict) else {}
        if len(text) > MAX_CHARACTERS:
            hint = f"Cut it into texts of at most {MAX_CHARACTERS:,}; an annotator reads paragraphs."
            raise RunnerError(f"the text has {len(text):,} characters", place=place, hint=hint)
        yield text, meta, place


def _lines(source: str) -> Iterator[tuple[int, str]]:
    """Yield (number from 1, line) for each line of a file or stream."""
    if source == "-":
        yield from _stream_lines(sys.stdin.buffer, "standard input")
    elif is_handed_over(path := Path(source)):
        with path.open("rb") as stream:
            yield from _stream_lines(stream, source)
    else:
        yield from read_lines(path)


def _stream_lines(stream: BinaryIO, name: str) -> Iterator[tuple[int, str]]:
    for number, raw in enumerate(iter(lambda: stream.readline(MAX_LINE), b""), start=1):
        place = f"{name}:{number}"
        if len(raw) == MAX_LINE and not raw.endswith(b"\n"):
            raise RunnerError(f"the line is longer than {MAX_LINE:,} bytes", place=place, hint="Cut it into texts.")
        try:
            line = raw.decode("utf8")
        except UnicodeDecodeError:
            raise RunnerError("the line is not UTF-8", place=place, hint="Convert it.") from None
        yield number, (line.removeprefix("\ufeff") if number == 1 else line).removesuffix("\n")


def _tokenizer(name: str | None, model: Any) -> Callable[[str], tuple[list[str], list[bool]]]:
    from runner.blocks import resolve
    from runner.languages import in_language

    block = {"type": name} if name else model.tokenizer_block if model is not None else {"type": "syntok"}
    block = in_language(block, model.lang if model is not None else "en")
    made: Callable[[str], tuple[list[str], list[bool]]] = resolve(block, "tokenizers", "--tokenizer")
    return made


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 1")
    return value


def _count(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 2**53:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of at least 1")
    return int(text)


HELP = """\
Propose entities for raw text, from a model, from patterns, or both.

  python -m runner bootstrap texts.txt --patterns patterns.jsonl -o tasks.jsonl
  python -m runner bootstrap texts.jsonl --model outputs/… --order uncertain

The proposals are JSON lines to review; corpus.train=tasks.jsonl trains on the
accepted ones. Patterns are JSON lines too, {"label": "GPE", "pattern": "New
York"}, or token by token: {"label": "ORG", "pattern": [{"LOWER": "acme"},
{"IS_TITLE": true, "OP": "?"}]}. The head of runner/corpus/patterns.py has the
whole language.
Exit codes: 0 done, 1 it could not be written, 2 an input or option is wrong."""


def _parser() -> argparse.ArgumentParser:
    parser = FlagParser(prog="python -m runner bootstrap", description=HELP)
    parser.add_argument(
        "input", help='a text a line, or JSON lines with "text"; may end in .gz; - reads standard input'
    )
    parser.add_argument("--model", metavar="FOLDER", help="a trained model, also runs:/RUN_ID/model-best")
    parser.add_argument(
        "--code",
        metavar="FILE",
        action="append",
        help="Python to run first, for a model that needs it; may be repeated",
    )
    parser.add_argument("--patterns", metavar="FILE", action="append", help="patterns as JSON lines; may be repeated")
    parser.add_argument("--threshold", type=_share, default=0.5, help="least confidence of a proposal (0.5)")
    parser.add_argument(
        "--order", choices=("input", "uncertain"), default="input", help="uncertain: doubtful texts first"
    )
    parser.add_argument("--limit", type=_count, help="write at most this many texts")
    parser.add_argument("--skip-empty", action="store_true", help="leave out texts without a proposal")
    parser.add_argument("--tokenizer", metavar="TYPE", help="in place of the model's: syntok, whitespace, spacy")
    parser.add_argument(
        "-o", "--output", metavar="FILE", default="-", help="JSON lines; - (default) is standard output"
    )
    return parser
