r"""Break a good run in a thousand ways, and look at how it ends: `python -m tests.stress.fuzz --runs 500 --seed 0`.

Each run starts from a config and data that work, takes one or two mutations (of overrides, preset, environment, user
code, or an IOB or JSONL file), and calls `runner.__main__.main` in this process. It must work, or end in at most two
lines on stderr that name a file or key, the fact and the next move; see `faults` for all that is checked. A run is
a function of its seed and number: `--only 17 --keep` does number 17 again and leaves its folder to look at.

Memory is limited, because huge numbers are among the mutations; multiruns and interrupts are tested elsewhere.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import re
import resource
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import runner
from runner.__main__ import main

MAX_SECONDS = 20.0
MAX_LINE = 1000  # characters of a line that a person may be asked to read
MEMORY = 2 * 2**30  # bytes more than at the start
SHARE_MLFLOW = 0.1

WORDS = "Ada Lovelace met Lin in Oslo on Monday , and Aurel sold 3 boats to Acme Corp . ﬁ e\u0301 \u200d 👩\u200d🚀 naïve".split()

# Beside each key, values that make a run small and sure to end.
BASE = {
    "pipeline": "ner",
    "optimizer": "adam",
    "experiment": "mine",
    "corpus": "files",
    "corpus.train": "train.iob",
    "corpus.dev": "dev.jsonl",
    "output_dir": "out",
    "tracking": "none",
    "training.max_steps": "3",
    "training.max_epochs": "2",
    "tok2vec": "small",
    "tok2vec.width": "8",
    "tok2vec.depth": "1",
    "tok2vec.embed_size": "50",
    "optimizer.learn_rate": "0.01",
    "dropout.start": "0.3",
}

OTHER_KEYS = (
    "seed code pipeline.lang pipeline.components pipeline.components.ner pipeline.components.ner.type pipeline.tokenizer "
    "pipeline.components.ner.tok2vec pipeline.components.ner.hidden_width pipeline.components.ner.maxout_pieces "
    "pipeline.score_weights pipeline.score_weights.ents_f pipeline.tokenizer.type optimizer.type optimizer.beta1 "
    "optimizer.beta2 optimizer.eps optimizer.L2 optimizer.L2_is_weight_decay optimizer.grad_clip optimizer.use_averages "
    "corpus.name corpus.test corpus.reader corpus.reader.type corpus.gold_tokens corpus.folds corpus.fold corpus.limit "
    "tok2vec.type tok2vec.window_size tok2vec.maxout_pieces tok2vec.features tok2vec.word_dropout batch batch.type "
    "batch.start batch.stop batch.compound dropout dropout.type dropout.stop dropout.decay training training.patience "
    "training.eval_every tracking.type tracking.uri tracking.experiment tracking.run_name tracking.system_metrics "
    "compute compute.ops compute.threads compute.device hydra.run.dir hydra.job.name"
).split()

ENVIRONMENT = (
    "learn_rate dropout_from dropout_to dropout_decay optimizer_B1 optimizer_B2 optimizer_eps L2_penalty hidden_width "
    "token_vector_width embed_size batch_from batch_to batch_compound grad_norm_clip"
).split()

JUNK = (
    "", "null", "true", "false", "abc", "-1", "0", "1", "1.5", "-0.0", "nan", "inf", "-inf", "1e308", "1e-320", "1e400",
    "1000000000", "99999999999999999999", "-99999999999999999999", "0x10", "1_000", "'0.5'", "[]", "[1,2]", "[null]",
    "{}", "{a: 1}", "{type: adam}", "{type: nope}", "{type: constant, value: 0.1}", "{type: constant, value: nan}",
    "{type: constant}", "{type: null}", "{type: 3}", "{type: decaying, start: 0.1, stop: 0.5, decay: -1}",
    "{type: warmup_linear, initial_rate: 0.01, warmup_steps: 3, total_steps: 2}", "{type: compounding, start: 1}",
    "{type: compounding, start: 1, stop: 1e300, compound: 1e10}", "{type: linear, start: 1, stop: -1, steps: 2}",
    "[", "}", "'open", '"', "${tok2vec}", "${nope}", "${optimizer.learn_rate}", "${", "${oc.env:NOPE}", "${now:%Y}",
    "${oc.decode:'['}", "é", "日本", "a b", "a=b", "\x00", "\udcff", "\u202e", "~", "!", "???", "*", "!!python/none x",
    "." * 3000, "9" * 5000, "[" * 150 + "]" * 150, "{a: " * 80 + "1" + "}" * 80, "train.iob", "../nope.iob", "/", "/proc/nope/x",
    "0,1", "choice(1,2)", "range(1,3)", "sqlite:////nope/x.db", "http://127.0.0.1:9/", "file:///tmp/x", "ftp://x",
)  # fmt: skip

PRESET = """\
# @package _global_
# A preset of one's own.
defaults:
  - override /dropout: decaying
  - override /batch: sentences

