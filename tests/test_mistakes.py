"""The likeliest mistakes on a first command line: place, fact and next move in two or three lines, exit code 2, no traceback.

The next move of each is followed: what it says to write is composed and checked as a run would be, or run where it is no run.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest

from runner import registry, synonyms
from runner.__main__ import main
from runner.config.compose import compose
from runner.config.mistyped import is_key, mistyped
from runner.corpus.readers.auto import format_of

GPU = "Leave it out; compute=numba trains faster than the default."
SPACY_2 = "train en out train.json dev.json -n 30 -p ner,tagger -g 0"
SPACY_3 = "train config.cfg --output out --paths.train train.spacy --paths.dev dev.spacy --gpu-id 0"
WARMUP = "'optimizer.learn_rate={type: warmup_linear, initial_rate: 0.002, warmup_steps: 100, total_steps: auto}'"
TEMPLATE = "Write corpus.train=my.jsonl corpus.dev=FILE"
OWN = "corpus.train=train.jsonl corpus.dev=dev.jsonl"

# The line as typed → place, part of the fact, next move.
MISTAKES = [
    ("lr=0.01", "lr", "here it is 'optimizer.learn_rate'", "Write optimizer.learn_rate=0.01."),
    ("optimizer.lr=0.01", "optimizer.lr", "did you mean 'learn_rate'?", "It takes: learn_rate,"),
    ("learning_rate=0.01", "learning_rate", "here it is 'optimizer.learn_rate'", "Write optimizer.learn_rate=0.01."),
    ("epochs=3", "epochs", "here it is 'training.max_epochs'", "Write training.max_epochs=3."),
    ("training.n_epochs=3", "training.n_epochs", "here it is", "Write training.max_epochs=3."),
    ("debug max_epochs = 3", "max_epochs = 3", "a space stands", "Write python -m runner debug training.max_epochs=3"),
    ("debug --epochs 3", "--epochs", "a run takes KEY=VALUE", "Write python -m runner debug training.max_epochs=3"),
    ("'optimizer.rates={ner/tok2vec/encode[1-2]: 0.1}'", "'optimizer.rates={ner/tok2vec/encode[1-2]: 0.1}'",
     "no viable alternative",
     r"Write 'optimizer.rates={ner/tok2vec/encode\[1-2\]: 0.1}'."),
    ("max_epochs=3", "max_epochs", "did you mean 'training.max_epochs'?", "Write training.max_epochs=3."),
    ("n_iter=30", "n_iter", "here it is", "Write training.max_epochs=30."),
    ("batch_size=32", "batch_size", "here it is 'batch.size'", "Write batch=sentences batch.size=32."),
    ("batch=32", "batch", "is no option of the group", "Write batch=sentences batch.size=32."),
    ("dropout_rate=0.2", "dropout_rate", "here it is 'dropout.value'", "Write dropout=constant dropout.value=0.2."),
    ("dropout=0.2", "dropout", "is no option of the group", "Write dropout=constant dropout.value=0.2."),
    ("weight_decay=0.01", "weight_decay", "here it is 'optimizer.L2'", "Write optimizer.L2=0.01."),
    ("warmup_steps=100", "warmup_steps", "here it is 'optimizer.learn_rate'", f"Write {WARMUP}."),
    ("early_stopping=5", "early_stopping", "here it is", "Write training.patience=5."),
    ("hidden_size=64", "hidden_size", "here it is 'tok2vec.width'", "Write tok2vec.width=64."),
    ("gpu=0", "gpu", "a run computes on the CPU", GPU),
    ("gpu_id=0 seed=1", "gpu_id", "a run computes on the CPU", GPU),
    ("--gpu-id 0", "--gpu-id", "a run computes on the CPU", GPU),
    ("compute=cuda", "compute", "a run computes on the CPU", GPU),
    ("model=entities", "model", "here it is 'pipeline'", "Write pipeline=ner."),
    ("model=en_core_web_sm", "model", "spaCy's models are not trained on", "Leave it out: a run starts from new weights."),
    ("vectors=en_core_web_lg", "vectors", "a model of spaCy's", "vectors=spacy vectors.model=en_core_web_lg"),
    ("train=train.jsonl", "train", "here it is 'corpus.train'", "Write corpus.train=train.jsonl."),
    ("output=out", "output", "here it is 'output_dir'", "Write output_dir=out."),
    ("--output out seed=1", "--output", "KEY=VALUE", "Write python -m runner output_dir=out seed=1"),
    ("--epochs 3 --lr=0.1", "--epochs", "KEY=VALUE", "python -m runner training.max_epochs=3 optimizer.learn_rate=0.1"),
    ("--config=my.yaml", "--config=my.yaml", "is a preset in a folder", "Move it to conf/experiment/my.yaml"),
    ("ner", "ner", "behind its group", "Write python -m runner pipeline=ner"),
    ("train ner corpus=sample", "ner", "behind its group", "Write python -m runner pipeline=ner corpus=sample"),
    ("-m tagger seed=1,2", "tagger", "behind its group", "Write python -m runner -m pipeline=tagger seed=1,2"),
    ("pipeline=NER", "pipeline", "did you mean 'ner'?", "Write pipeline=ner. Known: full, intent, ner,"),
    ("pipeline=entities", "pipeline", "the nearest here is 'ner'", "Write pipeline=ner."),
    ("optimizer=Adam", "optimizer", "did you mean 'adam'?", "Write optimizer=adam. Known: adam, radam, sgd."),
    ("optimizer=adamw", "optimizer", "the nearest here is 'adam'", "Write optimizer=adam."),
    ("tracking=wandb", "tracking", "the nearest here is 'mlflow'", "Write tracking=mlflow."),
    ("tracking=false", "tracking", "is no option of the group", "Write tracking=none."),
    ("tok2vec=bert", "tok2vec", "the nearest here is 'encoder'", "Write tok2vec=encoder."),
    ("max_epochs = 3", "max_epochs = 3", "a space", "Write python -m runner training.max_epochs=3"),
    ("training.max_epochs= 3", "training.max_epochs= 3", "a space", "Write python -m runner training.max_epochs=3"),
    ("seed=1 optimizer.learn_rate:0.1", "optimizer.learn_rate:0.1", "joined by =", "optimizer.learn_rate=0.1"),
    ("optimizer.learn_rate 0.1", "optimizer.learn_rate 0.1", "joined by =", "optimizer.learn_rate=0.1"),
    ("optimizer.learn_rate=0,01", "optimizer.learn_rate=0,01", "several values", "Write optimizer.learn_rate=0.01,"),
    ("optimizer.learn_rate=-1", "optimizer", "must not be negative", "Give learn_rate another value"),
    ("training.max_epochs=none", "training.max_epochs", "'none' is not a whole", "Write training.max_epochs=null."),
    ("optimizer.use_averages=ture", "optimizer.use_averages", "not true or false", "wants true or false, such as"),
    ("corpus=my.jsonl", "corpus", "data of your own", TEMPLATE),
    ("corpus=data", "corpus", "data of your own", "Write corpus.train=data/train.jsonl corpus.dev=data/dev.jsonl"),
    ("train.jsonl dev.jsonl", "train.jsonl", "a file has a key", f"Write python -m runner {OWN}"),
    ("corpus.train=train.jsonl", "corpus.dev", "no dev data", "Set corpus.dev=PATH, or hold back a fifth"),
    (f"corpus.reader=jsonl {OWN}", "corpus.reader", "keys with values", "Write corpus.reader.type=NAME."),
    ("corpus.train=trian.jsonl corpus.dev=dev.jsonl", "corpus.train", "no file trian.jsonl", "Did you mean train.jsonl?"),
    ("corpus.train=data corpus.dev=dev.jsonl", "corpus.train", "data is a folder", "Name a file in it"),
    ("corpus.train=config.cfg corpus.dev=dev.jsonl", "config.cfg:1", "1 column", "the file is read as iob"),
    ("corpus.train=tags.jsonl corpus.dev=tags.jsonl", "corpus.train", "; it holds tags and trees",
     "Choose pipeline=tagger or pipeline=parser, or other data."),
    ("corpus.train=train.jsonl corpus.dev=tags.jsonl", "corpus.dev", "no gold for ents_f; it holds tags", "corpus.folds=5"),
    (SPACY_3, "config.cfg", "spaCy's config files",
     "Write python -m runner pipeline=ner output_dir=out corpus.train=train.spacy corpus.dev=dev.spacy"),
    (SPACY_2, "en out train.json dev.json", "have names here", "Write python -m runner corpus.train=train.json "
     "corpus.dev=dev.json output_dir=out training.max_epochs=30 pipeline=[ner,tagger]"),
    ("train config.cfg", "config.cfg", "spaCy's config files", "pipeline=ner corpus.train=FILE corpus.dev=FILE"),
    ("eval model dev.jsonl", "eval", "unknown command", "Write python -m runner evaluate MODEL DATA"),
    ("help", "help", "unknown command", "Write python -m runner --help"),
    ("tune", "tune", "unknown command", "Write python -m runner -m hydra/sweeper=optuna 'optimizer.learn_rate=tag("),
    ("ui", "ui", "unknown command", "Write mlflow ui --backend-store-uri sqlite:///mlflow.db"),
    ("evaluate outputs/mine dev.jsonl", "outputs/mine", "there is no such model", "Give a folder"),
    ("init.model=en_core_web_md", "init.model=en_core_web_md", "not read here", "Leave it out"),
    ("-p ner", "--package", "is for --cfg", "Leave it out; a pipeline is chosen by pipeline=NAME."),
    ("resume=true", "resume", "no interrupted run", "or auto"),
]  # fmt: skip


@pytest.fixture
def newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_mlflow: None) -> Path:
    """The working folder of a newcomer, who has data of each kind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    names = {"words": ["Ada", "met", "Bo"], "entities": ["U-PER", "O", "U-PER"]}
    trees = {"words": ["Ada", "met", "Bo"], "tags": ["N", "V", "N"], "heads": [1, 1, 1], "deps": ["a", "root", "b"]}
    Path("data").mkdir()
    for file, record in (("my", names), ("train", names), ("dev", names), ("tags", trees), ("data/train", names),
                         ("data/dev", names)):  # fmt: skip
        Path(f"{file}.jsonl").write_text((json.dumps(record) + "\n") * 6, encoding="utf8")
    Path("config.cfg").write_text('[nlp]\npipeline = ["tok2vec","ner"]\n\n[training]\nmax_epochs = 10\n', "utf8")
    return tmp_path


