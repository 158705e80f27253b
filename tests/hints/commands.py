"""Advice of the commands beside training, and about the folders that runs leave."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys

import runner
from runner import registry
from runner.commands.convert import own_spelling
from runner.commands.result import Result
from runner.commands.starting import check_old_dev
from runner.compare.reproduction import refusal
from runner.components.pipeline import load
from runner.tracking.past_run import PastRun, from_folder

from .place import DEV, NAMES, TINY, Place, prepare
from .story import story


@story("commands/init/__init__", "python -m runner --config-dir conf experiment=mine")
def a_new_project(at: Place) -> None:
    registry.schedules.names()
    at.patch.setattr(registry.schedules, "_factories", dict(registry.schedules._factories))  # its own.py adds one
    at.command("init", "mine")
    at.patch.chdir(at.folder / "mine")
    at.command("--config-dir", "conf", "experiment=mine", "training.max_epochs=1", "tracking=none", "tok2vec=small")


@story("commands/bootstrap", "Give --model FOLDER, --patterns FILE", "Train pipeline=ner first.")
def nothing_to_propose_with(at: Place) -> None:
    at.write("texts.txt", "Ada met Bo.\n")
    at.write("patterns.jsonl", [{"label": "PER", "pattern": [{"LOWER": "ada"}]}])
    at.command("bootstrap", "texts.txt", code=2)
    assert '"PER"' in at.command("bootstrap", "texts.txt", "--patterns", "patterns.jsonl")
    at.command(*TINY, "pipeline=tagger", "output_dir=tagger")
    at.command("bootstrap", "texts.txt", "--model", "tagger/model-best", code=2)
    at.command(*TINY, "pipeline=ner", "output_dir=ner")
    at.command("bootstrap", "texts.txt", "--model", "ner/model-best")


@story(
    "commands/compare",
    "Leave --log out.",
    tracking__past_run="or the whole: --sweep FOLDER",
    commands__flags="See {} --help.",
)
def runs_beside_each_other(at: Place) -> None:
    for seed in (0, 1):
        at.command(*TINY, f"seed={seed}", f"output_dir=runs/{seed}")
    at.command("compare", "runs/0", "runs/1", "--rounds", "9", "--log", code=2)
    at.command("compare", "runs/0", "runs/1", "--rounds", "9")
    at.raised(from_folder, at.folder / "runs")
    at.command("compare", "--sweep", "runs/", "--rounds", "9")
    at.command("compare", "--nonsense", code=2)
    assert "usage: python -m runner compare" in at.command("compare", "--help")


@story(
    "commands/convert", "Write --option KEY=VALUE.", "--option {}", commands__paths="or give --to",
)  # fmt: skip
def options_of_convert(at: Place) -> None:
    at.command("convert", "train.iob", "out.jsonl", "--option", "scheme", code=2)
    at.command("convert", "train.iob", "out.jsonl", "--option", "scheme=iob1")
    at.command("convert", "train.iob", "out.what", code=2)
    at.command("convert", "train.iob", "out.what", "--to", "iob")
    hint = own_spelling(
        """"corpus.reader.delimiter=';'" corpus.reader.type=table corpus.reader.n_sents=2 corpus.reader.merge_subtokens=true
        corpus.reader.scheme=iob1"""
    )
    assert hint.split() == [
        "--option", "'delimiter=;'", "--from", "table", "--n-sents", "2", "--merge-subtokens", "--option", "scheme=iob1",
    ]  # fmt: skip
    at.command("convert", "train.jsonl", "out.jsonl", "--option", "scheme=iob1", code=2)
    at.command("convert", "train.jsonl", "out.jsonl")
    at.command("convert", "train.iob", "out.jsonl", "--n-sents", "2", "--option", "scheme=iob1")
    at.command("convert", "train.csv", "out.jsonl", "--from", "table", "--option", "delimiter=,")


@story(
    "commands/package/__init__",
    "pip install {}",
    "--with-runner writes its wheel too",
    "overwrite it with --force",
    commands__package__model="my-model.",
)
def a_wheel_in_the_way(at: Place) -> None:
    at.command(*TINY, "output_dir=out")
    at.command("package", "out", "dist", "--name", "3d", code=2)
    assert "pip install dist/my_model-0.1.0-py3-none-any.whl" in at.command(
        "package", "out", "dist", "--name", "my-model"
    )
    changed = ("package", "out", "dist", "--name", "my-model", "--author", "Ada")
    at.command(*changed, code=2)
    at.command(*changed, "--version", "2")
    at.command(*changed, "--force")
    assert "pip install dist/declarative_runner-" in at.command(*changed, "--force", "--with-runner")


@story("commands/package/model", "Give another --name.", commands__package__own="or leave --with-runner out")
def a_wheel_of_a_module_that_is_there(at: Place) -> None:
    at.command(*TINY, "output_dir=out")
    at.command("package", "out", "dist", "--name", "numpy", code=2)
    at.patch.setattr("runner.commands.package.own.PROJECT", "nobody-installed-this")
    at.command("package", "out", "dist", "--name", "ada", "--with-runner", code=2)
    at.command("package", "out", "dist", "--name", "ada")


@story("handover/spacy_folder", "runner.load(path, code=[FILE])", "declarative-runner[spacy]")
def a_model_for_spacy(at: Place) -> None:
    at.write("mine.py", TOKENIZER.replace("hinted", "for_spacy"))
    at.command(*TINY, "code=[mine.py]", "pipeline.tokenizer.type=for_spacy", "output_dir=coded")
    at.command("export", "coded", "out", "--to", "spacy", code=2)
    runner.load("coded", code=["mine.py"])
    at.command(*TINY, "output_dir=plain")
    with at.patch.context() as without:
        without.setitem(sys.modules, "spacy", None)
        at.command("export", "plain", "out", "--to", "spacy", code=2)
    at.command("export", "plain", "out", "--to", "spacy")


@story("commands/paths", "or give --from FORMAT")
def a_folder_of_other_files(at: Place) -> None:
    at.write("folder/a.what", '{"words": ["Ada"]}\n')
    at.command("convert", "folder", "out", code=2)
    at.command("convert", "folder", "out", "--from", "jsonl")


@story(
    "corpus/writers/conllu", "--to jsonl can hold it", corpus__writers__iob="--to jsonl can hold it",
    corpus__writers__writer="--to jsonl can hold it",
)  # fmt: skip
def what_a_format_cannot_hold(at: Place) -> None:
    at.write("tags.jsonl", [{"words": ["Ada"], "tags": ["a b"]}])
    at.write("labels.jsonl", [{"words": ["Ada"], "tags": ["a\tb"], "entities": ["U-PER"]}])
    at.write("words.jsonl", [{"words": ["A\tda"], "entities": ["U-PER"]}])
    at.command("convert", "tags.jsonl", "out.conllu", code=2)
    at.command("convert", "labels.jsonl", "out.iob", code=2)
    at.command("convert", "words.jsonl", "out.iob", code=2)
    for name in ("tags", "labels", "words"):
        at.command("convert", f"{name}.jsonl", "out.jsonl", "--to", "jsonl")


@story("commands/resume", "resume=auto looks for one that was interrupted", "without resume=auto it is trained again")
def a_finished_run_is_resumed(at: Place) -> None:
    at.command(*TINY, "output_dir=out")
    at.command(*TINY, "resume=out", code=2)
    assert "Best:" not in at.command(*TINY, "output_dir=out", "resume=auto")
    assert "Best:" in at.command(*TINY, "output_dir=out")


@story("components/storage", "give it: runner.load(path, code=")
def a_model_with_code(at: Place) -> None:
    at.write("mine.py", TOKENIZER)
    at.write("texts.txt", "Ada met Bo.\n")
    at.command(*TINY, "code=[mine.py]", "pipeline.tokenizer.type=hinted", "output_dir=out")
    at.raised(load, at.folder / "out" / "model-best")
    runner.load(at.folder / "out" / "model-best", code=["mine.py"])
    at.command("bootstrap", "texts.txt", "--model", "out/model-best", "--code", "mine.py")


TOKENIZER = """
from runner.registry import tokenizers

