"""`python -m runner package`: a wheel that pip installs, and what may stand in it."""

from __future__ import annotations

import csv
import email
import hashlib
import io
import json
import shutil
import subprocess
import sys
import zipfile
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from packaging.utils import parse_wheel_filename

import runner
from runner.__main__ import main
from runner.commands.package.model import Wanted, model_wheel
from runner.tracking.model_source import ModelSource

from ..conftest import full_records

MODEL_WHEEL = "my_model-1.0-py3-none-any.whl"
CALLED = """
import json, sys
import my_model, runner
by_name, by_module = runner.load("my-model"), my_model.load(disable="parser")
doc = by_name("Ada lives in Oslo .")
print(json.dumps([[ent.as_tuple() for ent in doc.ents], doc.tags, doc.heads, doc.cats, by_module.pipe_names]))
"""


@pytest.fixture
def package(full_run, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(full_run, "run")

    def call(*words):
        code = main(["package", *words])
        out, err = capfd.readouterr()
        return code, out, err

    return call


def in_process(code, target):
    """What Python code prints in a new process, with an installed target folder."""
    env = {"PYTHONPATH": f"{target}:{Path(runner.__file__).parents[1]}", "PATH": "/usr/bin:/bin", "HOME": str(target)}
    done = subprocess.run(
        [sys.executable, *code], env=env, capture_output=True, text=True, cwd=Path(target).parent, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


@pytest.mark.slow
def test_an_installed_model_loads_by_its_name_and_by_its_module(package, tmp_path):
    pytest.importorskip("pip")
    assert package("run", "dist", "--name", "my-model", "--version", "1.0")[0] == 0
    target = tmp_path / "target"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--no-compile", "--target", target]
    subprocess.run([*pip, f"dist/{MODEL_WHEEL}"], check=True, capture_output=True)
    doc = runner.load("run")("Ada lives in Oslo .")
    answer = json.loads(in_process(["-c", CALLED], target))
    expected = [[list(ent.as_tuple()) for ent in doc.ents], doc.tags, doc.heads, doc.cats, ["tagger", "ner", "textcat"]]
    assert answer == expected
    (tmp_path / "texts.txt").write_text("Bo works in Lima.\n", "utf8")
    record = json.loads(in_process(["-m", "runner", "predict", "my_model", "texts.txt", "-o", "-"], target))
    assert record["text"] == "Bo works in Lima."
    data = tmp_path / "data.jsonl"
    data.write_text(json.dumps(full_records(1)[0]) + "\n", "utf8")
    scores = json.loads(in_process(["-m", "runner", "evaluate", "my-model", str(data), "--json"], target))
    assert scores["scores"]["token_acc"] == 1.0


def test_the_same_bytes_twice_whenever_and_wherever(package):
    assert package("run", "a", "--name", "my-model", "--version", "1.0")[0] == 0
    shutil.copytree("run/model-best", "elsewhere/model")
    for file in Path("elsewhere/model").iterdir():
        file.touch()
        file.chmod(0o600)
    assert package("elsewhere/model", "b", "--name", "My.Model", "--version", "1.0.0")[0] == 0
    assert package("elsewhere/model", "b", "--name", "My.Model", "--version", "1.0")[0] == 0
    assert Path("a", MODEL_WHEEL).read_bytes() == Path("b", MODEL_WHEEL).read_bytes()


def test_the_record_names_every_file_with_its_digest(package):
    """https://packaging.python.org/en/latest/specifications/recording-installed-packages/"""
    package("run", "dist", "--name", "my-model", "--version", "1.0", "--with-runner")
    for wheel in Path("dist").glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            record = next(name for name in archive.namelist() if name.endswith("/RECORD"))
            rows = list(csv.reader(io.StringIO(archive.read(record).decode("utf8"))))
            assert [row[0] for row in rows] == archive.namelist()
            assert rows[-1] == [record, "", ""]
            for name, digest, size in rows[:-1]:
                content = archive.read(name)
                sha = urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
                assert (digest, size) == (f"sha256={sha}", str(len(content)))
            assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o100644}
            assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_packaging_accepts_names_and_metadata(package):
    """The reference implementation of the specifications reads both wheels without a complaint."""
    package("run", "dist", "--name", "my-model", "--version", "1.0", "--license", "MIT", "--with-runner")
    for wheel in Path("dist").glob("*.whl"):
        name, version, build, tags = parse_wheel_filename(wheel.name)
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(f"{wheel.name.partition('-py3')[0]}.dist-info/METADATA")
        told = Metadata.from_email(content, validate=True)
        assert (told.name.lower(), told.version) == (name, version)
        assert (build, {str(tag) for tag in tags}) == ((), {"py3-none-any"})
        assert told.license_expression == "MIT"


def test_only_the_models_four_files_are_packed(package):
    Path("run/model-best/notes.txt").write_text("private", "utf8")
    Path("run/model-best/evil.py").write_text("raise SystemExit", "utf8")
    package("run", "dist", "--name", "my-model", "--version", "1.0")
    with zipfile.ZipFile(f"dist/{MODEL_WHEEL}") as archive:
        inside = [name for name in archive.namelist() if ".dist-info/" not in name]
        assert archive.read("my_model-1.0.dist-info/entry_points.txt") == b"[runner.models]\nmy-model = my_model\n"
    files = ("config.json", "lexemes.msgpack", "meta.json", "weights.msgpack")
    assert inside == ["my_model/__init__.py", *(f"my_model/model/{name}" for name in files)]


def test_metadata_as_it_was_given(package):
    words = ["--name", "My.Model", "--version", "1.0.RC1", "--license", "mit or apache-2.0", "--author", "Ada Löwe"]
    assert package("run", "dist", *words, "--description", "Names: places, people")[0] == 0
    told = metadata("dist/my_model-1.0rc1-py3-none-any.whl")
    assert (told["Name"], told["Version"]) == ("my-model", "1.0rc1")
    assert (told["License-Expression"], told["Summary"]) == ("MIT OR Apache-2.0", "Names: places, people")
    assert told.get_all("Requires-Dist") == [f"declarative-runner>={runner.__version__}"]


def test_defaults_come_from_the_model(package):
    code, out, err = package("run", "dist")
    wheel = "dist/en_tagger_parser_ner_textcat-0.1.0-py3-none-any.whl"
    assert (code, err) == (0, "")
    assert out.splitlines()[1:] == [
        f"pip install {wheel}",
        "declarative-runner must be installed there; --with-runner writes its wheel too",
    ]
    told = metadata(wheel)
    assert told["Summary"] == "tagger, parser, ner, textcat for texts in language en, trained with declarative-runner"
    assert told["License-Expression"] is None
    best = json.loads(Path("run/summary.json").read_text("utf8"))["best"]["scores"]["ents_f"]
    assert f"| ents_f | {best:.4f} |" in told.get_payload()


@pytest.mark.parametrize(
    ("reference", "file"),
    [
        ("models:/street-names/3", "street_names-3-py3-none-any.whl"),
        ("models:/street-names@champion", "street_names-0.1.0-py3-none-any.whl"),
        ("models:/street-names/latest", "street_names-0.1.0-py3-none-any.whl"),
    ],
)
def test_a_registered_model_gives_its_name_and_its_version_if_that_is_known(full_run, reference, file):
    wheel, _ = model_wheel(ModelSource(reference, full_run / "model-best"), Wanted())
    assert wheel.file_name == file


@pytest.mark.slow
def test_this_projects_wheel_holds_what_it_needs(package, tmp_path):
    """Installed alone, it composes configs and trains on its sample: conf/ and data came along."""
    assert package("run", "dist", "--with-runner", "--name", "my-model")[0] == 0
    wheel = next(Path("dist").glob("declarative_runner-*.whl"))
    told = metadata(wheel)
    assert told["Version"] == runner.__version__
    assert any(requirement.startswith("thinc") for requirement in told.get_all("Requires-Dist"))
    assert "numba>=0.62; extra == 'numba'" in told.get_all("Requires-Dist")
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(f"declarative_runner-{runner.__version__}.dist-info/licenses/LICENSE").strip()
        archive.extractall(tmp_path / "target")
    there = "import runner; print(runner.__file__)"
    assert in_process(["-c", there], tmp_path / "target").startswith(str(tmp_path / "target"))
    tiny = ("training.max_epochs=1", "corpus.limit=20", "tracking=none", "output_dir=out")
    assert "model-best" in in_process(["-m", "runner", *tiny], tmp_path / "target")


def test_a_model_with_code_is_packed_without_it_and_says_so(package, tmp_path):
    Path("mine.py").write_text(TOKENIZER, "utf8")
    nlp = runner.blank("en")
    nlp.add_pipe("ner")
    nlp.initialize(lambda: [("Ada slept .", {"entities": [(0, 3, "PER")]})])
    nlp.to_disk("plain")
    config = json.loads(Path("plain/config.json").read_text("utf8")) | {"code": ["mine.py"]}
    with_config("plain", config)
    code, out, _ = package("plain", "dist", "--name", "my-model", "--version", "1.0")
    assert code == 0
    assert "not packed, and needed to load it: mine.py" in out
    assert "nlp = my_model.load(code=['mine.py'])" in metadata(f"dist/{MODEL_WHEEL}").get_payload()
    assert not Path("ran").exists()


TOKENIZER = "open('ran', 'w').close()\n"


def with_config(folder, config):
    """Change a model's config as its maker could, with right checksums."""
    content = json.dumps(config).encode("ascii")
    Path(folder, "config.json").write_bytes(content)
    meta = json.loads(Path(folder, "meta.json").read_text("utf8"))
    meta["file_sha256"]["config.json"] = hashlib.sha256(content).hexdigest()
    reseal(folder, meta)


def reseal(folder, meta):
    rest = {key: value for key, value in meta.items() if key != "meta_sha256"}
    meta["meta_sha256"] = hashlib.sha256(json.dumps(rest, sort_keys=True).encode("ascii")).hexdigest()
    Path(folder, "meta.json").write_text(json.dumps(meta), "utf8")


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        (["--name", "3d"], "--name: '3d' cannot be imported"),
        (["--name", "class"], "--name: 'class' cannot be imported"),
        (["--name", "a;b"], "--name: 'a;b' is no name of a package (PEP 508)"),
        (["--name", "../a"], "--name: '../a' is no name of a package (PEP 508)"),
        (["--name", "numpy"], "--name: a module of this name is there already: numpy"),
        (["--name", "json"], "--name: a module of this name is there already: json"),
        (["--name", "runner"], "--name: a module of this name is there already: runner"),
        (["--version", "latest"], "--version: 'latest' is no version of a package (PEP 440)"),
        (["--version", "1.0+here"], "--version: '1.0+here' is a local version"),
        (["--license", "my own"], "--license: 'my own' is no SPDX licence"),
        (["--author", "Ada\nClassifier: x"], "--author: the text has a line break"),
        (["--description", "a\u2028b"], "--description: the text has a line break"),
    ],
)
def test_what_cannot_stand_in_metadata_is_two_lines(package, words, fact):
    code, out, err = package("run", "dist", *words)
    assert (code, out) == (2, "")
    assert err.startswith(fact)
    assert len(err.splitlines()) == 2
    assert not Path("dist").exists()


