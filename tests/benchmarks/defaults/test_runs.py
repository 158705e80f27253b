"""Which runs are made, in which order, and what is not repeated."""

from __future__ import annotations

import json

import pytest

from benchmarks.__main__ import main
from benchmarks.defaults import runs
from benchmarks.defaults.cells import Run
from benchmarks.defaults.estimate import OVERHEAD, Pace, cost
from benchmarks.defaults.ours import overrides_of
from benchmarks.defaults.records import RUNS, append, of_settings, read, read_all
from benchmarks.defaults.runs import Asked, plan, work
from runner.config.compose import compose
from runner.errors import RunnerError
from runner.files import open_locked

RESULT = {
    "curve": [{"step": 1, "cpu_seconds": 1.0, "score": 0.5}], "cpu_seconds": 1.0, "steps": 1,
    "dev": {"ents_f": 0.5}, "test": {"ents_f": 0.4}, "versions": {},
}  # fmt: skip


@pytest.fixture
def made(monkeypatch):
    """Runs that take no time; the list of their names grows."""
    names = []

    def measured(run, asked):
        names.append(run.name)
        result = {**RESULT, "dev": {run.component: 0.5}}
        return result if run.side == "spacy" else {**result, "settings": list(asked.settings), "average": asked.average}

    monkeypatch.setattr(runs, "measured", measured)
    monkeypatch.setattr(runs, "commit", lambda: "one")
    return names


def asked(folder, **more):
    return Asked(folder, **{"corpora": ["sample"], "components": ["ner"], "seeds": (0,), **more})


def test_seeds_come_one_after_the_other_and_small_cells_first(tmp_path):
    found = plan(asked(tmp_path, sides=("ours", "spacy"), seeds=(0, 1)))
    assert [(run.side, run.size, run.seed) for run in found] == [
        ("ours", 100, 0), ("spacy", 100, 0), ("ours", 240, 0), ("spacy", 240, 0),
        ("ours", 100, 1), ("spacy", 100, 1), ("ours", 240, 1), ("spacy", 240, 1),
    ]  # fmt: skip
    assert {run.size for run in plan(asked(tmp_path, sizes=["all"]))} == {240}
    assert {run.size for run in plan(asked(tmp_path, sizes=[100, 1000]))} == {100}


def test_a_component_without_annotation_is_left_out(tmp_path):
    assert plan(asked(tmp_path, corpora=["wnut17"], components=["parser"])) == []


def test_it_goes_on_where_it_was_stopped(tmp_path, made):
    what = asked(tmp_path)
    work(plan(what)[:2], what)
    assert len(made) == 2
    with (tmp_path / RUNS).open("a") as file:
        file.write('{"name": "spacy ner sa')  # killed while it wrote
    assert work(plan(what), what) == []
    assert sorted(made) == sorted(run.name for run in plan(what))  # each once
    assert sorted(record["name"] for record in read(tmp_path)) == sorted(made)
    work(plan(what), what)
    assert len(made) == 6


def test_other_settings_are_other_runs_and_spacys_serve_both(tmp_path, made):
    plain, other = asked(tmp_path, sizes=[100]), asked(tmp_path, sizes=[100], settings=("dropout=constant",))
    work(plan(plain), plain)
    work(plan(other), other)
    assert [name.split()[0] for name in made] == ["ours", "guide", "spacy", "ours", "guide"]
    records = read(tmp_path)
    assert len(of_settings(records, [])) == len(of_settings(records, ["dropout=constant"])) == 3


def test_fresh_repeats_what_another_commit_made(tmp_path, made, monkeypatch):
    what = asked(tmp_path, sizes=[100], fresh=("ours",))
    work(plan(what), what)
    work(plan(what), what)
    assert len(made) == 3
    monkeypatch.setattr(runs, "commit", lambda: "two")
    work(plan(what), what)
    assert made[3:] == ["ours ner sample 100 seed 0"]
    assert {record["side"]: record["commit"] for record in read(tmp_path)} == {
        "ours": "two",
        "guide": "one",
        "spacy": "one",
    }


def test_a_run_without_the_choices_is_repeated_where_they_are_asked_for(tmp_path, made):
    work(plan(asked(tmp_path, sizes=[100])), asked(tmp_path, sizes=[100]))
    what = asked(tmp_path, sizes=[100], average=3)
    work(plan(what), what)
    work(plan(what), what)
    assert [name.split()[0] for name in made[3:]] == ["ours", "guide"]
    work(plan(asked(tmp_path, sizes=[100])), asked(tmp_path, sizes=[100]))
    assert len(made) == 5