@tokenizers("hinted")
def hinted():
    return lambda text: (text.split(), [True] * len(text.split()))
"""


@story("launch/sweep_file", "Give another output_dir, or force=true")
def another_sweep_lies_here(at: Place) -> None:
    words = (*TINY, "-m", "hydra/launcher=basic")
    at.command(*words, "seed=0,1", "output_dir=out")
    at.command(*words, "seed=2,3", "output_dir=out", code=2)
    at.command(*words, "seed=2,3", "output_dir=other")
    at.command(*words, "seed=2,3", "output_dir=out", "force=true")


@story("compare/reproduction", "--force runs it nevertheless")
def other_data_than_then(at: Place) -> None:
    at.command(*TINY, "output_dir=out", "tracking=none")
    at.write("train.jsonl", [NAMES, DEV])
    at.told.append(str(refusal(PastRun("out", "out", "FINISHED"), "data", ["the train data"])))
    at.command("rerun", "out/", "output_dir=again", code=2)
    shutil.rmtree("again", ignore_errors=True)
    at.command("rerun", "out/", "output_dir=again", "--force")
    prepare(*TINY)


@story("launch/board", "Have the path tell them apart")
def jobs_in_one_folder(at: Place) -> None:
    words = (*TINY, "-m", "hydra/launcher=basic", "seed=0,1", "output_dir=out")
    at.command(*words, "hydra.sweep.subdir=same", code=2)
    at.command(*words, "hydra.sweep.subdir=${hydra.job.num}")


@story("launch/jobs", "Put what differs into hydra.sweep.subdir")
def a_folder_for_each_seed(at: Place) -> None:
    words = (*TINY, "-m", "hydra/launcher=basic", "seed=0,1")
    at.command(*words, "hydra.sweep.dir=x/${seed}", code=2)
    at.command(*words, "hydra.sweep.dir=x", "hydra.sweep.subdir=${seed}")
    assert (at.folder / "x" / "1" / "summary.json").is_file()


@story("commands/paths", "Give it as standard input: python -m runner convert")
def a_pipe_to_convert(at: Place) -> None:
    os.mkfifo("pipe.iob")
    said = at.command("convert", "pipe.iob", "out.jsonl", code=2)
    _, _, command = said.partition("python -m runner ")
    assert command.split() == ["convert", "-", "OUTPUT", "<", "pipe.iob"]
    at.patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((at.folder / "train.iob").read_bytes())))
    at.command("convert", "-", "out.jsonl")
    assert (at.folder / "out.jsonl").read_text(encoding="utf8").count("\n") == 4


@story(
    "commands/predict/__init__", "--resume goes on from there", "Or leave such texts out: --skip-errors",
    commands__predict__formats="or give --format",
    corpus__texts="or leave such texts out: --skip-errors",
)  # fmt: skip
def texts_that_cannot_be_predicted(at: Place) -> None:
    at.command(*TINY, "output_dir=out")
    at.write("texts.jsonl", '{"text": "Ada met Bo."}\n{"text": 3}\n')
    (at.folder / "texts.txt").write_bytes(b"Ada met Bo.\n\xff\n")
    for name in ("texts.jsonl", "texts.txt"):
        at.command("predict", "out/", name, "-o", f"{name}.jsonl", code=2)
        assert "1 skipped" in at.command("predict", "out/", name, "-o", f"{name}.jsonl", "--resume", "--skip-errors")
    at.command("predict", "out/", "texts.jsonl", "-o", "out.what", code=2)
    at.command("predict", "out/", "texts.jsonl", "-o", "out.what", "--format", "jsonl", "--skip-errors")


@story("commands/predict/__init__", "--min-confidence alone works with every format")
def a_format_without_a_place_for_confidence(at: Place) -> None:
    at.command(*TINY, "output_dir=out")
    at.write("texts.txt", "Ada met Bo.\n")
    at.command("predict", "out/", "texts.txt", "-o", "out.iob", "--confidence", code=2)
    for name in ("out.jsonl", "out.csv"):
        at.command("predict", "out/", "texts.txt", "-o", name, "--confidence")
    at.command("predict", "out/", "texts.txt", "-o", "out.iob", "--min-confidence", "0.5")


@story("commands/predict/__init__", "MODEL, INPUT and -o OUT are needed", "Write python -m runner predict MODEL")
def predict_without_its_words(at: Place) -> None:
    at.command(*TINY, "output_dir=out")
    at.write("texts.txt", "Ada met Bo.\n")
    at.command("predict", "out/", code=2)
    at.command("predict", "out/", "texts.txt", "-o", "out.jsonl")
    at.command("predict", "--help")


@story("commands/predict/formats", "Leave such texts out with --skip-errors")
def a_text_without_words_in_conllu(at: Place) -> None:
    at.command(*TINY, "output_dir=out")
    at.write("texts.jsonl", '{"text": "Ada met Bo."}\n{"text": " "}\n')
    at.command("predict", "out/", "texts.jsonl", "-o", "out.conllu", code=2)
    at.command("predict", "out/", "texts.jsonl", "-o", "out.jsonl")
    at.command("predict", "out/", "texts.jsonl", "-o", "out.conllu", "--resume", "--skip-errors")


@story(
    "commands/predict/output",
    "or write it anew with --force",
    "Go on from there with --resume",
    "Begin anew with --force.",
)
def predictions_lie_there_already(at: Place) -> None:
    at.command(*TINY, "output_dir=out")
    at.write("texts.jsonl", '{"text": "Ada met Bo."}\n{"text": 3}\n')
    at.write("texts.txt", "Ada met Bo.\n")
    words = ("predict", "out/", "texts.jsonl", "-o", "out.jsonl")
    at.command(*words, code=2)
    at.command(*words, code=2)
    at.command(*words, "--resume", "--skip-errors")
    at.command(*words, "--skip-errors", code=2)
    at.command(*words, "--skip-errors", "--force")
    at.command("predict", "out/", "texts.jsonl", "-o", "more.jsonl", code=2)
    at.command("predict", "out/", "texts.txt", "-o", "more.jsonl", "--resume", code=2)
    at.command("predict", "out/", "texts.txt", "-o", "more.jsonl", "--force")


MORE = ("corpus=files", "corpus.train=train.jsonl", "corpus.dev=dev.jsonl", "tracking=none", "training.max_epochs=1")
QUIET = """
from runner import registry
from runner.components.base import Component
from runner.components.tagger import Tagger

