"""The files around a logged model: does MLflow load it where the project is not installed, and do its answers give the score?"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.pyfunc import load_model, scoring_server
from mlflow.types.schema import AnyType, Array, DataType, Map, Object, Property

import runner
from runner.components.records import record_of
from runner.corpus.annotations import read_annotations
from runner.tracking.mlflow import carried
from runner.tracking.mlflow.around import REQUIREMENTS, Contents, write_around
from runner.tracking.mlflow.signature import type_of
from runner.tracking.provenance import command_line

REPOSITORY = Path(runner.__file__).parent.parent

# What a fresh environment has: the requirements and what they need, and nothing of this project.
FRESH = """
import json, sys
class Missing:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing)
import mlflow
model = mlflow.pyfunc.load_model(FOLDER)
import runner
records = [model.predict([text])[0] for text in TEXTS]
print(json.dumps({"from": runner.__file__, "records": records}))
"""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def needed_by(names: list[str]) -> set[str]:
    """The distributions that pip would install for these, of those installed here."""
    needed: set[str] = set()
    waiting = [normal(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        try:
            lines = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        needed.add(name)
        waiting += [normal(re.match(r"[\w.-]+", line)[0]) for line in lines if "extra ==" not in line]
    return needed


def in_a_fresh_process(folder: Path, texts: list[str], cwd: Path) -> dict[str, Any]:
    """What a logged model answers in a process that cannot import more than the model's requirements."""
    lines = (folder / "requirements.txt").read_text().split()
    needed = needed_by([line.partition("==")[0] for line in lines])
    missing = {
        package
        for package, names in importlib.metadata.packages_distributions().items()
        if package != "runner" and not {normal(name) for name in names} & needed
    }
    paths = [path for path in sys.path if path and Path(path).is_dir() and not (Path(path) / "runner").is_dir()]
    if not any((Path(path) / "mlflow").is_dir() for path in paths):  # the project is installed beside its libraries
        paths = [path for path in sys.path if path and Path(path).is_dir() and Path(path) != REPOSITORY]
    values = {"MISSING": missing, "FOLDER": str(folder), "TEXTS": texts}
    script = "".join(f"{name} = {value!r}\n" for name, value in values.items()) + FRESH
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "MLFLOW"))}
    done = subprocess.run(
        [sys.executable, "-S", "-P", "-c", f"import sys; sys.path[:0] = {paths!r}\n{script}"],
        capture_output=True, text=True, cwd=cwd, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def logged_models(run: Path) -> dict[str, Any]:
    """The logged models of the run in a folder, by name."""
    client = MlflowClient(tracking_uri=f"sqlite:///{run.parent}/mlflow.db")
    run_id = json.loads((run / "summary.json").read_text())["run_id"]
    outputs = client.get_run(run_id).outputs.model_outputs
    models = [client.get_logged_model(output.model_id) for output in outputs]
    return {model.name: model for model in models}


def folder_of(model: Any) -> Path:
    return Path(model.artifact_location.removeprefix("file://"))


@pytest.mark.slow
@pytest.mark.mlflow
@pytest.mark.parametrize("name", ["model-best", "model-last"])
def test_a_fresh_process_without_the_project_gives_the_logged_scores(
    tracked_run: Path, name: str, tmp_path: Path
) -> None:
    model = logged_models(tracked_run)[name]
    gold = [json.loads(line) for line in (tracked_run.parent / "dev.jsonl").open(encoding="utf8")]
    answer = in_a_fresh_process(folder_of(model), [record["text"] for record in gold], tmp_path)
    assert answer["from"] == str(folder_of(model) / "code" / "runner.zip" / "runner" / "__init__.py")
    nlp = runner.load(tracked_run / name)
    examples = [
        runner.Example(read_annotations(record, None), read_annotations(one, None))
        for record, one in zip(answer["records"], gold, strict=True)
    ]
    scores = {key: value for key, value in nlp.score(examples).items() if key != "per_type"}
    logged = {metric.key: metric.value for metric in model.metrics}
    assert {"ents_f", "tag_acc", "dep_las", "cats_score"} <= set(scores)
    for key, score in scores.items():
        if score is not None:
            assert score == pytest.approx(logged.get(f"dev/best_{key}", logged.get(f"dev/{key}")), abs=1e-6), key


@pytest.fixture(scope="module")
def served(tracked_run: Path) -> Any:
    """How `mlflow models serve` answers a body of this content type: (code, text)."""
    before = sys.path[:]
    model = load_model(str(folder_of(logged_models(tracked_run)["model-best"])), suppress_warnings=True)
    sys.path[:] = before  # without the model's zip

    def ask(body: Any, content_type: str = "application/json") -> tuple[int, str]:
        data = body if isinstance(body, str) else json.dumps(body)
        try:
            answer = scoring_server.invocations(data, content_type, model, model.metadata.get_input_schema())
        except MlflowException as error:
            return error.get_http_status_code(), str(error)
        return answer.status, answer.response

    return ask


TEXT = "Ada lives in Oslo."
TABLE = {"columns": ["text"], "data": [[TEXT]]}


@pytest.mark.mlflow
@pytest.mark.parametrize(
    "body",
    [
        {"inputs": TEXT},
        {"inputs": [TEXT]},
        {"inputs": [{"text": TEXT}]},
        {"instances": [TEXT]},
        {"instances": [{"text": TEXT}]},
        {"dataframe_split": TABLE},
        {"dataframe_split": {"columns": ["text", "id"], "data": [[TEXT, 3]]}},
        {"dataframe_split": {"data": [[TEXT]]}},
        {"dataframe_records": [{"text": TEXT}]},
        {"inputs": [TEXT], "params": {"confidence": True}},
    ],
    ids=str,
)
def test_a_server_answers_each_form_of_a_text(served: Any, tracked_run: Path, body: Any) -> None:
    code, text = served(body)
    nlp = runner.load(tracked_run)
    doc = nlp(TEXT, confidence="params" in body)
    assert code == 200, text
    assert json.loads(text) == {"predictions": [record_of(nlp, doc)]}


@pytest.mark.mlflow
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "valid JSON"),
        ("nope", "valid JSON"),
        ([TEXT], "Received a list"),
        ({}, "exactly one of the input fields"),
        ({"texts": [TEXT]}, "exactly one of the input fields"),
        ({"inputs": None}, "NoneType"),
        ({"inputs": [None]}, "text 0 of the input (from 0) is null"),
        ({"inputs": [TEXT, 7]}, "text 1 of the input (from 0) is the number 7"),
        ({"inputs": 7}, "is the number 7"),
        ({"inputs": []}, "missing inputs"),
        ({"inputs": ["a" * 1_000_001]}, "has 1,000,001 characters"),
        ({"instances": [{"text": None}]}, "is null"),
        ({"dataframe_split": {**TABLE, "data": [[None]]}}, "is null"),
        ({"dataframe_split": {**TABLE, "data": []}}, "holds no text"),
        ({"dataframe_split": {**TABLE, "columns": ["review"]}}, "no column 'text' (columns: 'review')"),
        ({"dataframe_records": [{"id": 3, "text": TEXT}]}, "put 'text' first"),
        ({"inputs": [TEXT], "params": {"confidence": "yes"}}, "confidence"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_server_refuses_the_rest_and_says_why(served: Any, body: Any, reason: str) -> None:
    code, text = served(body)
    assert code == 400
    assert reason in text


@pytest.mark.mlflow
def test_the_page_of_a_model_has_signature_and_example(tracked_run: Path) -> None:
    folder = folder_of(logged_models(tracked_run)["model-best"])
    model = Model.load(str(folder))
    outputs = {column.name: column.type for column in model.signature.outputs}
    assert [column.type for column in model.signature.inputs] == [AnyType()]
    assert outputs["text"] == DataType.string
    assert outputs["tags"] == Array(DataType.string)
    assert outputs["heads"] == Array(DataType.long)
    assert outputs["cats"] == Object([Property("HOME", DataType.double), Property("WORK", DataType.double)])
    assert [(param.name, param.default) for param in model.signature.params] == [("confidence", False)]
    assert model.load_input_example(str(folder)).to_dict("list") == {"text": ["Maria Keller lives in Oslo."]}


@pytest.mark.mlflow
def test_the_page_of_a_model_says_who_made_it_and_how_to_serve_it(tracked_run: Path) -> None:
    model = logged_models(tracked_run)["model-last"]
    text = model.tags["mlflow.note.content"]
    assert f"mlflow models serve -m models:/{model.model_id} -p 5001" in text
    assert """-d '{"inputs": ["Maria Keller lives in Oslo."]}'""" in text
    assert '{"predictions": [{"text": "Maria Keller lives in Oslo.", "words": ["Maria", ' in text
    assert model.tags["mlflow.user"]
    assert model.tags["mlflow.source.name"] == command_line()  # of this process, whoever started it


@pytest.mark.mlflow
def test_libraries_are_pinned_for_pip_virtualenv_and_conda_alike(tracked_run: Path) -> None:
    folder = folder_of(logged_models(tracked_run)["model-last"])
    lines = (folder / "requirements.txt").read_text().split()
    assert f"numpy=={importlib.metadata.version('numpy')}" in lines
    assert [line.partition("==")[0] for line in lines] == [name.lower() for name in REQUIREMENTS]
    environment = yaml.safe_load((folder / "conda.yaml").read_text())
    assert environment["dependencies"][-1] == {"pip": lines}
    assert yaml.safe_load((folder / "python_env.yaml").read_text())["dependencies"] == ["-r requirements.txt"]


def written(folder: Path, contents: Contents) -> Path:
    folder.mkdir()
    model = SimpleNamespace(artifact_location=str(folder), model_id="m-1")
    write_around(folder, model, "0" * 32, contents)
    return folder


def test_a_model_of_an_older_journal_has_no_example_and_no_outputs(tmp_path: Path) -> None:
    folder = written(tmp_path / "model", Contents(("numpy==2.0",)))
    model = Model.load(str(folder))
    assert (model.signature.outputs, model.saved_input_example_info) == (None, None)
    assert not (folder / "input_example.json").exists()


@pytest.mark.slow
def test_the_users_own_code_travels_too(tmp_path: Path) -> None:
    """A model with a tokenizer of the user's own answers in a process that has never seen its file."""
    (tmp_path / "halves.py").write_text(
        "from runner import registry\n\n@registry.tokenizers('halves')\ndef halves():\n"
        "    return lambda text: ([text[:3], text[3:]], [False, False])\n",
        encoding="utf8",
    )
    script = (
        "import runner\nfrom runner.user_code import load_code\nload_code(['halves.py'])\n"
        "nlp = runner.blank(tokenizer={'type': 'halves'})\nnlp.add_pipe('tagger')\n"
        "example = runner.Example.from_dict(nlp.make_doc('Adasang'), {'tags': ['NNP', 'VBD']})\n"
        "nlp.initialize(lambda: [example])\nnlp.to_disk('model')\n"
        "import json\nfrom pathlib import Path\nfrom runner.tracking.mlflow.carried import code_of\n"
        "print(json.dumps(code_of(Path('model'))))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    made = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr[-2000:]
    code = json.loads(made.stdout)
    assert list(code) == ["halves.py"]
    (tmp_path / "halves.py").unlink()
    folder = written(tmp_path / "logged", Contents.of(tmp_path / "model", {"code": {**code, "../other.py": "1"}}))
    assert not (tmp_path / "other.py").exists()
    (tmp_path / "model").rename(folder / "model")
    (record,) = in_a_fresh_process(folder, ["Linsang"], tmp_path)["records"]
    assert record["words"] == ["Lin", "sang"]


def test_the_package_in_a_zip_is_the_same_every_time_and_holds_no_data() -> None:
    content = carried.package_zip()
    carried.package_zip.cache_clear()
    assert carried.package_zip() == content
    names = zipfile.ZipFile(BytesIO(content)).namelist()
    assert "runner/components/pipeline.py" in names
    assert not [name for name in names if "sample" in name or "__pycache__" in name]
    assert len(content) < 1_000_000


def test_a_tokenizer_of_spacy_needs_spacy(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"tokenizer": {"type": "spacy", "lang": "de"}}))
    assert any(line.startswith("spacy==") for line in Contents.of(tmp_path, {}).requirements)
    (tmp_path / "config.json").write_text("[1")
    assert not any("spacy" in line for line in Contents.of(tmp_path, {}).requirements)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("a", DataType.string),
        (True, DataType.boolean),
        (3, DataType.long),
        (0.5, DataType.double),
        (None, AnyType()),
        ([], Array(AnyType())),
        ([0, "PER"], Array(AnyType())),
        ([[0, 1]], Array(Array(DataType.long))),
        ({"YES": 1.0, "NO": 0.0}, Object([Property("YES", DataType.double), Property("NO", DataType.double)])),
        ({str(i): 0.0 for i in range(31)}, Map(DataType.double)),
        ({"a": 1, "b": "x"}, Object([Property("a", DataType.long), Property("b", DataType.string)])),
    ],
)
def test_types_of_answers(value: object, kind: object) -> None:
    assert type_of(value) == kind