def test_what_another_process_is_at_is_passed_over(tmp_path, made):
    what = asked(tmp_path, sizes=[100], sides=("ours", "spacy"))
    (tmp_path / "running").mkdir()
    with open_locked(tmp_path / "running" / "ours_ner_sample_100_seed_0"):
        work(plan(what), what)
    assert made == ["spacy ner sample 100 seed 0"]


def test_a_failed_run_does_not_stop_the_others(tmp_path, made, monkeypatch, capsys):
    measured = runs.measured

    def failing(run, asked):
        if run.side == "guide":
            raise RunnerError("no such preset", place="experiment=guide")
        return measured(run, asked)

    monkeypatch.setattr(runs, "measured", failing)
    what = asked(tmp_path, sizes=[100])
    assert work(plan(what), what) == ["guide ner sample 100 seed 0"]
    assert len(read(tmp_path)) == 2
    assert "experiment=guide: no such preset" in capsys.readouterr().err


def test_no_further_seed_of_what_takes_spacy_long(tmp_path, made):
    what = asked(tmp_path, sides=("ours", "spacy"), seeds=(0, 1))
    for run in plan(what):
        if run.side == "spacy" and run.seed == 0:
            append(tmp_path, {"name": run.name, **run.as_dict(), "commit": "", **RESULT, "cpu_seconds": 700.0})
    work(plan(what), what)
    assert sorted(made) == [
        "ours ner sample 100 seed 0", "ours ner sample 100 seed 1", "ours ner sample 240 seed 0", "spacy ner sample 100 seed 1",
    ]  # fmt: skip


def test_the_first_folder_wins(tmp_path):
    for name, score in (("a", 0.1), ("b", 0.2)):
        (tmp_path / name).mkdir()
        append(tmp_path / name, {"name": "ours", "score": score, "settings": []})
    append(tmp_path / "b", {"name": "spacy", "score": 0.3})
    found = {record["name"]: record["score"] for record in read_all([tmp_path / "a", tmp_path / "b"])}
    assert found == {"ours": 0.1, "spacy": 0.3}


def test_the_estimate_takes_the_most_similar_runs():
    def record(run, seconds):
        return {"name": run.name, **run.as_dict(), "cpu_seconds": seconds}

    done = [record(Run("spacy", "ner", "wnut17", 100, 0), 60.0), record(Run("ours", "ner", "wnut17", 100, 0), 10.0)]
    assert cost(Run("ours", "ner", "wnut17", 100, 1), done) == 10 + OVERHEAD  # the same cell and side
    assert cost(Run("ours", "ner", "wikigold", 100, 0), done) == 10 + OVERHEAD  # side, component and size
    assert cost(Run("guide", "ner", "wnut17", 100, 0), done) == 35 + OVERHEAD  # the cell
    assert cost(Run("spacy", "tagger", "ewt", 300, 0), done) == 60 + OVERHEAD  # the side
    assert cost(Run("ours", "ner", "wnut17", 100, 1), []) is None
    now = [0.0]
    pace = Pace(done[:1], clock=lambda: now[0])
    now[0] = 28.0  # one run of 10 + 4 CPU seconds in 28 seconds: half a CPU second a second
    left = [Run("spacy", "ner", "wnut17", 100, seed) for seed in (1, 2)]
    assert pace.left(left, done) == 2 * 64 / 0.5
    assert pace.left([], done) == 0


def test_our_side_is_the_command_line_of_who_names_data_alone(tmp_path):
    run = Run("ours", "textcat_bow", "sample", 100, 3)
    overrides = overrides_of(run, tmp_path)
    assert overrides == [
        "pipeline=textcat_bow", "corpus=files", f"corpus.train={tmp_path}/sample/train-100.jsonl",
        f"corpus.dev={tmp_path}/sample/dev.jsonl", f"corpus.test={tmp_path}/sample/test.jsonl", "seed=3", "tracking=none",
    ]  # fmt: skip
    assert compose(overrides).seed == 3
    guide = overrides_of(Run("guide", "textcat_bow", "sample", 100, 3), tmp_path)
    assert [one for one in guide if one not in overrides] == ["experiment=guide"]


