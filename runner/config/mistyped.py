"""Command lines typed as for another program, or with a slip: the line as it must be typed here.

    training.max_epochs = 3      ner corpus=sample      a.iob b.iob      --epochs 3 --gpu-id 0      optimizer.learn_rate:0.01
    train config.cfg --output out --paths.train a.spacy        train en out a.json b.json

Nothing here runs unless the command line could not be read.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Sequence
from pathlib import Path

from runner import synonyms
from runner.config import schema
from runner.config.conf_folder import conf_dir, group_names
from runner.errors import RunnerError

_RUNNER = "python -m runner"
_FLAGS = ("-m", "--multirun")  # which a mended line keeps
_DATA = (".json", ".jsonl", ".ndjson", ".spacy", ".conllu", ".iob", ".iob2", ".bio", ".biluo", ".conll", ".csv", ".tsv", ".tab",
         ".txt")  # fmt: skip
_NAMED_PARTS = ("train", "dev", "valid", "val", "test")


def mistyped(words: Sequence[str], options: Collection[str] = ()) -> RunnerError | None:
    """The error of a command line that is not understood; None if no slip is recognized.

    words: of the whole line, without the program and `train`. options: those that exist.
    """
    return (
        _of_spacy(words) or _spaced(words) or _config_file(words) or _dashed(words, options) or _choice(words)
        or _files(words) or _parted(words)
    )  # fmt: skip


def override_here(key: str, value: str) -> str | None:
    """The overrides that the user means by `key=value`, where the key is another tool's or one of here; None if unknown."""
    if is_key(key):
        return f"{key}={value or synonyms.VALUE}"
    here = synonyms.key_here(key, value)
    if here is None and (whole := [known for known in _keys() if known.rpartition(".")[2] == synonyms.normal(key)]):
        return f"{whole[0]}={value or synonyms.VALUE}"
    return here


def is_key(name: str) -> bool:
    """Whether the name is a key or a group, or lies in a section."""
    root, dot, _ = name.partition(".")
    known = _keys()
    roots = {key.partition(".")[0] for key in known} | group_names()
    return name in known or name in group_names() or bool(dot and root in roots and not _ends_in(root, _DATA))


def _keys() -> list[str]:
    return [entry.key for entry in schema.manual()]


def choice_anywhere(word: str) -> str | None:
    """`group=choice` for a word that is the name of a choice, first of a pipeline; None if no group has it."""
    if (pipeline := synonyms.choice_of("pipeline", word)) is not None:
        return f"pipeline={pipeline}"
    name = word.lower()
    for group in ("optimizer", "experiment", "corpus", "tok2vec", "vectors", "compute", "tracking"):
        if (conf_dir() / group / f"{name}.yaml").is_file() and name not in ("none", "default"):
            return f"{group}={name}"
    return None


def own_data(path: Path) -> str | None:
    """The overrides that train on a file or on a folder's train and dev files; None if there is no such thing."""
    if path.is_file():
        return f"corpus.train={path} corpus.dev=FILE"
    if not path.is_dir():
        return None
    files = sorted(file for file in path.iterdir() if file.is_file() and _ends_in(file.name, _DATA))
    parts = {part: next((str(file) for file in files if part in file.stem.lower()), None) for part in _NAMED_PARTS}
    dev = parts["dev"] or parts["valid"] or parts["val"]
    return f"corpus.train={parts['train'] or path / 'FILE'} corpus.dev={dev or path / 'FILE'}" if files else None


def of_command(error: RunnerError, command: str) -> RunnerError:
    """The same error, but a mended line that begins a run begins with the command instead."""
    begins = f"Write {_RUNNER} "
    if error.hint is None or not error.hint.startswith(begins):
        return error
    return RunnerError(error.fact, place=error.place, hint=f"{begins}{command} {error.hint.removeprefix(begins)}")


def _error(fact: str, place: str, words: Sequence[str]) -> RunnerError:
    """The error at `place`, whose next move is the whole line as it must be typed."""
    return RunnerError(fact, place=place, hint=f"Write {_RUNNER} {' '.join(map(_quoted, words))}")


