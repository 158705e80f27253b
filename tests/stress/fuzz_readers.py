r"""Break every input that may come from a stranger, a hundred thousand times each: `python -m tests.stress.fuzz_readers`.

    python -m tests.stress.fuzz_readers --inputs 100000 --seconds 600 --seed 0
    python -m tests.stress.fuzz_readers --only conllu model --inputs 1000
    python -m tests.stress.fuzz_readers --only conllu --number 417        one input again, with its error or traceback

Real files (the bundled sample, the mirror's data sets, conf/, models trained here) and small ones that use all of a format
are mutated, and read in this process, as are packed corpora, checkpoints and models whose checksums were made to fit
again. An input may give docs, a model or a config, or a RunnerError of at most two lines that names its place; not another
exception, not five seconds, not a gigabyte. What fails is kept (--keep FOLDER). fuzz.py does the same for whole runs.
"""

from __future__ import annotations

import argparse
import copy
import gzip
import hashlib
import io
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import srsly
import yaml

import runner
from runner.components import storage
from runner.components.tag_map import read_tag_map
from runner.config import explain
from runner.config.compose import compose
from runner.config.conf_folder import conf_dir
from runner.corpus.locate import MIRROR_VARIABLE, SAMPLE
from runner.corpus.packed.arrays import DamagedArrays
from runner.corpus.patterns import read_patterns
from runner.corpus.readers.archive import zipped_texts
from runner.corpus.readers.auto import auto
from runner.corpus.readers.reader import LeftOut, bind
from runner.corpus.tokenizer import syntok
from runner.errors import RunnerError
from runner.training import checkpoint
from tests.corpus.packed import test_docs as packed
from tests.corpus.readers import test_hostile as hostile
from tests.stress.damage import small_model
from tests.stress.fuzz import JUNK, limit_memory

MAX_SECONDS = 5.0
HEAD = 3000  # bytes of a real file, about

JUNK_VALUES = (
    *hostile.JUNK_VALUE, float("nan"), float("inf"), 2**53 + 1, "nope", "os.system", "../x", "/etc/hostname", "${seed}",
    {"type": "ner"}, {"type": "nope"}, {"_target_": "os.getcwd"}, {"nd": True, "type": "O", "shape": [1], "data": b"x"},
    [[[[]]]] * 9, "y" * 50, -(10**9), 10**12,
)  # fmt: skip


class TookTooLong(BaseException):
    """Not an Exception, so that nobody takes it for one of the reader's."""


# Inputs


def heads(suffixes: tuple[str, ...], limit: int = 12) -> list[bytes]:
    """The first lines of real files of these kinds."""
    folders = [SAMPLE, *([Path(os.environ[MIRROR_VARIABLE])] if MIRROR_VARIABLE in os.environ else [])]
    paths = [path for folder in folders for path in sorted(folder.rglob("*")) if path.name.endswith(suffixes)]
    found = []
    for path in paths[:limit]:
        with open(path, "rb") as file:
            content = file.read(HEAD)
        found.append(content[: content.rfind(b"\n") + 1] or content)
    return found


def break_value(content: Any, rng: random.Random) -> None:
    """Replace, remove, double or nest one value somewhere inside."""
    inner: list[tuple[Any, Any]] = []
    stack = [content]
    while stack:
        node = stack.pop()
        for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
            inner.append((node, key))
            if isinstance(value, dict | list):
                stack.append(value)
    if not inner:
        return
    node, key = rng.choice(inner)
    kind = rng.randrange(6)
    if kind == 0:
        del node[key]
    elif kind == 1 and isinstance(node, list):
        node.insert(key, node[key])
    elif kind == 2 and isinstance(node, dict):
        node[rng.choice(("x", "type", "ner", "labels", "", "a/b", 3, None))] = node.pop(key)
    elif kind == 3 and isinstance(node[key], int | float):
        node[key] = rng.choice((node[key] + 1, -node[key], node[key] * 1000, 0, True, str(node[key])))
    elif kind == 4:
        node[key] = node[rng.choice(list(node) if isinstance(node, dict) else range(len(node)))]
    else:
        node[key] = copy.deepcopy(rng.choice(JUNK_VALUES))  # the next input may change it


def dumped_yaml(content: Any, rng: random.Random) -> bytes:
    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return is_plain

    is_plain = rng.random() < 0.7
    try:
        return yaml.dump(content, Dumper=Dumper, sort_keys=False).encode("utf8", "surrogatepass")
    except yaml.YAMLError:  # bytes and the like
        return yaml.safe_dump(json.loads(json.dumps(content, default=str))).encode()