@pytest.mark.parametrize("component", ["ner", "tagger", "parser", "textcat", "textcat_bow"])
def test_the_same_score_picks_the_best_epoch_on_both_sides(component, tmp_path):
    run = Run("ours", component, "sample", 100, 0)
    weights = {
        key: weight for key, weight in compose(overrides_of(run, tmp_path)).pipeline.score_weights.items() if weight
    }
    same = {"cats_score": "cats_macro_f"}  # of exclusive classes
    assert {same.get(key, key): weight for key, weight in weights.items()} == run.weights


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--corpora wnut71", "did you mean 'wnut17'?"),
        ("--components nre", "did you mean 'ner'?"),
        ("--corpora sample --components ner --report", "none of these runs is finished"),
    ],
)
def test_a_mistake_gives_two_lines_and_exit_code_2(words, message, tmp_path, capsys):
    assert main(["defaults", "--folder", str(tmp_path), *words.split()]) == RunnerError.exit_code
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_a_report_needs_only_the_data_of_its_records(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RUNNER_DATA_MIRROR", str(tmp_path / "nothing"))
    assert main(["defaults", "--folder", str(tmp_path), "--report"]) == RunnerError.exit_code
    assert "none of these runs is finished" in capsys.readouterr().err
    run = Run("spacy", "ner", "sample", 100, 0)
    append(tmp_path, {"name": run.name, **run.as_dict(), "commit": "", **RESULT})
    assert main(["defaults", "--folder", str(tmp_path), "--report", "--no-plots"]) == 0
    assert "sample" in capsys.readouterr().out
    assert main(["defaults", "--folder", str(tmp_path), "--corpora", "wnut17"]) == RunnerError.exit_code
    assert "defaults: wnut17" in capsys.readouterr().err


def test_options_before_the_command_are_told(capsys):
    assert main(["--markdown", "defaults"]) == RunnerError.exit_code
    assert "python -m benchmarks defaults" in capsys.readouterr().err


def test_help_has_80_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["defaults", "--help"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_tables_and_pictures_of_a_folder(tmp_path, made, capsys):
    pytest.importorskip("matplotlib")

    def result(run, score):
        key = {"ner": "ents_f", "textcat_bow": "cats_macro_f"}[run.component]
        curve = [{"step": s, "cpu_seconds": s / 10, "score": score * s / 600} for s in (200, 400, 600)]
        return {
            **RESULT,
            "curve": curve,
            "cpu_seconds": 60.0,
            "steps": 600,
            "dev": {key: score},
            "test": {key: score - 0.1},
        }

    what = asked(tmp_path, components=["ner", "textcat_bow"])
    for run in plan(what):
        about = {"name": run.name, **run.as_dict(), "commit": "abcdef0123"}
        append(tmp_path, {**about, **result(run, {"ours": 0.9, "guide": 0.6, "spacy": 0.7}[run.side])})
    words = [
        "defaults",
        "--folder",
        str(tmp_path),
        "--corpora",
        "sample",
        "--components",
        "ner",
        "textcat_bow",
        "--report",
    ]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "12 runs, ours at abcdef0" in out
    assert "ner (ents_f): ours minus spaCy" in out
    assert max(map(len, out.splitlines())) <= 80
    names = {path.name for path in (tmp_path / "plots").iterdir()}
    assert names == {f"{page}-{component}.png" for page in ("curves", "sizes") for component in ("ner", "textcat_bow")}
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in (tmp_path / "plots").iterdir())
    assert main([*words, "--sides", "ours", "guide", "--no-plots"]) == 0
    assert "spaCy" not in capsys.readouterr().out
    assert main([*words, "--markdown", "--no-plots"]) == 0
    assert "| corpus | size | seeds | dev ours | guide | spaCy |" in capsys.readouterr().out


def test_a_new_folder_stands_beside_an_old_one(tmp_path, made, capsys):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    for side, score in (("spacy", 0.7), ("ours", 0.6)):
        run = Run(side, "ner", "sample", 100, 0)
        append(old, {"name": run.name, **run.as_dict(), "commit": "", **RESULT, "dev": {"ents_f": score}})
    made_here = {**RESULT, "dev": {"ents_f": 0.9}, "settings": ["a=b"]}
    words = "--corpora sample --components ner --sizes 100 --seeds 0 --sides ours --set a=b --no-plots".split()
    run = Run("ours", "ner", "sample", 100, 0)
    new.mkdir()
    append(new, {"name": run.name, **run.as_dict(), "commit": "one", **made_here})
    assert main(["defaults", "--folder", str(new), "--beside", str(old), *words]) == 0
    assert made == []
    out = capsys.readouterr().out
    row = next(line for line in out.splitlines() if line.startswith("sample"))
    assert row.split()[:5] == ["sample", "100", "1/1", "90.0", "70.0"]  # the old folder's ours has other settings


def test_a_torn_line_does_not_swallow_the_next(tmp_path):
    (tmp_path / RUNS).write_text('{"name": "a"')
    append(tmp_path, {"name": "b"})
    assert read(tmp_path) == [{"name": "b"}]
    assert json.loads((tmp_path / RUNS).read_text().splitlines()[1]) == {"name": "b"}