def _quoted(word: str) -> str:
    return word if re.fullmatch(r"[\w=.,:/@%+\[\]~-]+", word) else shlex.quote(word)


def _of_spacy(words: Sequence[str]) -> RunnerError | None:
    """`spacy train CONFIG.cfg [--paths.train F]`, or spaCy 2's `spacy train LANG OUT TRAIN DEV`."""
    bare = [word for word in _without_options(words) if "=" not in word]
    config = next((word for word in words if word.endswith(".cfg")), None)
    if config is not None:
        rest = [word for word in words if word not in (config, "-c", "--config", "--cfg")]
        given = [word for word in _translated(rest)[0] if "=" in word]
        keys = [word.partition("=")[0] for word in given]
        for part in ("dev", "train"):
            given[:0] = [f"corpus.{part}=FILE"] if f"corpus.{part}" not in keys else []
        return _error("spaCy's config files are not read here", config.rpartition("=")[2], _pipeline_in(config) + given)
    if len(bare) == 4 and re.fullmatch(r"[a-z]{2,3}", bare[0]) and all(_ends_in(word, _DATA) for word in bare[2:]):
        lang, out, train, dev = bare
        given = [f"pipeline.lang={lang}"] if lang != "en" else []
        given += [f"corpus.train={train}", f"corpus.dev={dev}", f"output_dir={out}"]
        given += [word for word in _translated([word for word in words if word not in bare])[0] if "=" in word]
        return _error("data and folders have names here", " ".join(bare), given)
    return None


def _pipeline_in(config: str) -> list[str]:
    """The pipeline that a spaCy config names, as far as there are components like those here."""
    try:
        text = Path(config.rpartition("=")[2]).read_text(encoding="utf8")[:100_000]
    except (OSError, UnicodeDecodeError):
        return []
    listed = re.search(r"^pipeline\s*=\s*\[(.*)\]", text, re.MULTILINE)
    names = re.findall(r"\w+", listed.group(1)) if listed else []
    here = list(dict.fromkeys(filter(None, (synonyms.choice_of("pipeline", name) for name in names))))
    return [f"pipeline={here[0] if len(here) == 1 else '[' + ','.join(here) + ']'}"] if here else []


def _spaced(words: Sequence[str]) -> RunnerError | None:
    """`key = value`, `key= value`, `key =value`."""
    mended: list[str] = []
    place = None
    i = 0
    while i < len(words):
        word, after = words[i], words[i + 1] if i + 1 < len(words) else ""
        is_free = bool(after) and "=" not in after and not after.startswith("-")
        is_split = after.startswith("=") and len(after) > 1 and "=" not in word
        joined, taken = word, 1
        if after == "=" and i + 2 < len(words):
            joined, taken = f"{word}={words[i + 2]}", 3
        elif is_split or (word.endswith("=") and len(word) > 1 and is_free):
            joined, taken = word + after, 2
        if taken > 1:
            place = place or " ".join(words[i : i + taken])
            key, _, value = joined.partition("=")
            joined = override_here(key, value) or joined
        mended += joined.split(" ") if taken > 1 and joined.count("=") > 1 and "{" not in joined else [joined]
        i += taken
    return _error("a space stands beside the =", place, mended) if place is not None else None