def test_another_wheel_is_not_overwritten_unless_forced(package):
    words = ("run", "dist", "--name", "my-model", "--version", "1.0")
    package(*words)
    first = Path("dist", MODEL_WHEEL).read_bytes()
    code, _, err = package(*words, "--author", "Ada")
    assert (code, len(err.splitlines())) == (2, 2)
    assert "the wheel exists, with other content" in err
    assert Path("dist", MODEL_WHEEL).read_bytes() == first
    assert package(*words, "--author", "Ada", "--force")[0] == 0
    assert Path("dist", MODEL_WHEEL).read_bytes() != first


def broken(folder):
    with Path(folder, "weights.msgpack").open("r+b") as file:
        file.seek(1000)
        file.write(b"????")


def newer(folder):
    meta = json.loads(Path(folder, "meta.json").read_text("utf8"))
    reseal(folder, meta | {"format": 99})


def foreign(folder):
    Path(folder, "config.cfg").write_text("[nlp]\n", "utf8")


def incomplete(folder):
    Path(folder, "lexemes.msgpack").unlink()


@pytest.mark.parametrize(
    ("damage", "fact"),
    [
        (broken, "weights.msgpack: the file is damaged"),
        (newer, "written by a newer version of runner"),
        (foreign, "a model of spaCy"),
        (incomplete, "lexemes.msgpack: cannot read"),
    ],
)
def test_a_model_that_would_not_load_is_not_packed(package, damage, fact):
    damage("run/model-best")
    code, out, err = package("run/model-best", "dist")
    assert (code, out) == (2, "")
    assert fact in err
    assert len(err.splitlines()) == 2
    assert not Path("dist").exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("lang", None), ("lang", "e\nn"), ("components", []), ("components", {"tag\ner": {"type": "tagger"}}), ("components", {}),
        ("components", {"tagger": 3}), ("code", 3), ("tokenizer", 3),
    ],
)  # fmt: skip
def test_a_made_up_config_ends_in_two_lines_or_in_sound_metadata(package, key, value):
    config = json.loads(Path("run/model-best/config.json").read_text("utf8")) | {key: value}
    with_config("run/model-best", config)
    code, _, err = package("run/model-best", "dist", "--name", "my-model", "--version", "1.0")
    assert code in (0, 2), err
    assert len(err.splitlines()) == code
    if code == 0:
        assert set(metadata(f"dist/{MODEL_WHEEL}").keys()) == {
            "Metadata-Version", "Name", "Version", "Summary", "Requires-Python", "Requires-Dist", "Description-Content-Type",
        }  # fmt: skip