batch:
  size: 4
dropout:
  start: 0.4
  stop: 0.2
optimizer:
  learn_rate: 0.02
  L2: 1e-5
  grad_clip: 1.0
tok2vec:
  features: [norm, prefix, suffix]
training:
  patience: 5
  eval_every: 2
"""

CODE = """\
from runner import registry


@registry.schedules("{name}")
def mine(value: float = 0.01) -> registry.Schedule:
    return lambda step: {result}
"""


@dataclass
class Case:
    """What a run is made of: mutations change it in place and say what they did."""

    rng: random.Random
    folder: Path
    number: int
    overrides: dict[str, str]
    words: list[str] = field(default_factory=list)  # further ones of the command line, as they are
    environment: dict[str, str] = field(default_factory=dict)
    did: list[str] = field(default_factory=list)

    @property
    def argv(self) -> list[str]:
        return ["--config-dir", "my conf", *(f"{key}={value}" for key, value in self.overrides.items()), *self.words]

    @property
    def preset(self) -> Path:
        return self.folder / "my conf" / "experiment" / "mine.yaml"


@dataclass
class Outcome:
    """How a run ended."""

    code: int | None
    stdout: str
    stderr: str
    seconds: float
    escaped: str | None  # traceback of what `main` let pass


# A good run


def sentences(rng: random.Random, n: int) -> list[tuple[list[str], list[str]]]:
    """Words and IOB2 tags."""
    made = []
    for _ in range(n):
        words = rng.choices(WORDS, k=rng.choice((1, 3, 5, 8, 12)))
        tags: list[str] = []
        while len(tags) < len(words):
            label = rng.choice(("PER", "LOC", "ORG"))
            tags += rng.choice((["O"], ["O", "O"], [f"B-{label}"], [f"B-{label}", f"I-{label}"]))
        made.append((words, tags[: len(words)]))
    made.append((["Ada", "sleeps"], ["B-PER", "O"]))
    return made


def iob_text(data: list[tuple[list[str], list[str]]], gap: str = "\t") -> str:
    return "\n".join(
        "".join(f"{word}{gap}{tag}\n" for word, tag in zip(words, tags, strict=True)) for words, tags in data
    )


def jsonl_records(data: list[tuple[list[str], list[str]]], rng: random.Random) -> list[dict[str, Any]]:
    """Half with text and offsets, half with words and tags."""
    records: list[dict[str, Any]] = []
    for words, tags in data:
        text = " ".join(words)
        entities: list[list[Any]] = []
        start = 0
        for word, tag in zip(words, tags, strict=True):
            if tag[0] == "B":
                entities.append([start, start + len(word), tag[2:]])
            elif tag[0] == "I":
                entities[-1][1] = start + len(word)
            start += len(word) + 1
        records.append({"text": text, "words": words, "entities": entities, "cats": {"A": 1.0}, "id": len(records)})
        if rng.random() < 0.5:
            del records[-1]["words"]
    return records


def good_case(rng: random.Random, folder: Path, number: int) -> Case:
    (folder / "my conf" / "experiment").mkdir(parents=True)
    case = Case(rng, folder, number, dict(BASE))
    case.preset.write_text(PRESET, encoding="utf8")
    for name in ("train", "dev"):
        data = sentences(rng, 6)
        (folder / f"{name}.iob").write_text(iob_text(data, rng.choice(("\t", " "))), encoding="utf8")
        lines = [json.dumps(record, ensure_ascii=rng.random() < 0.5) for record in jsonl_records(data, rng)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf8")
    kinds = rng.choice((("iob", "jsonl"), ("jsonl", "iob"), ("iob", "iob"), ("jsonl", "jsonl")))
    case.overrides["corpus.train"], case.overrides["corpus.dev"] = f"train.{kinds[0]}", f"dev.{kinds[1]}"
    if rng.random() < SHARE_MLFLOW:
        case.overrides["tracking"] = "mlflow"
        case.overrides["tracking.uri"] = f"sqlite:///{folder.parent}/mlflow.db"
    if rng.random() < 0.2:
        case.overrides["corpus.gold_tokens"] = "false"
    return case


# Mutations


def misspelt(rng: random.Random, name: str) -> str:
    at = rng.randrange(len(name))
    return rng.choice(
        (
            name[:at] + name[at + 1 :],
            name[:at] + name[at] + name[at:],
            name[:at] + rng.choice("xé_.-A ") + name[at + 1 :],
            name[: max(at - 1, 0)] + name[max(at - 1, 0) : at + 1][::-1] + name[at + 1 :],
            name.upper(),
            name + rng.choice((".x", "s", ".", "@", "@x", "/y")),
            rng.choice(("+", "++", "~")) + name,
        )
    )


def some_key(case: Case) -> str:
    return case.rng.choice((*case.overrides, *OTHER_KEYS))


def change_value(case: Case) -> str:
    key = some_key(case)
    if key == "training.max_steps":
        case.overrides["training.max_epochs"] = "1"
    case.overrides[key] = case.rng.choice(JUNK)
    return f"{key}={case.overrides[key]}"


def misspell_key(case: Case) -> str:
    key = case.rng.choice((*case.overrides, *OTHER_KEYS))
    wrong = misspelt(case.rng, key)
    case.words.append(f"{wrong}={case.overrides.get(key, '1')}")
    return case.words[-1]


def odd_word(case: Case) -> str:
    key = case.rng.choice(list(case.overrides))
    odd = case.rng.choice(
        (
            "train",
            "=",
            "==",
            "=1",
            "--nope",
            "-x",
            f"~{key}",
            key,
            f"+{key}=1",
            f"{key}==2",
            f"{key}=1,2",
            "",
            " ",
            "-",
            "hydra=nope",
            "+a.b.c=1",
            "--config-name=nope",
            "--config-path=/nope",
            "-cd",
            "--cfg",
            "--cfg=nope",
            "@",
            "a/b=c",
            f"{key}@x=1",
            "--package=x",
            "--experimental-rerun=x",
            "\x00",
            "\udcff=1",
            "é=1",
            "--info=nope",
            "--resolve",
        )
    )
    case.words.append(odd)
    return f"word {odd!r}"


def choose_other(case: Case) -> str:
    choices = {
        "pipeline": "ner tagger parser nope",
        "optimizer": "radam sgd Adam nope ./adam ../optimizer/adam",
        "tok2vec": "hash_embed_cnn nope",
        "batch": "auto words sentences nope",
        "dropout": "constant decaying 0.2",
        "experiment": "quick recipe spacy_like nope null [mine] [mine,quick]",
        "corpus": "sample wnut17 wikigold nope null",
        "training": "debug default nope",
        "tracking": "none nope",
        "compute": "cpu gpu",
    }
    group = case.rng.choice(list(choices))
    case.overrides[group] = case.rng.choice(choices[group].split())
    if group == "corpus":
        case.overrides.pop("corpus.train")
        case.overrides.pop("corpus.dev")
        case.overrides["corpus.limit"] = "5"
    return f"{group}={case.overrides[group]}"


def set_environment(case: Case) -> str:
    name = case.rng.choice(ENVIRONMENT)
    for key in ("optimizer.learn_rate", "dropout.start"):
        case.overrides.pop(key, None)
    if case.rng.random() < 0.5:
        case.overrides.pop("experiment")
    value = case.rng.choice([junk for junk in JUNK if "\0" not in junk])
    case.environment[name] = value
    return f"{name}={value} in the environment"


def add_code(case: Case) -> str:
    name = f"mine{case.number}"
    text = CODE.format(name=name, result="value")
    kind = case.rng.choice(
        "fine nan raises text none zero negative syntax import duplicate latin1 missing factory".split()
    )
    results = {
        "nan": "float('nan') if step == 1 else value",
        "raises": "value / (1 - step)",
        "text": "'much'",
        "none": "None",
        "zero": "0.0",
        "negative": "-1.0",
    }
    if kind in results:
        text = CODE.format(name=name, result=results[kind])
    elif kind == "syntax":
        text = text.replace("lambda step:", "lambda step")
    elif kind == "import":
        text = "import nope\n" + text
    elif kind == "duplicate":
        text = text.replace(name, "constant")
    elif kind == "factory":
        text = text.replace("    return", "    [][1]\n    return")
    path = case.folder / f"{name}.py"
    if kind != "missing":
        path.write_bytes((text + ("# \xe9\n" if kind == "latin1" else "")).encode("latin-1"))
    case.overrides["code"] = f"[{path.name}]"
    key = case.rng.choice(("optimizer.learn_rate", "dropout", "optimizer.L2", "optimizer.grad_clip"))
    if key == "dropout":
        case.overrides.pop("dropout.start", None)
        case.overrides.pop("experiment", None)
        case.words += ["dropout=constant", f"dropout={{type: {name}, value: 0.1}}"][1:]
    else:
        case.overrides[key] = f"{{type: {name}, value: 0.01}}"
    return f"code: {kind}, as {key}"


def break_preset(case: Case) -> str:
    rng = case.rng
    lines = PRESET.splitlines()
    at = rng.randrange(len(lines))
    line = lines[at]
    data: bytes | None = None
    kind = rng.choice(
        "value key delete duplicate indent tab latin1 nul cut bom crlf deep list anchor tag package empty binary "
        "override bomb missing".split()
    )
    if kind == "value":
        lines[at] = line.partition(":")[0] + ": " + rng.choice(JUNK).replace("\udcff", "?")
    elif kind == "key":
        lines[at] = line.replace(line.strip(), misspelt(rng, line.strip() or "x"))
    elif kind == "delete":
        del lines[at]
    elif kind == "duplicate":
        lines.insert(at, line)
    elif kind == "indent":
        lines[at] = " " * rng.randrange(1, 6) + line
    elif kind == "tab":
        lines[at] = "\t" + line.strip()
    elif kind in ("latin1", "nul"):
        raw = "\n".join(lines).encode()
        cut = rng.randrange(len(raw))
        data = raw[:cut] + (b"\xe9" if kind == "latin1" else b"\0") + raw[cut:]
    elif kind == "cut":
        data = PRESET.encode()[: rng.randrange(len(PRESET))]
    elif kind == "bom":
        data = b"\xef\xbb\xbf" + PRESET.encode()
    elif kind == "crlf":
        data = PRESET.replace("\n", "\r\n").encode()
    elif kind == "deep":
        depth = rng.choice((50, 2000))
        lines.append("optimizer2: " + "[" * depth + "]" * depth)
    elif kind == "list":
        lines = ["# @package _global_", "- 1", "- 2"]
    elif kind == "anchor":
        lines.append("tok2vec: *nope")
    elif kind == "tag":
        lines[at] = line.partition(":")[0] + ": !!python/object/apply:os.getcwd []"
    elif kind == "package":
        lines[0] = rng.choice(("# @package _nope_", "# @package optimizer", "", "# @package"))
    elif kind == "empty":
        data = rng.choice((b"", b"\n\n", b"# nothing\n", b"---\n...\n", b"null\n", b"3\n"))
    elif kind == "binary":
        data = rng.randbytes(200)
    elif kind == "override":
        lines[3] = rng.choice(
            ("  - override /optimizer: nope", "  - override /nope: adam", "  - mine", "  - /optimizer: adam", "  - 3")
        )
    elif kind == "bomb":
        lines += ["a: &a [1,1,1,1,1,1,1,1]", *(f"a{i}: &a{i} [*a{i - 1 or ''}, *a{i - 1 or ''}]" for i in range(1, 10))]
    elif kind == "missing":
        case.preset.unlink()
        return "preset: missing"
    case.preset.write_bytes(data if data is not None else ("\n".join(lines) + "\n").encode("utf8", "surrogatepass"))
    return f"preset: {kind} (line {at + 1})"


def any_file(case: Case) -> Path:
    """The training data, more often than the dev data."""
    key = case.rng.choice(("corpus.train", "corpus.train", "corpus.dev"))
    return case.folder / case.overrides.get(key, "train.iob")


def break_bytes(case: Case) -> str:
    """What can happen to a file of any format."""
    rng = case.rng
    path = any_file(case)
    if not path.is_file():
        return "no file to break"
    raw = path.read_bytes()
    at = rng.randrange(len(raw))
    lines = raw.splitlines(keepends=True)
    i = rng.randrange(len(lines))
    kind = rng.choice(
        "empty blank latin1 nul cut cutline crlf cr bom bom16 duplicate shuffle swap delete binary u2028 gz notgz double "
        "folder unreadable trailing surrogate".split()
    )
    if kind == "empty":
        raw = b""
    elif kind == "blank":
        raw = rng.choice((b"\n", b"\n\n \n", b"\t\n", b"\r\n", b" ", b"\xef\xbb\xbf"))
    elif kind == "latin1":
        raw = raw[:at] + b"\xe9 \xff" + raw[at:]
    elif kind == "nul":
        raw = raw[:at] + b"\0" + raw[at:]
    elif kind == "cut":
        raw = raw[:at]
    elif kind == "cutline":
        lines[i] = lines[i][: rng.randrange(len(lines[i]))] + b"\n"
        raw = b"".join(lines)
    elif kind == "crlf":
        raw = raw.replace(b"\n", b"\r\n")
    elif kind == "cr":
        raw = raw.replace(b"\n", b"\r")
    elif kind == "bom":
        raw = b"\xef\xbb\xbf" + raw
    elif kind == "bom16":
        raw = raw.decode("utf8").encode("utf-16")
    elif kind == "duplicate":
        lines.insert(i, lines[i] * rng.choice((1, 50)))
        raw = b"".join(lines)
    elif kind == "shuffle":
        rng.shuffle(lines)
        raw = b"".join(lines)
    elif kind == "swap":
        raw = raw[: at // 2] + raw[at:] + raw[at // 2 : at]
    elif kind == "delete":
        del lines[i]
        raw = b"".join(lines)
    elif kind == "binary":
        raw = rng.randbytes(300)
    elif kind == "u2028":
        raw = raw[:at] + "\u2028\u0085\x0b".encode() + raw[at:] if raw[at] < 128 else raw
    elif kind == "gz":
        import gzip

        raw = gzip.compress(raw)
    elif kind == "notgz":
        path = path.rename(path.with_name(path.name + ".gz"))
        case.overrides["corpus.train"] = path.name
    elif kind == "double":
        raw += raw
    elif kind == "folder":
        path.unlink()
        path.mkdir()
        return f"{path.name}: a folder"
    elif kind == "unreadable":
        path.unlink()
        path.symlink_to(rng.choice(("nowhere", path.name)))
        return f"{path.name}: a link to nowhere, or itself"
    elif kind == "trailing":
        raw = raw.replace(b"\n", b" \t\n" if rng.random() < 0.5 else b"  \n")
    elif kind == "surrogate":
        raw = raw[:at] + b"\xed\xa0\x80" + raw[at:]
    path.write_bytes(raw)
    return f"{path.name}: {kind}"


def break_iob(case: Case) -> str:
    rng = case.rng
    key = rng.choice(("corpus.train", "corpus.dev"))
    path = case.folder / ("train.iob" if key == "corpus.train" else "dev.iob")
    case.overrides[key] = path.name
    if not path.is_file():
        return "no file to break"
    lines = path.read_text(encoding="utf8", errors="replace").split("\n")
    full = [i for i, line in enumerate(lines) if line.strip()]
    if not full:
        return "no line to break"
    i = rng.choice(full)
    gap = "\t" if "\t" in lines[i] else " "
    word, tag = [*lines[i].rstrip("\r").split(gap), "O"][:2]
    kind = rng.choice(
        "tag tags scheme column columns notag noword long one docstart combining surrogate spaces huge unknown nothing "
        "many".split()
    )
    if kind == "tag":
        wrong = [
            "X-PER",
            "B",
            "B-",
            "-PER",
            "I-NOPE",
            "L-PER",
            "U-PER",
            "E-PER",
            "S-LOC",
            "b-PER",
            "PER",
            "0",
            "B-PER-X",
            "B_PER",
            "B-\u0301",
            "B-" + "x" * 3000,
            "--",
            "-",
            "-DOCSTART-",
        ]
        lines[i] = f"{word}{gap}{rng.choice(wrong)}"
    elif kind == "tags":
        for j in full:
            lines[j] = lines[j].replace("B-", rng.choice(("I-", "B-", "U-", "L-")))
    elif kind == "scheme":
        scheme = rng.choice("iob1 iob2 biluo nope".split())
        case.overrides["corpus.reader"] = f"{{type: iob, scheme: {scheme}}}"
        return f"{path.name}: read as {scheme}"
    elif kind == "column":
        lines[i] = gap.join([word, *["x"] * rng.choice((1, 2, 3, 30)), tag])
    elif kind == "columns":
        n = rng.choice((1, 2, 3, 10))
        for j in full:
            lines[j] = gap.join([*lines[j].split(gap)[:1], *["_"] * n, *lines[j].split(gap)[1:]])
    elif kind == "notag":
        lines[i] = word if rng.random() < 0.5 else word + gap
    elif kind == "noword":
        lines[i] = gap + tag
    elif kind == "long":
        lines.append("")
        lines += [f"w{j % 300}{gap}{rng.choice(('O', 'O', 'B-PER'))}" for j in range(2000)]
    elif kind == "one":
        lines = [f"Ada{gap}{rng.choice(('O', 'B-PER'))}"]
    elif kind == "docstart":
        lines[i:i] = ["-DOCSTART-" + rng.choice(("", f"{gap}O", f"{gap}-X-{gap}-X-{gap}O")), ""]
    elif kind == "combining":
        lines[i] = (
            f"{rng.choice((chr(0x301), chr(0x200D), chr(0xFEFF), chr(0xA0), chr(0x3000), chr(0xE000)))}{gap}{tag}"
        )
    elif kind == "surrogate":
        path.write_bytes("\n".join([*lines[:i], f"\ud800{gap}O", *lines[i:]]).encode("utf8", "surrogatepass"))
        return f"{path.name}: half a character"
    elif kind == "spaces":
        lines[i] = f"New York{gap}O"
    elif kind == "huge":
        lines[i] = "a" * 200_000 + gap + tag
    elif kind == "unknown":
        for j in full:
            lines[j] = lines[j].split(gap)[0] + gap + "-"
    elif kind == "nothing":
        for j in full:
            lines[j] = lines[j].split(gap)[0] + gap + "O"
    elif kind == "many":
        for n, j in enumerate(full):
            lines[j] = lines[j].split(gap)[0] + f"{gap}B-T{n}"
    path.write_text("\n".join(lines), encoding="utf8", newline="")
    return f"{path.name}: {kind} (line {i + 1})"


def break_jsonl(case: Case) -> str:
    rng = case.rng
    key = rng.choice(("corpus.train", "corpus.dev"))
    path = case.folder / ("train.jsonl" if key == "corpus.train" else "dev.jsonl")
    case.overrides[key] = path.name
    if not path.is_file():
        return "no file to break"
    lines = path.read_text(encoding="utf8", errors="replace").splitlines()
    i = rng.randrange(len(lines)) if lines else 0
    try:
        record = json.loads(lines[i])
        assert isinstance(record, dict)
    except (ValueError, AssertionError, IndexError):
        return "no line to break"
    text = record.get("text") or "Ada"
    kind = rng.choice(
        "value key offsets entity cross deep surrogate number line long one words heads nothing extra".split()
    )
    values: list[Any] = [
        None,
        True,
        3,
        -1,
        1.5,
        float("nan"),
        float("inf"),
        10**400,
        "",
        "x",
        [],
        [None],
        [[]],
        {},
        {"a": 1},
        [1, 2],
        ["x"],
        [["x", 1, 2]],
        [[0, 1]],
        [[0, 1, ""]],
        [{"start": 0}],
        "a" * 100_000,
    ]
    keys = "text words spaces entities tags pos heads deps sent_starts cats".split()
    if kind == "value":
        record[rng.choice(keys)] = rng.choice(values)
    elif kind == "key":
        chosen = rng.choice([known for known in ("text", "words", "entities") if known in record])
        record[misspelt(rng, chosen)] = record.pop(chosen)
    elif kind == "offsets":
        start, end = rng.choice(
            (
                (-1, 2),
                (0, 10**6),
                (5, 2),
                (1, 1),
                (0, 10**30),
                (len(text), len(text) + 1),
                (1.0, 2),
                ("0", "2"),
                (None, 2),
                (True, 2),
            )
        )
        record["entities"] = [[start, end, "PER"]]
    elif kind == "entity":
        label = rng.choice(
            ("", " ", None, 3, "x" * 5000, "PER\n", "a,b", "B-PER", "\u0301", "PER/LOC", "\x00", "\u2028")
        )
        record["entities"] = rng.choice(
            ([[0, 1, label]], [{"start": 0, "end": 1, "label": label}], [[0, 1, "PER", "x"]])
        )
    elif kind == "cross":
        record.update(
            text="Ada Lovelace met",
            entities=rng.choice(
                ([[0, 12, "PER"], [4, 16, "ORG"]], [[0, 3, "PER"], [0, 3, "PER"]], [[0, 3, "PER"], [0, 3, "ORG"]])
            ),
        )
        record.pop("words", None)
    elif kind == "deep":
        depth = rng.choice((100, 100_000))
        lines[i] = '{"text": "Ada", "x": ' + "[" * depth + "]" * depth + "}"
    elif kind == "surrogate":
        lines[i] = rng.choice(
            (
                r'{"text": "a \ud800 b", "entities": []}',
                r'{"text": "\ud83d\ude00 \uDE00"}',
                r'{"\ud800": 1, "text": "a"}',
                r'{"text": "Ada\u0000 x", "entities": [[0, 3, "P"]]}',
            )
        )
    elif kind == "number":
        lines[i] = '{"text": "Ada", "x": ' + rng.choice(("1e999", "NaN", "-Infinity", "9" * 5000, "01", "1.")) + "}"
    elif kind == "line":
        lines[i] = rng.choice(
            ("3", "null", "[]", '"text"', "{", "{}", "}", "nope", lines[i] + lines[i], lines[i] + ",", "'x'")
        )
    elif kind == "long":
        record = {"words": [f"w{j % 300}" for j in range(2000)], "entities": ["O"] * 1999 + ["U-PER"]}
    elif kind == "one":
        lines, i, record = [""], 0, {"text": rng.choice(("Ada", " Ada ", ".", "\u0301", " ", "", "\n"))}
    elif kind == "words":
        record["words"] = rng.choice(
            (["Ada"], [], [""], [" "], ["a\nb"], text.split()[::-1], [*text.split(), "x"], [text], list(text))
        )
    elif kind == "heads":
        words = text.split()
        record = {
            "words": words,
            "heads": rng.choice(
                (
                    [0] * len(words),
                    [len(words)] * len(words),
                    [-1] * len(words),
                    [10**20] * len(words),
                    ["0"] * len(words),
                    [0],
                )
            ),
            "deps": ["x"] * len(words),
        }
    elif kind == "nothing":
        record["entities"] = rng.choice(([], None))
    elif kind == "extra":
        record["x" * 1000] = {"deep": [1, {"a": None}]}
    if kind not in ("deep", "surrogate", "number", "line"):
        lines[i] = json.dumps(record)
    path.write_text("\n".join(lines) + "\n", encoding="utf8")
    return f"{path.name}: {kind} (line {i + 1})"


MUTATIONS: dict[Callable[[Case], str], int] = {
    change_value: 6,
    misspell_key: 3,
    odd_word: 2,
    choose_other: 1,
    set_environment: 2,
    add_code: 1,
    break_preset: 5,
    break_bytes: 5,
    break_iob: 5,
    break_jsonl: 6,
}


# One run


class TookTooLong(BaseException):
    """Not an Exception, so that nobody takes it for one of the run's."""


