"""Command lines: what a job is given, and what a mistake is told."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import hydra
import pytest

import runner
from runner.__main__ import main
from runner.config import explain
from runner.config.compose import compose
from runner.config.schema import RunConfig
from runner.errors import Interrupted, RunFailed, RunnerError
from runner.launch.program import run_app
from runner.launch.runs import Command

pytestmark = pytest.mark.usefixtures("stand_ins")

HERE = "hydra/launcher=basic"  # jobs in this process, one after the other
BAD = [
    ("foo", ["'foo'", "KEY=VALUE"]),
    ("foo=", ["foo: there is no such key"]),
    ("a=b=c", ["'a=b=c'"]),
    ("trainning.max_epochs=3", ["trainning.max_epochs", "did you mean 'training.max_epochs'?"]),
    ("max_epochs=3", ["did you mean 'training.max_epochs'?"]),
    ("optimiser=adam", ["here it is 'optimizer'", "Write optimizer=adam."]),
    ("optimizer=adamm", ["unknown optimizer 'adamm'", "did you mean 'adam'?", "radam, sgd"]),
    ("optimizer=[adam,radam]", ["optimizer: one file", "-m optimizer=adam,radam runs each of them"]),
    ("corpus=[sample,files]", ["corpus: one file of this group", "-m corpus=sample,files"]),
    ("tok2vec=[fast]", ["tok2vec: one file", "Write tok2vec=fast."]),
    ("hydra.run.dir=x/${optimizer}/${corpuss}", ["hydra.run.dir: the value refers to 'corpuss'"]),
    (
        "hydra.run.dir=x/${experiment}",
        ["hydra.run.dir: the value refers to 'experiment'", "${hydra.runtime.choices.experiment}"],
    ),
    ("experiment=quik", ["did you mean 'quick'?"]),
    ("corpus=nosuch", ["unknown corpus 'nosuch'", "sample"]),
    ("optimizer=adam,radam", ["several values", "--multirun"]),
    ("training.max_epochs=1,2", ["several values", "--multirun"]),
    ("optimizer.learn_rate=[1,", ["optimizer.learn_rate=[1,"]),
    ("training.max_epochs=abc", ["training.max_epochs: 'abc' is not a whole number", "int or null, default null"]),
    ("training.max_epochs=1.5", ["'1.5' is not a whole number"]),
    ("training.max_epochs=0", ["must be at least 1, got 0"]),
    ("seed=null", ["cannot be null"]),
    ("training.max_epochs.x=3", ["training.max_epochs", "no keys of its own"]),
    ("training=3", ["'3' is no option of the group"]),
    ("compute.ops=blas", ["did you mean 'blis'?"]),
    ("compute.device=gpu", ["compute.device"]),
    ("seed=-1", ["seed: must be at least 0, got -1"]),
    ("seed=${seed}", ["seed"]),
    ("seed=${nothing}", ["seed: the value refers to 'nothing'"]),
    ("seed=???", ["seed", "seed=VALUE"]),
    ("dropout=0.2", ["dropout=constant dropout.value=0.2"]),
    ("dropout.start=1.5", ["dropout: dropout must be at least 0 and below 1, got 1.5"]),
    ("dropout.decay=0.1", ["dropout.decay", "takes no 'decay'"]),
    ("optimizer.lern_rate=1", ["optimizer.lern_rate", "did you mean 'learn_rate'?"]),
    ("optimizer.learn_rate=fast", ["optimizer.learn_rate: 'fast' is not a number"]),
    ("optimizer.learn_rate=nan", ["not a finite number"]),
    ("optimizer.learn_rate={type:warmup}", ["optimizer.learn_rate.type: unknown schedule 'warmup'"]),
    ("optimizer.type=adamm", ["optimizer.type", "did you mean 'adam'?"]),
    ("optimizer.beta1=true", ["optimizer.beta1: true is not a number"]),
    ("tok2vec.width=abc", ["tok2vec.width: 'abc' is not a whole number"]),
    ("pipeline.components.ner.hidden=3", ["pipeline.components.ner.hidden", "did you mean 'hidden_width'?"]),
    ("pipeline.components.ner=null", ["pipeline.components.ner"]),
    ("pipeline.score_weights.ents_f=-1", ["pipeline.score_weights.ents_f"]),
    ("corpus.limit=0", ["corpus.limit: must be at least 1, got 0"]),
    ("corpus.limt=3", ["did you mean 'corpus.limit'?"]),
    ("tracking.uro=x", ["tracking.uro", "did you mean 'uri'?"]),
    ("code=mine.py", ["code", "code=[VALUE]"]),
    ("code=[nofile.py]", ["code: there is no file 'nofile.py'"]),
    ("+foo=1", ["foo: there is no such key"]),
    ("~training.max_epochs", ["training.max_epochs: the key cannot be deleted"]),
    ("~foo", ["~foo: there is nothing to delete"]),
    ("~seed", ["seed"]),
    ("--foo", ["--foo"]),
    ("--config-name=foo", ["--config-name"]),
    ("--config-dir=nowhere", ["--config-dir", "nowhere"]),
    ("--cfg=nojob", ["nojob"]),
    ("hydra.foo=3", ["hydra.foo"]),
    ("hydra/launcher=nope", ["unknown hydra/launcher 'nope'", "basic"]),
    ("output_dir=/proc/nowhere", ["/proc/nowhere"]),
]


def collect(into: list[RunConfig]) -> Command:
    return Command(into.append)


def refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The message on stderr of a command line that must end with exit code 2 and run nothing."""
    seen: list[RunConfig] = []
    assert run_app(argv, collect(seen)) == 2
    assert not seen
    text = capsys.readouterr().err
    assert 1 <= len([line for line in text.splitlines() if line.strip()]) <= 2, text
    assert "Traceback" not in text
    assert not re.search(r"\+\w+=", text), "an advice to add a key hides the typo"
    assert not list(Path().glob("outputs/*/*/*")), "a refused run leaves nothing behind"
    return text