def run(words: Sequence[str]) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(words))
    return code, out.getvalue(), err.getvalue()


@pytest.mark.parametrize(("line", "place", "fact", "hint"), MISTAKES, ids=[line[:40] for line, *_ in MISTAKES])
def test_a_mistake_is_told_its_place_the_fact_and_the_next_move(newcomer, line, place, fact, hint):
    code, out, err = run(shlex.split(line))
    lines = err.strip().splitlines()
    assert (code, out) == (2, "")
    assert 2 <= len(lines) <= 3, err
    assert lines[0].startswith(f"{place}: "), err
    assert fact in lines[0], err
    assert hint in err
    assert "Traceback" not in err
    follow(hint)


def follow(hint: str) -> None:
    """What the hint says to write is understood."""
    written = re.fullmatch(r"Write (python -m runner )?(.*?)\.?( Known:.*|,)?", hint)
    if written is None or "mlflow" in hint.split() or "NAME" in hint or "tag(" in hint:
        return
    words = [word.replace("FILE", "train.jsonl") for word in shlex.split(written[2])]
    if words[0] in registry.commands.mains or words[0].startswith("--"):
        assert run([words[0], "--help"] if words[0] in registry.commands.mains else words)[0] == 0
        return
    is_sweep = "-m" in words
    config = compose([word.partition(",")[0] if is_sweep else word for word in words if word != "-m"])
    assert all(f"{config.overrides}".count(word.partition("=")[0]) for word in words if word != "-m")