def test_made_up_labels_do_not_break_the_page(package):
    meta = json.loads(Path("run/model-best/meta.json").read_text("utf8"))
    meta["labels"]["ner"] = ["a|b", "\n\n# x", "\x1b[31m"]
    reseal("run/model-best", meta)
    assert package("run/model-best", "dist", "--name", "my-model", "--version", "1.0")[0] == 0
    page = metadata(f"dist/{MODEL_WHEEL}").get_payload()
    assert "| ner | `a_b`, `\\n\\n# x`, `\\x1b[31m` |" in page
    meta["labels"]["ner"] = [1, 2]
    reseal("run/model-best", meta)
    assert package("run/model-best", "other")[0] == 2


def test_the_tokenizers_library_is_required_in_the_version_that_cut_the_words(package):
    version = pytest.importorskip("spacy").__version__
    nlp = runner.blank("en", tokenizer={"type": "spacy", "lang": "en"})
    nlp.add_pipe("ner")
    nlp.initialize(lambda: [("Ada slept .", {"entities": [(0, 3, "PER")]})])
    nlp.to_disk("plain")
    package("plain", "dist", "--name", "my-model", "--version", "1.0")
    major, minor = version.split(".")[:2]
    assert f"spacy~={major}.{minor}.0" in metadata(f"dist/{MODEL_WHEEL}").get_all("Requires-Dist")


def test_out_is_a_folder(package):
    code, _, err = package("run", "dist/mine.whl")
    assert code == 2
    assert err == "dist/mine.whl: OUT is a file\n  Name a folder: the format decides the name of the file.\n"


def test_the_help_is_narrow(package):
    assert max(map(len, package("--help")[1].splitlines())) < 80