class Target:
    """Something that reads: makes input number N, and reads it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder

    def make(self, rng: random.Random) -> Path:
        """Write a broken input; its place."""
        raise NotImplementedError

    def read(self, path: Path) -> None:
        """Raises RunnerError for what is wrong with it."""
        raise NotImplementedError


class Corpus(Target):
    """Files of one format, by their reader, packed and unpacked again."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name, folder)
        good = {kind: content for kind, content in GOOD.items() if kind.split()[0] == name}
        real = {
            "conllu": heads((".conllu",)), "iob": heads((".iob", ".conll", ".txt")), "jsonl": heads((".jsonl",)),
            "table": heads((".csv", ".tsv")), "spacy_json": [], "prodigy": [], "docbin": [], "biluo": [],
        }[name]  # fmt: skip
        self.seeds = list(good.values())
        self.seeds += [(self.seeds[0][0], content) for content in real]
        self.kind = next(iter(good))

    def make(self, rng: random.Random) -> Path:
        file, data = rng.choice(self.seeds)
        for _ in range(rng.choice((1, 1, 1, 3))):
            data = hostile.mutate(self.kind, data, rng) or b"\n"
        if rng.random() < 0.03:
            data, file = (gzip.compress(data, 1), f"{file}.gz") if rng.random() < 0.7 else (data, f"{file}.gz")
        if rng.random() < 0.1:
            file = rng.choice(("a", "a.json", "a.jsonl", "a.tsv", "a.csv", "a.conllu", "a.iob", "a.gz", "a.spacy"))
        path = self.folder / file
        path.write_bytes(data)
        return path

    def read(self, path: Path) -> None:
        for doc in bind(auto(), syntok(), LeftOut())(path):
            assert len(doc.words) == len(doc.spaces)
            assert doc.text is not None
            assert all(0 <= ent.start < ent.end <= len(doc) for ent in doc.ents)