@pytest.mark.parametrize(("word", "expected"), BAD, ids=[word for word, _ in BAD])
def test_mistakes_are_told_in_two_lines(word: str, expected: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    text = refused([word], capsys)
    for part in expected:
        assert part in text


def test_the_default_run(tmp_path: Path) -> None:
    seen: list[RunConfig] = []
    assert run_app([], collect(seen)) == 0
    (config,) = seen
    assert config.seed == 0
    assert (config.training.max_epochs, config.compute.ops, config.compute.threads) == (None, "numpy", 1)
    assert config.dropout == {"type": "linear", "start": "auto", "stop": "auto", "steps": "auto"}
    assert config.optimizer["learn_rate"] == "auto"
    assert config.tracking["type"] == "mlflow"
    assert (config.is_multirun, config.job_number, config.overrides) == (False, None, [])
    assert config.output_dir.is_relative_to(tmp_path / "outputs")
    assert "seed: 0" in config.notes[".hydra/config.yaml"]  # for the run to write, once it has the folder
    assert not any(config.output_dir.iterdir())
    assert not list(config.output_dir.glob("*.log"))


def test_two_runs_never_share_a_folder() -> None:
    seen: list[RunConfig] = []
    for _ in range(2):
        run_app([], collect(seen))
    assert seen[0].output_dir != seen[1].output_dir


def test_output_dir_is_the_runs_folder(tmp_path: Path) -> None:
    seen: list[RunConfig] = []
    run_app(["output_dir=here"], collect(seen))
    assert seen[0].output_dir == tmp_path / "here"
    assert (tmp_path / "here").is_dir()
    assert not (tmp_path / "outputs").exists()


def test_a_schedule_in_place_of_a_number() -> None:
    seen: list[RunConfig] = []
    block = "{type: decaying, start: 0.6, stop: 0.2, decay: 0.1}"
    assert run_app([f"optimizer.learn_rate={block}"], collect(seen)) == 0
    assert run_app(["optimizer.learn_rate.type=constant", "optimizer.learn_rate.value=3"], collect(seen)) == 0
    assert [config.optimizer["learn_rate"]["type"] for config in seen] == ["decaying", "constant"]


def test_a_tracker_gets_only_keys_that_it_takes() -> None:
    config = compose(["tracking=none", "tracking.experiment=mine", "tracking.run_name=first"])
    assert config.tracking == {"type": "console"}
    assert (config.experiment, config.run_name) == ("mine", "first")


@pytest.mark.slow
def test_a_multirun_is_the_product() -> None:
    seen: list[RunConfig] = []
    assert (
        run_app(
            ["-m", "pipeline=ner", "optimizer=adam,radam", "dropout.start=0.2,0.4", "tracking=none", HERE],
            collect(seen),
        )
        == 0
    )
    assert [(c.optimizer["type"], c.dropout["start"]) for c in seen] == [
        ("adam", 0.2), ("adam", 0.4), ("radam", 0.2), ("radam", 0.4),
    ]  # fmt: skip
    assert [config.job_number for config in seen] == [0, 1, 2, 3]
    assert all(config.is_multirun for config in seen)
    assert seen[3].overrides == ["pipeline=ner", "optimizer=radam", "dropout.start=0.4", "tracking=none"]
    assert len({config.output_dir for config in seen}) == 4
    assert {config.output_dir.parent for config in seen} == {seen[0].output_dir.parent}
    assert "multirun" in seen[0].output_dir.parts


@pytest.mark.slow
def test_a_failed_job_stops_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    done: list[int] = []

    def job(config: RunConfig) -> None:
        if config.seed == 1:
            raise RunFailed("the loss is nan", place="step 7")
        if config.seed == 2:
            raise RunnerError("an empty file", place="a.iob")
        done.append(config.seed)

    assert (
        run_app(
            ["--multirun", "seed=range(0,4)", "hydra.sweeper.max_batch_size=1", "tracking=none", HERE], Command(job)
        )
        == 1
    )
    assert done == [0, 3]
    text = capsys.readouterr().err
    assert "2 of the jobs failed" in text
    assert "job 1 (seed=1): step 7: the loss is nan" in text
    assert "job 2 (seed=2): a.iob: an empty file" in text


def test_a_multirun_with_a_misspelt_option_starts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean 'adam'?" in refused(["-m", "optimizer=adam,adamm"], capsys)


def raises(error: BaseException) -> Command:
    def job(config: RunConfig) -> None:
        raise error

    return Command(job)


def test_files_that_complete_one_another_may_be_several() -> None:
    assert list(compose(["augmenters=[lower_case,noise]"]).augmenters) == ["lower_case", "noise"]
    assert compose(["variant=[no_L2,no_clipping]"]).optimizer["L2"] == 0


def test_a_preset_that_chooses_by_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    Path("own/experiment").mkdir(parents=True)
    Path("own/experiment/both.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /optimizer: [adam, sgd]\n"
    )
    assert "optimizer: one file of this group" in refused(["--config-dir", "own", "experiment=both"], capsys)


def test_another_config_must_build_on_ours(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--config-name: 'optimizer/adam' does not build" in refused(["-cn", "optimizer/adam"], capsys)


def test_a_bug_of_ours_is_no_mistake_of_the_users() -> None:
    """Raised in the standard library, in Hydra, and as OmegaConf's refusal to be changed."""
    ours, theirs = (str(Path(package.__file__ or "").parent / "some.py") for package in (runner, hydra))
    for file, expected in ((ours, True), (theirs, False)):
        with pytest.raises(IndexError) as raised:
            exec(compile("from pathlib import Path\nPath('a').parents[5]", file, "exec"), {})
        assert explain.is_ours(raised.value) is expected
        if expected:
            with pytest.raises(IndexError):
                explain.explain(raised.value, [], None)


@pytest.mark.slow
def test_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app([], raises(RunFailed("the disk is full"))) == 1
    assert capsys.readouterr().err == "the disk is full\n"
    assert run_app([], raises(RunnerError("a bad line", place="a.iob:3", hint="Mend it."))) == 2
    assert capsys.readouterr().err == "a.iob:3: a bad line\n  Mend it.\n"
    assert run_app([], raises(KeyboardInterrupt())) == 130
    assert run_app([], raises(Interrupted(143))) == 143
    capsys.readouterr()
    assert run_app([], raises(TypeError("ours"))) == 1
    text = capsys.readouterr().err
    assert "Traceback" in text
    assert text.splitlines()[-1] == "a bug: TypeError: ours"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals_reach_the_job_as_interrupted(number: signal.Signals, code: int) -> None:
    caught: list[int] = []

    def job(config: RunConfig) -> None:
        try:
            signal.raise_signal(number)
        except Interrupted as error:
            caught.append(error.exit_code)
            raise

    before = signal.getsignal(number)
    assert run_app(["-m", "seed=1,2", "tracking=none", HERE], Command(job)) == code
    assert caught == [code], "the jobs after it must not start"
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(
    ("name", "value", "place", "expected"),
    [
        ("learn_rate", "0.002", "optimizer.learn_rate", 0.002),
        ("optimizer_B1", "0.8", "optimizer.beta1", 0.8),
        ("optimizer_B2", "0.99", "optimizer.beta2", 0.99),
        ("optimizer_eps", "1e-6", "optimizer.eps", 1e-6),
        ("L2_penalty", "0", "optimizer.L2", 0),
        ("grad_norm_clip", "5", "optimizer.grad_clip", 5),
        ("dropout_from", "0.5", "dropout.start", 0.5),
        ("dropout_to", "0.1", "dropout.stop", 0.1),
        ("dropout_decay", "0", "dropout.decay", 0),
        ("batch_from", "4", "batch.start", 4),
        ("batch_to", "32", "batch.stop", 32),
        ("batch_compound", "1.01", "batch.compound", 1.01),
        ("token_vector_width", "128", "tok2vec.width", 128),
        ("embed_size", "7000", "tok2vec.embed_size", 7000),
        ("hidden_width", "32", "pipeline.components.ner.hidden_width", 32),
    ],
)
def test_variables_of_the_seeds_era_set_defaults(
    name: str, value: str, place: str, expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    found: Any = compose(["experiment=guide"]).as_dict()
    for part in place.split("."):
        found = found[part]
    assert found == expected
    assert not isinstance(found, str)


@pytest.mark.parametrize("value", ["abc", "", "[1,", "nan", "true"])
def test_garbage_in_a_variable_is_traced_to_it(
    value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("token_vector_width", value)
    text = refused([], capsys)
    assert text.startswith("tok2vec.width: ")
    assert f"environment variable token_vector_width={value!r}" in text


def write(folder: str, **files: str) -> None:
    (Path(folder) / "pipeline").mkdir(parents=True)
    for name, text in files.items():
        (Path(folder) / "pipeline" / f"{name}.yaml").write_bytes(text.encode("latin-1"))


def test_a_folder_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    mine = (
        "# Two recognizers.\ndefaults:\n  - ner\n  - _self_\n\n"
        "components:\n  people:\n    type: ner\n    tok2vec: ${tok2vec}\n    hidden_width: 8\n"
    )
    write("own", mine=mine)
    seen: list[RunConfig] = []
    assert run_app(["--config-dir", "own", "pipeline=mine"], collect(seen)) == 0
    assert list(seen[0].pipeline.components) == ["ner", "people"]
    assert run_app(["--config-dir", "own", "--help"], collect(seen)) == 0
    assert "mine, ner" in capsys.readouterr().out
    assert compose(["pipeline=mine"], config_dir="own").pipeline.components["people"]["hidden_width"] == 8


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lang: en\n\tx: 1\n", "mine.yaml:2: not valid YAML"),
        ("lang: en\nlang: de\n", "mine.yaml:2: not valid YAML: found duplicate key lang"),
        ("- a\n- b\n", "pipeline/mine.yaml"),
        ("hello\n", "pipeline/mine.yaml"),
        ("langg: en\n", "did you mean 'pipeline.lang'?"),
        ("lang: [1, 2]\n", "pipeline.lang"),
        ("components: 3\n", "pipeline.components: keys with values are needed"),
        ("lang: ${nothing.there}\n", "pipeline.lang: the value refers to 'nothing.there'"),
        ("components: {ner: {type: ner, tok2vec: '${tok2vecs}'}}\n", "refers to 'tok2vecs'"),
        ("defaults: [nowhere]\n", "pipeline/mine.yaml: unknown pipeline 'nowhere'"),
        ("defaults: 3\n", "pipeline/mine"),
        ("lang: caf\xe9\n", "mine.yaml: the file is not UTF-8"),
        ("", "pipeline.components: there is nothing to train"),
    ],
)
def test_mistakes_in_it_name_the_file(text: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    write("own", mine=text)
    assert expected in refused(["--config-dir", "own", "pipeline=mine"], capsys)


def test_help_is_for_a_newcomer(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(["--help"], raises(AssertionError())) == 0
    text = capsys.readouterr().out
    for part in (
        "python -m runner -m optimizer=adam,radam dropout.start=0.2,0.4", "corpus.train=",
        "optimizer   adam, radam, sgd", "compare RUN RUN…",
        "quick, recipe", "training.max_epochs", "optimizer.learn_rate", "model-best/", "summary.json",
        "mlflow ui", "--cfg job",
    ):  # fmt: skip
        assert part in text
    assert len(text.splitlines()) < 60
    assert max(map(len, text.splitlines())) < 80


def test_hydras_own_options_work(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    untouched = raises(AssertionError())
    assert run_app(["--cfg", "job", "--resolve", "training.max_epochs=3"], untouched) == 0
    text = capsys.readouterr().out
    assert "max_epochs: 3" in text
    assert "embed_size: 2000" in text
    assert run_app(["--hydra-help", "pipeline=ner"], untouched) == 0
    assert "hydra/launcher: basic" in capsys.readouterr().out
    assert run_app(["--info", "defaults"], untouched) == 0
    assert "optimizer/adam" in capsys.readouterr().out
    assert run_app(["-sc", "query=bash"], untouched) == 2
    assert "runner completion bash" in capsys.readouterr().err


@pytest.mark.slow
def test_train_is_the_command_that_needs_no_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import types

    seen: list[RunConfig] = []
    command = types.SimpleNamespace(run=seen.append)
    monkeypatch.setitem(sys.modules, "runner.commands.train", command)  # type: ignore[arg-type]
    assert main(["train", "seed=1"]) == main(["seed=1"]) == 0
    assert [config.seed for config in seen] == [1, 1]
    assert main(["trian", "seed=1"]) == 2
    text = capsys.readouterr().err
    assert text.startswith("trian: unknown command; did you mean 'train'?")
    assert len(text.splitlines()) <= 2


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from runner.__main__ import main; main(['--help'])\n"
        "print(sorted({'mlflow', 'thinc', 'pydantic', 'numpy', 'rich'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stderr.strip() == "[]"