@contextmanager
def surroundings(case: Case) -> Iterator[None]:
    """The case's folder and environment, an alarm, and no warning that goes unseen."""
    before, cwd = dict(os.environ), os.getcwd()

    def ring(*_: object) -> None:
        raise TookTooLong

    os.chdir(case.folder)
    os.environ.update(case.environment)
    alarm = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, MAX_SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, alarm)
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(before)


def run(case: Case) -> Outcome:
    """What the command line would do, with the streams' real encodings and error handlers."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf8", errors="strict", write_through=True)
    err = io.TextIOWrapper(io.BytesIO(), encoding="utf8", errors="backslashreplace", write_through=True)
    code, escaped = None, None
    started = time.perf_counter()
    with surroundings(case), redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(case.argv)
        except BaseException:
            escaped = traceback.format_exc()
    seconds = time.perf_counter() - started
    texts = [stream.buffer.getvalue().decode("utf8", "replace") for stream in (out, err)]  # type: ignore[attr-defined]
    return Outcome(code, *texts, seconds, escaped)


def faults(case: Case, outcome: Outcome) -> list[str]:
    """Everything that is wrong with how the run ended."""
    found: list[str] = []
    lines = [line for line in outcome.stderr.splitlines() if line.strip()]
    if outcome.escaped:
        found.append("main let an exception pass")
    if outcome.seconds > MAX_SECONDS:
        found.append(f"it took {outcome.seconds:.0f} s")
    if "Traceback" in outcome.stderr or "Traceback" in outcome.stdout:
        found.append("a traceback")
    if outcome.code not in (0, 1, 2):
        found.append(f"exit code {outcome.code}")
    if outcome.code == 0 and lines:
        found.append("it worked and wrote to stderr")
    if outcome.code in (1, 2):
        if not 1 <= len(lines) <= 2:
            found.append(f"{len(lines)} lines on stderr")
        if any(len(line) > MAX_LINE for line in lines):
            found.append("an endless line")
        if lines and not re.match(r"\S.*: \S|.* at step \d+", lines[0]):
            found.append("no place")
        if len(lines) == 1 and not re.search(r"did you mean|known: | must | is not one of ", lines[0]):
            found.append("no next move")
        if any(
            re.search(r"<[a-z_.]+ object at|<class '|\w+Config\b.*Config|NoneType|pydantic", line) for line in lines
        ):
            found.append("the words of a programmer")
    found += _leftovers(case, outcome)
    return found


def _leftovers(case: Case, outcome: Outcome) -> list[str]:
    found: list[str] = []
    half = [path for path in case.folder.rglob("*") if re.fullmatch(r"\..*\.(tmp|old)", path.name)]
    if half:
        found.append(f"half-written: {', '.join(path.name for path in half)}")
    folders = {path.parent for path in case.folder.rglob("summary.json")}
    folders |= {path.parent for path in case.folder.rglob(".hydra")}
    folders |= {path for path in case.folder.rglob("*") if path.is_dir() and path.name in ("out", "outputs")}
    if outcome.code == 2 and folders:
        # What was refused while the first steps ran (a tracker that found no server) may say so in its folder.
        statuses = {_status(folder) for folder in folders}
        if statuses != {"FAILED"} and not (statuses == {"FINISHED"} and outcome.stderr.startswith("tracking.")):
            found.append(f"refused, and a folder stays ({', '.join(map(str, statuses))})")
    is_run = outcome.code == 0 and "Epoch" in outcome.stdout
    if is_run and [_status(folder) for folder in folders if _status(folder)] != ["FINISHED"]:
        found.append("no summary that says FINISHED")
    if outcome.code == 1 and folders and [_status(folder) for folder in folders if _status(folder)] != ["FAILED"]:
        found.append("a run folder, and no summary that says FAILED")
    models = [path.parent for path in case.folder.rglob("weights.msgpack") if "mlartifacts" not in path.parts]
    if is_run and {path.name for path in models} != {"model-best", "model-last"}:
        found.append("not two models")
    for path in models:
        try:
            runner.load(path)("Ada met Lin in Oslo .")
        except Exception as error:
            found.append(f"{path.name} does not load: {error}")
    store = case.folder.parent / "mlflow.db"
    if store.is_file() and "sqlite" in case.overrides.get("tracking.uri", ""):
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
            running = connection.execute("select count(*) from runs where status = 'RUNNING'").fetchone()[0]
        if running:
            found.append("a run is RUNNING in MLflow")
            with sqlite3.connect(store) as connection:  # told once
                connection.execute("update runs set status = 'FAILED' where status = 'RUNNING'")
    return found


def _status(folder: Path) -> str | None:
    try:
        return str(json.loads((folder / "summary.json").read_text(encoding="utf8"))["status"])
    except (OSError, ValueError, KeyError):
        return None


def play(seed: int, number: int, folder: Path, *, is_good: bool = False) -> tuple[Case, Outcome, list[str]]:
    """Run number `number` of a seed. is_good: without mutations."""
    rng = random.Random(f"{seed}/{number}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    case = good_case(rng, folder, number)
    for _ in range(0 if is_good else rng.choice((1, 1, 1, 2))):
        mutate = rng.choices(list(MUTATIONS), list(MUTATIONS.values()))[0]
        case.did.append(f"{mutate.__name__}: {mutate(case)}")
    stay_inside(case)
    outcome = run(case)
    return case, outcome, faults(case, outcome)


def stay_inside(case: Case) -> None:
    """No mutation may make a run write outside its folder: a path that leads out of it is led below /dev/null instead."""

    def confined(key: str, value: str) -> str:
        is_folder = key.strip("+~").partition("@")[0] in ("output_dir", "hydra.run.dir")
        leads_out = not Path(os.path.abspath(case.folder / value.replace("\0", ""))).is_relative_to(case.folder)
        return "/dev/null/out" if is_folder and (leads_out or "${" in value) else value

    case.overrides = {key: confined(key, value) for key, value in case.overrides.items()}
    case.words = [
        f"{key}={confined(key, value)}" if "=" in word else word
        for word in case.words
        for key, _, value in [word.partition("=")]
    ]


def limit_memory(more: int = MEMORY) -> None:
    """A million million rows must not take the machine down with them. more: bytes, beside those of now."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + more, resource.RLIM_INFINITY))