def _config_file(words: Sequence[str]) -> RunnerError | None:
    """`--config my.yaml`."""
    for word, after in zip(words, [*words[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        value = value if equals else after
        if name in ("--config", "--conf", "--cfg-file", "--config-file", "--config_file", "--yaml") or (
            name in ("--config-name", "-cn", "-c", "--cfg") and _ends_in(value, (".yaml", ".yml", ".json"))
        ):
            stem = Path(value).stem or "NAME"
            hint = (
                f"Move it to conf/experiment/{stem}.yaml, under the line '# @package _global_'; "
                f"give --config-dir conf experiment={stem}"
            )
            return RunnerError("a config of your own is a preset in a folder", place=word, hint=hint)
    return None


def _dashed(words: Sequence[str], options: Collection[str]) -> RunnerError | None:
    """`--epochs 3`, `--lr=0.01`, `-o out`, `--gpu-id 0`: an option that is a key here, or nothing."""
    real = (*options, *_FLAGS)
    odd = [word for word in words if word.startswith("-") and word.partition("=")[0] not in real and len(word) > 1]
    mended, dropped = _translated(words, options)
    if odd and dropped is not None:
        place, (fact, hint) = dropped
        return RunnerError(fact, place=place, hint=hint)
    if not odd or any(word.startswith("-") and word.partition("=")[0] not in real for word in mended):
        return None
    return _error("a run takes KEY=VALUE, not this option", odd[0], mended)


def _translated(
    words: Sequence[str], options: Collection[str] = ()
) -> tuple[list[str], tuple[str, tuple[str, str]] | None]:
    """The words with each unknown option as an override, and (option, answer) of the first that has no counterpart."""
    mended: list[str] = []
    dropped = None
    i = 0
    while i < len(words):
        word, after = words[i], words[i + 1] if i + 1 < len(words) else ""
        i += 1
        name, equals, value = word.partition("=")
        if not word.startswith("-") or name in (*options, *_FLAGS) or word == "-":
            mended.append(word)
            continue
        takes_next = not equals and after and not after.startswith("-") and "=" not in after
        value = after if takes_next else value
        bare = name.lstrip("-")
        bare = bare if is_key(bare) else bare.replace("-", "_")
        here = override_here(bare, value)
        if here is None and (answer := synonyms.no_key(bare)) is not None:
            dropped = dropped or (name, answer)
            i += bool(takes_next and re.fullmatch(r"-?\d+|true|false|cpu|cuda\S*", after, re.IGNORECASE))
            continue
        if here is None:
            mended.append(word)
            continue
        i += bool(takes_next and here != override_here(bare, ""))  # some options stand for a choice and take no value
        mended += [here] if "{" in here else here.split(" ")
    return mended, dropped


def _choice(words: Sequence[str]) -> RunnerError | None:
    """`ner`, `ner corpus=sample`: the choice of a group without its group."""
    for i, word in enumerate(words):
        if "=" not in word and not word.startswith("-") and (chosen := choice_anywhere(word)) is not None:
            return _error("a choice stands behind its group", word, [*words[:i], chosen, *words[i + 1 :]])
    return None


def _files(words: Sequence[str]) -> RunnerError | None:
    """`a.iob b.iob`, `data/`: data without a key."""
    bare = [word for word in words if "=" not in word and not word.startswith("-")]
    files = [word for word in bare if _ends_in(word, _DATA) or Path(word).is_file()]
    rest = [word for word in words if word not in bare]
    if files and len(files) == len(bare) <= 3:
        named = [f"corpus.{part}={file}" for part, file in zip(("train", "dev", "test"), files, strict=False)]
        named += ["corpus.dev=FILE"] if len(files) == 1 else []
        return _error("a file has a key", files[0], [*named, *rest])
    if len(bare) == 1 and (data := own_data(Path(bare[0]))) is not None:
        return _error("data has a key", bare[0], [*data.split(" "), *rest])
    return None


def _parted(words: Sequence[str]) -> RunnerError | None:
    """`optimizer.learn_rate:0.01`, `optimizer.learn_rate 0.01`: a key and its value without =."""
    for i, word in enumerate(words):
        key, colon, value = word.partition(":")
        after = words[i + 1] if i + 1 < len(words) else ""
        if "=" in word or word.startswith("-"):
            continue
        if colon and value and (here := override_here(key, value)) is not None:
            return _error("a key and its value are joined by =", word, [*words[:i], here, *words[i + 1 :]])
        if (
            after
            and "=" not in after
            and not after.startswith("-")
            and (here := override_here(word, after)) is not None
        ):
            return _error("a key and its value are joined by =", f"{word} {after}", [*words[:i], here, *words[i + 2 :]])
    return None


def _without_options(words: Sequence[str]) -> list[str]:
    """The words that are neither an option nor, behind one, its value."""
    return [
        word
        for i, word in enumerate(words)
        if not word.startswith("-") and not (i and words[i - 1].startswith("-") and "=" not in words[i - 1])
    ]


def _ends_in(name: str, suffixes: Collection[str]) -> bool:
    return name.lower().removesuffix(".gz").endswith(tuple(suffixes))
