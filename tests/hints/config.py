"""Advice about the config and the command line of a run."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from omegaconf import ValidationError

from runner.components.pipeline import Pipeline
from runner.config.compose import compose, job_error
from runner.config.explain import _wrong_type
from runner.config.explain_overrides import group_needs_name
from runner.config.kept import expanded
from runner.config.recorded import recorded_config
from runner.launch.search import Knobs
from runner.model.dropout import Dropout
from runner.model.encoder.encoder import encoder
from runner.model.ops import make_ops
from runner.model.parameters import Parameters
from runner.training.adam import adam
from runner.user_code import load_code
from tests.model.encoder.small import write_encoder

from .data import takes_extra
from .place import TINY, Place, prepare, takes
from .story import story


@story("__main__", "trains; see python -m runner --help")
def no_such_command(at: Place) -> None:
    at.command("trian", code=2)
    prepare(*TINY, "pipeline=ner", "optimizer=adam")
    at.command("--help")


@story("config/check", "Choose pipeline=ner.")
def nothing_to_train(at: Place) -> None:
    at.follow(at.refused("~pipeline.components.ner"))


@story("config/compose", "Lower the sizes in tok2vec and pipeline.components")
def memory_runs_out(at: Place) -> None:
    at.told.append(str(job_error(MemoryError("cannot allocate"), None)))
    prepare(
        *TINY,
        "tok2vec.width=8",
        "pipeline.components.ner.hidden_width=8",
        "batch=growing",
        "batch.stop=2",
        "corpus.limit=1",
    )


@story("config/explain_overrides", "--cfg job` prints every key")
def no_such_key(at: Place) -> None:
    at.refused("trainings.max_epochs=1")
    assert "max_epochs: 1" in at.command(*TINY, "--cfg", "job")


@story("config/explain", "a group may be replaced, as in optimizer=sgd")
def a_group_is_deleted(at: Place) -> None:
    at.follow(at.refused("~optimizer=[adam]"))


@story("config/explain_overrides", "Add --multirun to run each.", "Add --multirun to run each, or write a list")
def several_values(at: Place) -> None:
    for words, is_list in (
        (["training.max_epochs=1,2"], False),
        (["optimizer=adam,radam"], False),
        (["corpus.train=train.jsonl,dev.jsonl"], True),
    ):
        error = at.refused(*words)
        assert ("write a list" in str(error)) is is_list
        assert "2 jobs, none of them broken" in at.command("debug", "--multirun", *TINY, *words)
        if is_list:
            prepare(*TINY, str(error.hint).split("'")[1])


@story("config/explain_overrides", "Overrides are KEY=VALUE; see python -m runner")
def no_override(at: Place) -> None:
    at.refused("training.max_epochs")
    at.command("--help")


@story("config/explain_overrides", "See python -m runner --help.", launch__command_line="See python -m runner --help.")
def not_understood_at_all(at: Place) -> None:
    at.told.append(str(group_needs_name([])))
    at.command("--bogus", code=2)
    at.command("--help")


@story("launch/runs", "Add -m to the command.")
def repeats_of_one_run(at: Place) -> None:
    at.write("mine/experiment/twice.yaml", "# @package _global_\nrepeat: 2\n")
    words = (*TINY, "--config-dir", "mine", "experiment=twice", "output_dir=out")
    at.command(*words, code=2)
    assert "2 jobs" in at.command("-m", *words, "hydra/launcher=basic")


@story("config/explain", "unset it, or give {}=VALUE.")
def a_variable_of_the_environment(at: Place) -> None:
    with at.patch.context() as patch:
        patch.setenv("learn_rate", "fast")
        at.command(*TINY, "output_dir=out", code=2)
        prepare(*TINY, "optimizer.learn_rate=0.001")
    prepare(*TINY)


@story(
    "config/explain",
    "Add {}=VALUE{}.",
    "Give a plain value: {}=VALUE.",
    "Write {}=[VALUE].",
    config__explain_overrides="Leave ~{} out, or give {}=null",
)
def values_that_are_none(at: Place) -> None:
    at.refused("corpus.name=???")
    at.refused("seed=${oc.decode:'['}")
    prepare(*TINY, "seed=1")
    prepare(*TINY, "corpus.name=mine")
    at.follow(at.refused("~corpus.name"))
    at.refused("code=3")
    at.write("good.py", "value = 1\n")
    prepare(*TINY, "code=[good.py]")


@story(
    "config/explain_overrides", "Choose a file as in {}=NAME", "Choose a file of conf/{}/ and set its keys",
    "Write {}=VALUE.", config__explain="Set those keys, as in {}.KEY=VALUE.",
)  # fmt: skip
def groups_and_their_keys(at: Place) -> None:
    at.refused("training@x=debug")
    at.refused("tracking=5")
    prepare(*TINY, "tracking=none", "training.max_epochs=5")
    at.refused("seed@x=1")
    prepare(*TINY, "seed=1")
    at.told.append(str(_wrong_type(ValidationError("Cannot assign int to a DictConfig\n    full_key: corpus"))))
    prepare(*TINY, "corpus.limit=3")


@story("blocks", "Add {}.type=NAME; {}.", "Add {}.{}=VALUE.")
def a_block_that_lacks_something(at: Place) -> None:
    at.refused("optimizer.type=null")
    prepare(*TINY, "optimizer.type=adam")
    words = ("optimizer.learn_rate={type: constant}",)
    at.refused(*words)
    prepare(*TINY, *words, "optimizer.learn_rate.value=0.01")


@story("config/recorded", "Give one value, or start a multirun", "or start a new run: python -m runner")
def overrides_of_a_rerun(at: Place) -> None:
    record = compose([*TINY, "output_dir=out"]).as_dict()
    at.raised(recorded_config, record, ["seed=1,2"])
    recorded_config(record, ["seed=1"])
    at.command("debug", "-m", *TINY, "seed=1,2")
    at.raised(recorded_config, record, ["optimizer=sgd"])
    recorded_config(record, ["optimizer.learn_rate=0.1"])
    prepare(*TINY, "optimizer=sgd")


@story("user_code", "The file is named in code=[...].", "From code=[...].")
def a_file_of_the_users_own_fails(at: Place) -> None:
    at.write("bad.py", "import json\n1/0\n")
    at.write("worse.py", "def\n")
    at.write("good.py", "value = 1\n")
    at.refused("code=[bad.py]")
    at.raised(load_code, ["worse.py"])
    prepare(*TINY, "code=[good.py]")


@story("config/ranges", "Set training.best_epoch=shared, or pipeline.shared_tok2vec=false.")
def each_of_its_own_epoch(at: Place) -> None:
    words = ("pipeline=full", "training.best_epoch=each", "pipeline.shared_tok2vec=true")
    error = at.raised(compose, [*TINY, *words])
    assert "pipeline.shared_tok2vec=false" in str(error)
    compose([*TINY, *words, "pipeline.shared_tok2vec=false"])
    compose([*TINY, *words, "training.best_epoch=shared"])


@story("launch/search", "declarative-runner[search]")
def optuna_is_missing(at: Place) -> None:
    at.patch.setattr("importlib.util.find_spec", lambda name: None)
    at.raised(Knobs, 1, "tpe", "median", 0)
    takes_extra("search")


@story("launch/search", "repeat=3 scores every trial by three seeds")
def the_seed_is_searched(at: Place) -> None:
    words = ("-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=1", "hydra/launcher=basic", "output_dir=out")
    at.command(*words, *TINY, "seed=1,2", code=2)
    said = at.command(*words, *TINY, "optimizer.learn_rate=0.01,0.02", "repeat=3")
    assert said.count("Best: epoch 1") == 3


@story("launch/sweep", "hydra/launcher=basic runs one job at a time")
def a_worker_is_killed(at: Place) -> None:
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    from runner.launch.sweep import Sweep

    def killed(*_: Any) -> None:
        raise TerminatedWorkerError("a worker was killed")

    words = (*TINY, "-m", "seed=0,1", "output_dir=out")
    with at.patch.context() as patch:
        patch.setattr(Sweep, "launch", killed)
        at.command(*words, code=1)
    assert "2 jobs" in at.command(*words, "hydra/launcher=basic")


@story("launch/jobs", "Leave -m out, and give one value each.")
def jobs_that_come_later(at: Place) -> None:
    words = ("hydra/sweeper=optuna", "optimizer.learn_rate=0.01,0.02")
    at.command("debug", "-m", *TINY, *words, code=2)
    at.command("debug", *TINY, "optimizer.learn_rate=0.01")


@story(
    "components/base",
    "Lower optimizer.learn_rate, and train again.",
    errors="Lower optimizer.learn_rate or optimizer.grad_clip",
)
def what_is_not_finite(at: Place) -> None:
    component = Pipeline().add_pipe("ner")
    at.raised(component.check_finite, np.full((2, 2), np.nan, dtype="float32"))
    words = ("output_dir=out", "dropout=constant", "training.max_epochs=3")
    at.command(*TINY, *words, "optimizer.learn_rate=1e30", code=1)
    at.command(*TINY, *words, "optimizer.learn_rate=0.001", "optimizer.grad_clip=0.5", "training.max_rollbacks=3")


@story("training/rollback", "lower optimizer.learn_rate or optimizer.grad_clip, or look")
def too_many_rollbacks(at: Place) -> None:
    words = ("output_dir=out", "dropout=constant", "training.max_epochs=3", "training.max_rollbacks=1")
    at.command(*TINY, *words, "optimizer.learn_rate=1e30", code=1)
    at.command(*TINY, *words, "optimizer.learn_rate=0.001", "optimizer.grad_clip=0.5")


@story(
    "model/ops/__init__",
    "declarative-runner[numba]",
    "Install versions that fit each other",
    "Set the variable NUMBA_CACHE_DIR",
)
def numba_cannot_be_used(at: Place) -> None:
    class Fails:
        problem: Exception

        def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
            if name == "runner.model.ops.numba":
                raise self.problem

    at.patch.delitem(sys.modules, "runner.model.ops.numba", raising=False)
    finder = Fails()
    at.patch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    for finder.problem in (
        ModuleNotFoundError("no numba"),
        ImportError("numpy is too new"),
        RuntimeError("no locator"),
    ):
        at.raised(make_ops, "numba")
    takes_extra("numba")
    prepare(*TINY, "compute.ops=numpy")
    takes(["compute.ops"])


@story("model/encoder/pieces", "declarative-runner[encoder]")
def the_libraries_of_encoders_are_missing(at: Place) -> None:
    folder = write_encoder(at.folder / "encoder", "bert")
    Parameters().bind({"tok2vec": encoder(str(folder))("tok2vec", 0, Dropout())}, 0)
    for library in ("tokenizers", "safetensors"):
        with at.patch.context() as patch:
            patch.setitem(sys.modules, library, None)
            build = encoder(str(folder))
            at.raised(lambda build=build: Parameters().bind({"tok2vec": build("tok2vec", 0, Dropout())}, 0))
    takes_extra("encoder")


@story("model/tok2vec", "Set tok2vec.context.beside=null")
def an_encoder_with_features_below_the_convolutions(at: Place) -> None:
    at.patch.setenv("XDG_CACHE_HOME", str(at.folder / "cache"))
    folder = write_encoder(at.folder / "encoder", "bert")
    words = [*TINY, "tok2vec=encoder_frozen", f"tok2vec.context.model={folder}"]
    beside = "{type: hash_embed_cnn, width: 8, depth: 1, embed_size: 50}"
    at.raised(lambda: prepare(*words, f"tok2vec.context.beside={beside}"))
    prepare(*words, "tok2vec.context.beside=null")


@story("config/compose", "runs each of them.")
def a_list_for_a_group(at: Place) -> None:
    at.refused("optimizer=[adam,radam]")
    assert "2 jobs, none of them broken" in at.command("debug", *TINY, "-m", "optimizer=adam,radam")


@story("config/explain", "The name of a group's chosen file is")
def a_group_in_a_path(at: Place) -> None:
    at.command(*TINY, "hydra.run.dir=x/${pipeline_of}", code=2)
    at.command(*TINY, "hydra.run.dir=x/${experiment}", code=2)
    at.command(*TINY, "hydra.run.dir=x/${hydra.runtime.choices.pipeline}")
    assert (at.folder / "x" / "ner" / "summary.json").is_file()


@story("launch/jobs", "Give it on the command line: {}=VALUE.")
def what_a_job_cannot_have(at: Place) -> None:
    params = "# @package _global_\nhydra: {mode: MULTIRUN, sweeper: {params: {output_dir: a, seed: '0,1'}}}\n"
    at.write("mine/experiment/folder.yaml", params)
    at.command(*TINY, "--config-dir", "mine", "experiment=folder", code=2)
    at.write("mine/experiment/folder.yaml", params.replace("output_dir: a, ", ""))
    at.command(*TINY, "--config-dir", "mine", "experiment=folder", "output_dir=out", "hydra/launcher=basic")


@story("config/explain", "Set it (export {}=VALUE){}.", config__kept="Set it: export {}=VALUE")
def a_variable_that_is_not_set(at: Place) -> None:
    at.refused("corpus.name=${oc.env:NOT_THERE}")
    at.raised(expanded, "${oc.env:NOT_THERE}")
    prepare(*TINY, "corpus.name=mine")
    at.patch.setenv("NOT_THERE", "there")
    prepare(*TINY, "corpus.name=${oc.env:NOT_THERE}")
    assert expanded("${oc.env:NOT_THERE}") == "there"


@story("config/recorded", "Give the whole value again: {}=VALUE{}.")
def a_password_that_was_not_kept(at: Place) -> None:
    record = compose([*TINY, "output_dir=out", "tracking=mlflow"]).as_dict()
    record["tracking"]["uri"] = "http://***@host"
    at.raised(recorded_config, record)
    recorded_config(record, ["tracking.uri='http://ada:word@host'"])
    at.patch.setenv("MLFLOW_TRACKING_URI", "http://ada:word@host")
    recorded_config(record)


@story(
    "training/groups",
    "Give a mapping such as {tok2vec/encoder: 0.05}.",
    training__adam="the checkpoint is of a run with other optimizer.rates",
)
def factors_of_the_rate(at: Place) -> None:
    at.raised(adam, rates=0.05)
    kept = adam(rates={"tok2vec": 0.05})
    nlp = Pipeline("en")
    nlp.add_pipe("tagger", {"tok2vec": {"type": "hash_embed_cnn", "width": 16, "depth": 1, "embed_size": 50}})
    example = ("Ada left", {"tags": ["N", "V"]})
    nlp.update([example], sgd=adam())
    nlp.update([example], sgd=kept)
    other = adam(rates={"tok2vec": 0.1})
    at.raised(other.restore, nlp.parameters, *kept.snapshot())
    adam(rates={"tok2vec": 0.05}).restore(nlp.parameters, *kept.snapshot())