class Quiet(Tagger):
    type = "quiet"
    beliefs = Component.beliefs

@registry.components("quiet")
def quiet(name: str, tok2vec: registry.Tok2VecBlock):
    return Quiet(name, tok2vec)
"""
SIZES = tuple(word for word in TINY if word.startswith("tok2vec"))


@story(
    "assemble",
    "init.model=MODEL brings the model's pipeline along",
    "components are those of pipeline.components, and of",
)
def a_config_does_not_fit_the_model(at: Place) -> None:
    at.command(*TINY, "output_dir=out")
    at.command(*MORE, "init.model=out", "pipeline.lang=de", "output_dir=two", code=2)
    at.command(*MORE, "init.model=out", "training.components=[nre]", "output_dir=two", code=2)
    at.command(*MORE, "init.model=out", "training.components=[ner]", "output_dir=two")


@story(
    "assemble",
    "Let all learn, or use pipeline.shared_tok2vec=false",
    "Add it to the list, or choose a pipeline without it",
)
def a_component_cannot_be_left_alone(at: Place) -> None:
    both = ("pipeline=[ner,tagger]", *MORE, *SIZES)
    at.command(*both, "pipeline.shared_tok2vec=true", "output_dir=shared")
    at.command(*MORE, "init.model=shared", "training.components=[ner]", "output_dir=two", code=2)
    at.command(*MORE, "init.model=shared", "output_dir=two")
    at.command(*both, "training.components=[ner]", "output_dir=three", code=2)
    at.command(*both, "training.components=[ner,tagger]", "output_dir=three")
    at.command("pipeline=ner", *MORE, *SIZES, "training.components=[ner]", "output_dir=four")


@story("commands/starting", "or add some of the old training data")
def an_update_makes_it_worse(at: Place) -> None:
    at.command(*TINY, "output_dir=out", "training.max_epochs=20", "optimizer.learn_rate=0.02")
    at.write("other.jsonl", [{"words": ["Bo", "left"], "entities": ["O", "U-PER"]}] * 8)
    words = ("corpus=files", "corpus.dev=dev.jsonl", "tracking=none", "training.max_epochs=5", "init.model=out")
    told = at.command(*words, "corpus.train=other.jsonl", "optimizer.learn_rate=0.05", "output_dir=two")
    assert "no epoch reached" in told
    told = at.command(
        *words, "corpus.train=[other.jsonl,train.jsonl]", "optimizer.learn_rate=0.0003", "output_dir=three"
    )
    assert "no epoch reached" not in told


@story(
    "components/selection",
    "The components are those of pipeline.components",
    "Name the components that learn: training.components",
    components__inputs="training.annotating=[tagger]",
)
def a_component_cannot_annotate(at: Place) -> None:
    at.command("pipeline=tagger", *MORE, *SIZES, "output_dir=out")
    reads = (*MORE, *SIZES, "init.model=out", "pipeline=ner", "tok2vec.features=[norm,tag]", "output_dir=two")
    at.command(*reads, "training.components=[ner]", code=2)
    at.command(*reads, "training.annotating=[tagger]", code=2)
    at.command(*reads, "training.annotating=[tager]", "training.components=[ner]", code=2)
    at.command(*reads, "training.annotating=[tagger]", "training.components=[ner]")
    tagger = runner.load(at.folder / "out")
    nlp = runner.blank("en")
    nlp.add_pipe("ner", {"tok2vec": {"type": "hash_embed_cnn", "width": 8, "features": ["tag"]}})
    nlp.add_pipe("tagger", source=tagger)
    nlp.annotating = ["tagger"]
    nlp.select_pipes(disable="tagger")
    data = ["Ada left"], [{"entities": [(0, 3, "PER")]}]
    at.raised(nlp.update, *data)
    nlp.remove_pipe("tagger")
    nlp.add_pipe("tagger", source=tagger, first=True)
    nlp.update(*data)


@story("config/ranges", "Add teacher=model teacher.model=MODEL; or, with init.model=MODEL")
def texts_have_no_teacher(at: Place) -> None:
    at.command(*TINY, "output_dir=out")
    at.write("raw.jsonl", [{"text": "Bo met Ada."}])
    fresh = ("pipeline=ner", *MORE, *SIZES, "teacher.texts=raw.jsonl")
    at.command(*fresh, "output_dir=two", code=2)
    at.command(*fresh, "teacher=model", "teacher.model=out", "output_dir=two")
    for teacher in ("itself", "labels"):
        words = (*MORE, "teacher.texts=raw.jsonl", "init.model=out", f"teacher={teacher}")
        at.command(*words, f"output_dir={teacher}")


@story("launch/initial", "Leave it out, or train a new model, without init.model.")
def a_width_that_no_component_takes(at: Place) -> None:
    at.command(*TINY, "output_dir=out")
    at.command(*MORE, "init.model=out", "tok2vec.width=40", "output_dir=two", code=2)
    at.command(*MORE, "init.model=out", "output_dir=two")
    at.command(*MORE, "pipeline=ner", "tok2vec.width=40", "output_dir=three")


@story(
    "training/old_dev",
    "Leave corpus.old_dev out.",
    launch__initial="Name the model that the run starts from: init.model=MODEL",
)
def old_data_tell_nothing(at: Place) -> None:
    at.command(*TINY, "output_dir=out")
    at.command("pipeline=ner", *MORE, *SIZES, "corpus.old_dev=dev.jsonl", "output_dir=two", code=2)
    old = (*MORE, "init.model=out", "corpus.old_dev=dev.jsonl")
    at.command(*old, "output_dir=two")
    summary = json.loads((at.folder / "two/summary.json").read_text("utf8"))
    at.raised(check_old_dev, Result(init=summary["init"]), None)
    at.command(*old, "output_dir=three")
    tagger = ("pipeline=tagger", "training.components=[tagger]", *SIZES)
    at.write("tags.jsonl", [{"words": ["Ada", "left"], "tags": ["N", "V"]}] * 4)
    files = (
        "corpus=files",
        "corpus.train=tags.jsonl",
        "corpus.dev=tags.jsonl",
        "tracking=none",
        "training.max_epochs=1",
    )
    at.command(*files, *tagger, "init.model=out", "corpus.old_dev=dev.jsonl", "output_dir=four", code=2)
    at.command(*files, *tagger, "init.model=out", "output_dir=four")
    at.command(*MORE, "init.model=out", "corpus.old_dev=tags.jsonl", "output_dir=five", code=2)


@story(
    "launch/teachers",
    "Name the model that the run starts from, init.model=MODEL",
    "Set pipeline.tokenizer.type to the teacher's.",
)
def a_run_has_no_teacher_that_fits(at: Place) -> None:
    at.command(*TINY, "output_dir=out")
    fresh = ("pipeline=ner", *MORE, *SIZES)
    at.command(*fresh, "teacher=itself", "output_dir=two", code=2)
    at.command(*MORE, "teacher=itself", "init.model=out", "output_dir=two")
    at.command(*fresh, "teacher=model", "teacher.model=out", "output_dir=three")
    taught = (*fresh, "teacher=model", "teacher.model=out", "output_dir=four")
    at.command(*taught, "pipeline.tokenizer.type=whitespace", code=2)
    at.command(*taught, "pipeline.tokenizer.type=syntok")


@story(
    "launch/teachers",
    "Leave it as it is with training.components",
    components__base="Leave it as it is with training.components",
)
def a_component_takes_no_lessons(at: Place) -> None:
    at.write("quiet.py", QUIET)
    both = (*TINY, "code=[quiet.py]", "+pipeline.components.quiet={type: quiet, tok2vec: {type: hash_embed_cnn}}")
    at.command(*both, "output_dir=out")
    again = ("code=[quiet.py]", *MORE, *SIZES, "init.model=out", "output_dir=two")
    at.command(*again, "teacher=itself", code=2)
    at.command(*again, "teacher=itself", "training.components=[ner]")
    at.command(*again, "teacher=none")
    nlp = runner.load(at.folder / "out", code=[at.folder / "quiet.py"])
    at.raised(nlp.network.beliefs, [runner.Doc(["Ada"])], "quiet")