def test_own_files_need_no_corpus(newcomer):
    assert compose(shlex.split(OWN)).choices["corpus"] == "files"
    assert compose([*shlex.split(OWN), "experiment=quick"]).choices["corpus"] == "files"
    assert compose(["corpus.limit=5"]).choices["corpus"] == "sample"
    assert compose(["corpus=wikigold", "corpus.train=train.jsonl"]).choices["corpus"] == "wikigold"
    assert compose(["experiment=ner", "corpus.train=train.jsonl"]).choices["corpus"] == "wikigold"


def test_every_synonym_composes():
    values = {"optimizer=VALUE": "sgd", "tok2vec=VALUE": "small", "pipeline=VALUE": "tagger", "corpus=VALUE": "wnut17",
              "experiment=VALUE": "quick", "tracking=VALUE": "none", "pipeline.lang=VALUE": "de",
              "optimizer.use_averages=VALUE": "false", "corpus.dev=null corpus.folds=VALUE": "5",
              "dropout=constant dropout.value=VALUE": "0.1", "dropout.start=VALUE": "0.3", "dropout.stop=VALUE": "0.1",
              "optimizer.beta1=VALUE": "0.8", "optimizer.beta2=VALUE": "0.9", "resume=VALUE": "auto",
              "code=[VALUE]": "", "tracking.uri=VALUE": "sqlite:///m.db"}  # fmt: skip
    for words in synonyms.KEYS:
        whole = words.replace("VALUE", values.get(words, "3"))
        if words.startswith("-m"):
            assert run([*whole.split(" ")[1:], "--cfg", "hydra"])[0] == 0, whole
        else:
            compose([whole] if "{" in whole else whole.split(" "))


def test_every_choice_of_a_synonym_exists():
    for group, table in synonyms.OPTIONS.items():
        for choice in table:
            compose([f"{group}={choice}", *(["vectors.path=a.vec"] if (group, choice) == ("vectors", "file") else [])])


def test_no_name_has_two_meanings_or_is_a_key_itself():
    for table in (synonyms.KEYS, synonyms.COMMANDS):
        names = [synonyms.normal(name) for line in table.values() for name in line.split()]
        assert sorted(names) == sorted(set(names))
    taken = {"dropout", "vectors", "teacher"}  # sections of which the name means something under another section
    own = {name for line in synonyms.KEYS.values() for name in line.split() if is_key(name)}
    assert own <= taken
    assert not {name for line in synonyms.COMMANDS.values() for name in line.split()} & set(registry.commands.mains)


def test_what_is_no_slip_is_left_alone():
    assert mistyped(["seed=1", "optimizer=adam"]) is None
    assert mistyped(["qwertz"]) is None


def test_examples_of_the_tables():
    assert doctest.testmod(synonyms).failed == 0


def test_a_guess_of_a_format_is_one_of_the_readers(newcomer):
    assert format_of(Path("config.cfg")) == "iob"
