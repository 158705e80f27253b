"""`python -m runner evaluate`: what is scored, that it is what the run scored, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from runner.__main__ import main

SCORES = ("tag_acc", "dep_uas", "dep_las", "ents_f", "cats_macro_f")


@pytest.fixture
def evaluate(full_run, tmp_path, monkeypatch, capfd):
    """Run the command beside a copy of the run and its data: (exit code, stdout, stderr)."""
    shutil.copytree(full_run.parent, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def call(*words):
        code = main(["evaluate", *map(str, words)])
        out, err = capfd.readouterr()
        return code, out, err

    return call


def summary(path="run"):
    return json.loads(Path(path, "summary.json").read_text("utf8"))


def test_the_scores_of_model_best_on_dev_are_the_summarys_to_the_last_digit(evaluate):
    code, out, err = evaluate("run", "--json")
    assert (code, err) == (0, "")
    result, best = json.loads(out), summary()["best"]
    assert result["scores"] == best["scores"]
    assert result["score"] == best["score"]
    assert any(0 < value < 1 for value in best["scores"].values())
    assert (result["split"], result["tokens"], result["docs"], result["words"]) == ("dev", "gold", 10, 50)
    assert result["data"][0]["path"] == "dev.jsonl"
    assert evaluate("run/model-best", "dev.jsonl", "--json")[1].count('"split":null') == 1


def test_a_fold_of_the_training_data_is_scored_as_the_run_scored_it(evaluate):
    words = ("corpus=files", "corpus.train=train.jsonl", "corpus.folds=4", "corpus.fold=1", "pipeline=tagger", "tok2vec=small",
             "tok2vec.width=16", "tok2vec.depth=1", "tok2vec.embed_size=100", "training.max_epochs=1", "tracking=none",
             "output_dir=folded", "pipeline.components.tagger.dropout=0.1")  # fmt: skip
    assert main(list(words)) == 0
    evaluate("run")  # takes what the training printed
    result = json.loads(evaluate("folded", "--json")[1])
    assert (result["scores"], result["docs"]) == (summary("folded")["best"]["scores"], 9)


def test_the_text_has_every_component_and_label(evaluate):
    code, out, _ = evaluate("run", "test.jsonl")
    assert code == 0
    assert out.startswith("run/model-best\non test.jsonl: 7 texts, 35 words, gold tokens\n")
    for word in (
        "tagger (tagger)",
        "textcat (textcat)",
        *SCORES,
        "NNP",
        "nsubj",
        "PER",
        "HOME",
        "token_acc",
        "words/s",
    ):
        assert word in out


def test_what_the_data_lacks_has_no_score(evaluate):
    Path("tags.conllu").write_text(
        "1\tAda\t_\tPROPN\tNNP\t_\t_\t_\t_\t_\n2\tlives\t_\tVERB\tVBZ\t_\t_\t_\t_\t_\n\n", "utf8"
    )
    result = json.loads(evaluate("run", "tags.conllu", "--json")[1])
    assert result["scores"]["tag_acc"] is not None
    assert {result["scores"][key] for key in SCORES if key != "tag_acc"} == {None}
    assert result["score"] == result["scores"]["tag_acc"]
    text = evaluate("run", "tags.conllu")[1]
    assert [line.split() for line in text.splitlines() if line.split()[:1] == ["ents_f"]] == [["ents_f", "-"]]
    Path("raw.jsonl").write_text('{"text": "Ada lives."}\n', "utf8")
    code, out, err = evaluate("run", "raw.jsonl")
    assert (code, out) == (2, "")
    assert err.startswith("raw.jsonl: there is nothing to score: no text has annotation in 'tags' or 'heads'")


def test_words_of_the_tokenizer(evaluate):
    Path("words.jsonl").write_text(
        '{"text": "Ada in Oslo.", "words": ["Ada", "in", "Os", "lo", "."], "entities": [[0, 3, "PER"], [7, 9, "LOC"]]}\n'
    )
    gold, own = (
        json.loads(evaluate("run", "words.jsonl", "--json", "--tokens", kind)[1]) for kind in ("gold", "predicted")
    )
    assert gold["scores"]["token_acc"] == 1.0 > own["scores"]["token_acc"]
    assert (gold["excluded_entities"], own["excluded_entities"]) == (0, 1)
    assert own["tokens"] == "predicted"


def test_files_and_folders_of_several_formats(evaluate):
    Path("data").mkdir()
    shutil.copy("test.jsonl", "data/a.jsonl")
    Path("data/b.iob").write_text("Ada\tB-PER\nlives\tO\n", "utf8")
    result = json.loads(evaluate("run", "data", "--json")[1])
    assert [(Path(one["path"]).name, one["docs"]) for one in result["data"]] == [("a.jsonl", 7), ("b.iob", 1)]
    Path("table.csv").write_text("text,kind\nAda lives in Oslo.,HOME\n", "utf8")
    assert evaluate("run", "table.csv")[0] == 2
    code, out, _ = evaluate("run", "table.csv", "--option", "label=kind", "--json")
    assert code == 0
    assert json.loads(out)["scores"]["cats_p"] is not None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nothing",), "nothing: there is no such model"),
        (("run", "nothing.jsonl"), "DATA: there is no file nothing.jsonl"),
        (("run", "dev.jsonl", "--split", "dev"), "--split: is for the run's own data"),
        (("run", "--split", "test"), "corpus.test: the run has no test data"),
        (("run", "--limit", "3"), "--limit: is for files that you name"),
        (("run", "dev.jsonl", "--limit", "0"), "--limit: must be at least 1, got 0"),
        (("run", "--ops", "abacus"), "unknown"),
        (("run", "--log"), "--log: the model is of no run in MLflow"),
        (("run", "dev.jsonl", "--from", "iob2"), "unknown"),
        (("run", "--nonsense"), "command line: unrecognized arguments: --nonsense"),
    ],
)
def test_refused_in_two_or_three_lines(evaluate, words, told):
    code, _, err = evaluate(*words)
    assert code == 2
    assert told in err
    assert len(err.splitlines()) <= 3
    assert "Traceback" not in err


def test_a_model_alone_needs_data(evaluate):
    shutil.copytree("run/model-best", "alone")
    assert evaluate("alone")[::2] == (2, "alone: it is not known what the model was trained on\n  Name DATA.\n")
    assert evaluate("alone", "dev.jsonl")[0] == 0


def test_paths_of_the_run_count_from_its_folder(evaluate, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, _, err = evaluate("here/run")
    assert (code, err.splitlines()[0]) == (2, "corpus.dev: there is no file dev.jsonl")
    assert "go there, or name DATA" in err


def test_a_temperature_is_fitted_and_kept_and_nothing_else_changes(evaluate):
    import runner

    before = json.loads(evaluate("run", "dev.jsonl", "--json")[1])
    text = "Ada lives in Oslo."
    plain, cats = runner.load("run"), runner.load("run")(text).cats
    code, out, err = evaluate("run", "dev.jsonl", "--fit-temperature", "--json")
    assert (code, err) == (0, "")
    result = json.loads(out)
    assert (result["scores"], result["weights_sha256"]) == (before["scores"], before["weights_sha256"])
    nlp = runner.load("run")
    assert nlp.meta["temperatures"] == {name: one["temperature"] for name, one in result["temperatures"].items()}
    assert set(nlp.meta["temperatures"]) >= {"tagger", "textcat"}
    assert nlp(text).cats == cats
    assert nlp(text)[0].tag_confidence != plain(text)[0].tag_confidence
    tags = result["temperatures"]["tagger"]["layers"]["tags"]
    assert tags["n"] == 25  # words of every second text
    assert 0 <= tags["ece_before"] <= 1
    code, out, _ = evaluate("run", "dev.jsonl", "--fit-temperature")
    assert code == 0
    assert out.endswith(f"kept in {Path('run/model-best')}\n")
    assert "  tagger tags " in out
    assert "fewer than 100 predictions to measure on" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run", "one.jsonl", "--fit-temperature"), "--fit-temperature: one text cannot be halved"),
        (("pack", "dev.jsonl", "--fit-temperature"), "--fit-temperature: the model is in no folder of yours"),
    ],
)
def test_a_temperature_that_cannot_be_fitted(evaluate, words, told, monkeypatch):
    monkeypatch.setattr("runner.tracking.model_source.installed_models", lambda: {"pack": Path("run/model-best")})
    Path("one.jsonl").write_text(Path("dev.jsonl").read_text("utf8").splitlines()[0] + "\n", "utf8")
    code, _, err = evaluate(*words)
    assert code == 2
    assert err.startswith(told)


def test_help_is_short(evaluate):
    code, out, _ = evaluate("--help")
    assert code == 0
    assert len(out.splitlines()) < 60
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.mlflow
@pytest.mark.slow
def test_scores_are_logged_to_run_and_model_when_asked(tracked_run, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tracked_run.parent)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    from runner.tracking.mlflow.store import client_of

    client, _ = client_of()
    run_id = summary(tracked_run)["run_id"]
    before = len(client.get_metric_history(run_id, "test/ents_f"))
    assert main(["evaluate", f"runs:/{run_id}", "--json"]) == 0
    result = json.loads(capfd.readouterr()[0])
    assert result["split"] == "test"
    assert result["scores"] == summary(tracked_run)["test"]["scores"]
    assert len(client.get_metric_history(run_id, "test/ents_f")) == before
    for reference in ("run", run_id):
        assert main(["evaluate", reference, "dev.jsonl", "--log"]) == 0
    assert f"logged 20 metrics test/… to run {run_id}, model m-" in capfd.readouterr()[0]
    logged = client.get_metric_history(run_id, "test/ents_f")
    assert len(logged) == before + 2
    (output,) = [one for one in client.get_run(run_id).outputs.model_outputs if _name(client, one) == "model-best"]
    model = client.get_logged_model(output.model_id)
    digests = {
        one.dataset_digest for one in model.metrics if (one.key, one.dataset_name) == ("test/ents_f", "dev.jsonl-test")
    }
    assert [one["sha256"][:8] for one in json.loads(_evaluated(capfd, "dev.jsonl"))["data"]] == [*digests]


def _name(client, output):
    return client.get_logged_model(output.model_id).name


@pytest.mark.slow
def test_data_that_has_changed_since_the_run_is_told(tracked_run, tmp_path, monkeypatch, capfd):
    shutil.copytree(tracked_run.parent, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    assert main(["evaluate", "run", "--split", "dev"]) == 0
    assert capfd.readouterr()[1] == ""
    with Path("dev.jsonl").open("a", encoding="utf8") as file:
        file.write(Path("test.jsonl").read_text("utf8"))
    assert main(["evaluate", "run", "--split", "dev"]) == 0
    assert capfd.readouterr()[1] == "warning: changed since the run read the dev data: dev.jsonl\n"


def _evaluated(capfd, data):
    assert main(["evaluate", "run", data, "--json"]) == 0
    return capfd.readouterr()[0]