class Zipped(Target):
    """Archives of texts."""

    def make(self, rng: random.Random) -> Path:
        buffer = io.BytesIO()
        warnings.simplefilter("ignore")  # names that stand twice
        with zipfile.ZipFile(buffer, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
            for i in range(rng.randrange(4)):
                archive.writestr(
                    rng.choice((f"a/{i}.txt", f"b/{i}", "../x", "/y", "a/", f"é/{i}", "x")), b"A b c.\n" * i
                )
        data = buffer.getvalue()
        for _ in range(rng.choice((0, 1, 1, 2))):
            data = hostile._break_bytes(data, rng) if rng.random() < 0.4 else flipped(data, rng)
        path = self.folder / "a.zip"
        path.write_bytes(data)
        return path

    def read(self, path: Path) -> None:
        list(zipped_texts()(path, syntok()))


class Patterns(Target):
    """Token patterns for bootstrap."""

    lines = (
        {"label": "ORG", "pattern": [{"LOWER": "acme"}, {"IS_TITLE": True, "OP": "?"}]},
        {"label": "GPE", "pattern": "New York", "id": "x", "confidence": 0.5},
        {"label": "X", "pattern": [{"TEXT": {"REGEX": "^a+$"}, "OP": "+"}, {"LENGTH": {">=": 3}}, {"SHAPE": "Xx"}]},
        {"label": "Y", "pattern": [{"LOWER": {"IN": ["a", "b"]}}, {}]},
    )

    def make(self, rng: random.Random) -> Path:
        lines = json.loads(json.dumps(self.lines))
        break_value(lines, rng)
        data = "".join(json.dumps(line, default=str) + "\n" for line in lines).encode()
        if rng.random() < 0.3:
            data = hostile._break_bytes(data, rng)
        path = self.folder / "p.jsonl"
        path.write_bytes(data)
        return path

    def read(self, path: Path) -> None:
        read_patterns(path, syntok())


class TagMaps(Target):
    """Tag maps, YAML and JSON."""

    def make(self, rng: random.Random) -> Path:
        entries: dict[str, Any] = {
            "NN": "NOUN",
            "VB": {"pos": "VERB", "VerbForm": "Inf"},
            "*": {"pos": "X", "feats": "A=B"},
        }
        break_value(entries, rng)
        is_json = rng.random() < 0.3
        data = json.dumps(entries, default=str).encode() if is_json else dumped_yaml(entries, rng)
        if rng.random() < 0.4:
            data = hostile._break_bytes(data, rng)
        path = self.folder / ("m.json" if is_json else "m.yaml")
        path.write_bytes(data)
        return path

    def read(self, path: Path) -> None:
        read_tag_map(str(path), str(path))


class Models(Target):
    """Model folders: damaged, and made up with checksums that fit."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name, folder)
        self.goods = []
        for i, components in enumerate((("ner",), ("tagger", "parser", "ner", "textcat"))):
            small_model(components).to_disk(folder / f"good{i}")
            self.goods.append({path.name: path.read_bytes() for path in (folder / f"good{i}").iterdir()})

    def make(self, rng: random.Random) -> Path:
        files = dict(rng.choice(self.goods))
        name = rng.choice(list(files))
        path = self.folder / "model"
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        if rng.random() < 0.1:
            files[name] = hostile._break_bytes(files[name], rng)
        else:
            meta = json.loads(files["meta.json"])
            for _ in range(rng.choice((1, 1, 2))):
                self._forge(files, meta, rng)
            sums = meta.get("file_sha256")
            if isinstance(sums, dict) and rng.random() < 0.98:
                sums.update(
                    {other: hashlib.sha256(files[other]).hexdigest() for other in files if other != "meta.json"}
                )
            meta["meta_sha256"] = storage._meta_sha256(json.loads(json.dumps(meta, default=str)))
            files["meta.json"] = json.dumps(meta, default=str).encode()
        for other, content in files.items():
            (path / other).write_bytes(content)
        if rng.random() < 0.02:
            (path / name).unlink()
        return path

    def _forge(self, files: dict[str, bytes], meta: dict[str, Any], rng: random.Random) -> None:
        name = rng.choice(
            ("config.json", "config.json", "config.json", "meta.json", "weights.msgpack", "lexemes.msgpack")
        )
        if name == "meta.json":
            break_value(meta, rng)
        elif name == "config.json":
            try:
                content = json.loads(files[name]) if rng.random() < 0.8 else None
            except Exception:  # it was broken before
                content = None
            if isinstance(content, dict):
                break_value(content, rng)
                files[name] = json.dumps(content, default=str).encode()
            else:
                files[name] = hostile._break_bytes(files[name], rng)
        else:
            try:
                content = srsly.msgpack_loads(files[name])
                break_value(content, rng)
                files[name] = srsly.msgpack_dumps(content)
            except Exception:  # not packable
                files[name] = hostile._break_bytes(files[name], rng)
            if rng.random() < 0.2:
                files[name] = flipped(files[name], rng)

    def read(self, path: Path) -> None:
        runner.load(path)("Ada met Lin in Oslo .")


class Checkpoints(Target):
    """Checkpoint files, damaged, and made up with a checksum that fits."""

    def make(self, rng: random.Random) -> Path:
        arrays: Any = [
            {"name": "a", "dtype": "f4", "shape": [3, 4], "offset": 0}, {"name": "b", "dtype": "i8", "shape": [2], "offset": 48},
        ]  # fmt: skip
        header = {"format": 1, "about": {"x": [1, {"y": 2}], "training": {"sgd": {"step": 3}}}, "arrays": arrays}
        break_value(header, rng)
        text = json.dumps(header, default=str).encode()
        if rng.random() < 0.2:
            text = hostile._break_bytes(text, rng)
        length = len(text) if rng.random() < 0.95 else rng.choice((0, 2**63, 2**64 - 1, len(text) + 1))
        content = checkpoint.MAGIC + length.to_bytes(8, "little") + text + bytes(64)
        content += hashlib.sha256(content).digest()
        path = self.folder / "c.ckpt"
        path.write_bytes(hostile._break_bytes(content, rng) if rng.random() < 0.1 else content)
        return path

    def read(self, path: Path) -> None:
        checkpoint.load(path)


class PackedCorpora(Target):
    """Packed files, damaged, and made up with checksums that fit."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name, folder)
        self.columns, self.about = packed.good_columns(folder / "good.arrays")

    def make(self, rng: random.Random) -> Path:
        path = self.folder / "a.arrays"
        packed.forge(path, self.columns, self.about, rng)
        if rng.random() < 0.2:
            path.write_bytes(hostile._break_bytes(path.read_bytes(), rng))
        return path

    def read(self, path: Path) -> None:
        try:
            packed.read_everything(path, 1)
        except DamagedArrays as error:  # packing.py makes it again then
            raise RunnerError(str(error), place=str(path)) from None
        except RunnerError as error:  # it names the data file
            raise RunnerError(error.fact, place=str(path)) from None


class Configs(Target):
    """Presets in a folder of one's own, and overrides."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name, folder)
        self.files = sorted(conf_dir().rglob("*.yaml"))
        (folder / "experiment").mkdir(parents=True, exist_ok=True)

    def make(self, rng: random.Random) -> Path:
        file = rng.choice(self.files)
        data = file.read_bytes()
        kind = rng.random()
        if kind < 0.7:
            content = yaml.safe_load(data)
            if isinstance(content, dict) and content:
                if file.parent.name not in ("experiment", "conf"):
                    content = {file.parent.name: content}
                content.pop("defaults", None)
                if rng.random() < 0.15:
                    content["hydra"] = {
                        rng.choice(("job", "sweeper", "launcher", "run", "callbacks", "job_logging")): {"x": {}}
                    }
                for _ in range(rng.choice((1, 1, 3))):
                    break_value(content, rng)
                data = dumped_yaml(content, rng)
        else:
            data = hostile._break_bytes(data, rng)
        path = self.folder / "experiment" / "mine.yaml"
        path.write_bytes(b"# @package _global_\n" + data)
        self.overrides = ["experiment=mine"]
        if rng.random() < 0.3:
            key = rng.choice(
                ("seed", "code", "tok2vec.width", "optimizer.learn_rate", "corpus.train", "dropout", "batch.size")
            )
            self.overrides.append(f"{key}={rng.choice(JUNK)}")
        return path

    def read(self, path: Path) -> None:
        try:
            compose(self.overrides, self.folder)
        except RunnerError as error:
            cause: BaseException | None = error.__cause__
            if cause is not None and not isinstance(cause, RunnerError) and explain.is_ours(cause):
                raise cause from None
            raise


def flipped(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(max(1, len(data)))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :] if data else data


GOOD = hostile.GOOD
TARGETS: dict[str, Callable[[str, Path], Target]] = {
    **dict.fromkeys(("conllu", "iob", "biluo", "jsonl", "prodigy", "spacy_json", "table", "docbin"), Corpus),
    "zipped_texts": Zipped,
    "patterns": Patterns,
    "tag_map": TagMaps,
    "model": Models,
    "checkpoint": Checkpoints,
    "packed": PackedCorpora,
    "config": Configs,
}


# One input


@contextmanager
def alarm() -> Iterator[None]:
    def ring(*_: object) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGVTALRM, ring)  # of this process's own time: the machine may be busy
    signal.setitimer(signal.ITIMER_VIRTUAL, MAX_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def play(target: Target, path: Path) -> tuple[str, str]:
    """How it ended, "read", "refused" or "BAD", and why."""
    try:
        with alarm(), redirect_stderr(io.StringIO()):
            target.read(path)
        return "read", ""
    except RunnerError as error:
        text = str(error)
        lines = text.splitlines()
        if len(lines) > 2 or not error.place or any(len(line) > 1000 for line in lines):
            return "BAD", f"no good error: {text!r:.500}"
        if target.name != "config" and str(path) not in text:
            return "BAD", f"the error does not name the file: {text!r:.500}"
        return "refused", text
    except TookTooLong:
        return "BAD", "it took more than five seconds"
    except BaseException:
        return "BAD", traceback.format_exc(limit=-4)


def fuzz(arguments: list[str] | None = None) -> int:
    """The number of inputs that ended badly."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=100_000, help="of each target")
    parser.add_argument("--seconds", type=float, default=600.0, help="of each target, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=list(TARGETS), choices=list(TARGETS))
    parser.add_argument("--number", type=int, help="this input alone")
    parser.add_argument("--keep", type=Path, help="a folder for the inputs that ended badly")
    options = parser.parse_args(arguments)
    base = Path(tempfile.mkdtemp(prefix="runner-fuzz-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    made: dict[str, Target] = {}
    for name in options.only:
        (base / name).mkdir()
        made[name] = TARGETS[name](name, base / name)
    limit_memory(1 << 30)
    n_bad = 0
    try:
        for name, target in made.items():
            ends: Counter[str] = Counter()
            shown: set[str] = set()
            slowest, started = 0.0, time.perf_counter()
            for number in [options.number] if options.number is not None else range(options.inputs):
                if time.perf_counter() - started > options.seconds:
                    break
                path = target.make(random.Random(f"{options.seed} {name} {number}"))
                began = time.process_time()
                end, why = play(target, path)
                slowest = max(slowest, time.process_time() - began)
                ends[end] += 1
                if options.number is not None or (end == "BAD" and why[-200:] not in shown and len(shown) < 20):
                    shown.add(why[-200:])
                    print(f"--- {name} {number}: {end}\n{why}", flush=True)
                if end == "BAD" and options.keep is not None:
                    kept = options.keep / f"{name}-{options.seed}-{number}"
                    kept.mkdir(parents=True, exist_ok=True)
                    (shutil.copytree if path.is_dir() else shutil.copy)(path, kept / path.name)
                if path.is_file():
                    path.unlink()
            n_bad += ends["BAD"]
            seconds, peak = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
            print(
                f"{name:<13} {ends.total():>7,} inputs in {seconds:>4.0f} s: {ends['read']:>7,} read, "
                f"{ends['refused']:>7,} refused, {ends['BAD']} bad; slowest {slowest:.2f} s, peak {peak} MB",
                flush=True,
            )
    finally:
        shutil.rmtree(base, ignore_errors=True)
    return n_bad


if __name__ == "__main__":
    sys.exit(1 if fuzz() else 0)