def fuzz(arguments: list[str] | None = None) -> int:
    """The number of runs that ended badly."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="this run alone")
    parser.add_argument("--keep", action="store_true", help="leave the folders of the runs that ended badly")
    parser.add_argument("--show", action="store_true", help="print every message")
    options = parser.parse_args(arguments)
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    os.environ["RUNNER_DATA_MIRROR"] = "/nonexistent/mirror"  # never the network
    base = Path(tempfile.mkdtemp(prefix="runner-fuzz-"))
    for number in (-1, -2):
        _, outcome, wrong = play(options.seed, number, base / "good", is_good=True)
        assert outcome.code == 0, outcome
        assert not wrong, wrong
    limit_memory()
    table: Counter[tuple[str, str]] = Counter()
    n_bad = 0
    slowest = 0.0
    for number in [options.only] if options.only is not None else range(options.runs):
        folder = base / f"run{number}"
        case, outcome, wrong = play(options.seed, number, folder)
        slowest = max(slowest, outcome.seconds)
        for did in case.did:
            table[did.partition(":")[0], "bad" if wrong else str(outcome.code)] += 1
        if wrong or options.show or options.only is not None:
            print(f"--- run {number}: {'; '.join(case.did)!r:.600}")
            print(f"    exit {outcome.code}, {outcome.seconds:.1f} s" + "".join(f"; WRONG: {fault}" for fault in wrong))
            print("".join(f"    | {line:.400}\n" for line in outcome.stderr.splitlines()[-12:]), end="")
            if outcome.escaped:
                print("".join(f"    ! {line:.400}\n" for line in outcome.escaped.splitlines()[-12:]), end="")
        n_bad += bool(wrong)
        if not (options.keep and wrong):
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"    cd {folder}; python -m runner {case.argv!r:.2000}")
    codes = sorted({code for _, code in table})
    print(f"\n{'mutation':<18}" + "".join(f"{'exit ' + code if code != 'bad' else code:>8}" for code in codes))
    for mutate in MUTATIONS:
        print(f"{mutate.__name__:<18}" + "".join(f"{table[mutate.__name__, code]:>8}" for code in codes))
    print(f"{n_bad} runs ended badly; the slowest took {slowest:.1f} s")
    if not options.keep:
        shutil.rmtree(base, ignore_errors=True)
    return n_bad


if __name__ == "__main__":
    sys.exit(1 if fuzz() else 0)
