"""A password that a user hands over, in one way or another, stands in nothing that a run leaves behind or prints."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.commands.test_train import TINY
from tests.stress.servers import mlflow_server

pytestmark = [pytest.mark.slow, pytest.mark.mlflow]

CODE = """
from runner import registry
from runner.corpus.readers.jsonl import jsonl

@registry.readers("private")
def private(token: str, api_key: str, place: str):
    assert "pl4nted" in token + api_key + place
    return jsonl()
"""
SPECIAL = "pl4nted-p%40ss"  # as a careless person writes it into an address


def contents(path: Path) -> Iterator[bytes]:
    """All that is in a file, unpacked, and its name."""
    raw = path.read_bytes()
    yield os.fsencode(path.name) + b"\n" + raw
    if raw[:2] == b"\x1f\x8b":
        yield gzip.decompress(raw)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist())
    if raw[:6] == b"SQLite":
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            yield "\n".join(connection.iterdump()).encode()


def leaks(folder: Path, *printed: str) -> list[str]:
    """Where below the folder (but for what the user wrote himself), or in what was printed, a planted secret stands."""
    found = ["printed" for text in printed if "pl4nted" in text]
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "own" not in path.relative_to(folder).parts:
            found += [str(path.relative_to(folder)) for content in contents(path) if b"pl4nted" in content]
    return found


def run(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {"OPENBLAS_NUM_THREADS": "1", "RUNNER_DATA_MIRROR": str(folder / "own"), **environment}
    command = [sys.executable, "-m", "runner", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, **own})


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """What the user has: a corpus and code."""
    (tmp_path / "own").mkdir()
    lines = [json.dumps({"text": f"Ada met Lin {i}.", "entities": [[0, 3, "PER"], [8, 11, "PER"]]}) for i in range(12)]
    (tmp_path / "own" / "a.jsonl").write_text("\n".join(lines), encoding="utf8")
    (tmp_path / "own" / "code.py").write_text(CODE, encoding="utf8")
    return tmp_path


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT of an MLflow server, which takes any user and password."""
    folder = tmp_path_factory.mktemp("server")
    with mlflow_server(folder, f"sqlite:///{folder / 'mlflow.db'}") as uri:
        yield uri.removeprefix("http://")
    assert leaks(folder) == []


@pytest.fixture(autouse=True)
def no_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)


def corpus(own: Path) -> list[str]:
    """Overrides of a corpus with a password in its address and a token behind it, and a reader with both as keys."""
    sha256 = hashlib.sha256((own / "own" / "a.jsonl").read_bytes()).hexdigest()
    part = f"{{url:'https://ada:pl4nted1@host/a.jsonl?token=pl4nted2',sha256:{sha256},mirror:a.jsonl}}"
    reader = (
        "corpus.reader={type: private, token: '${oc.env:OF_MINE}', api_key: pl4nted3, place: 'http://pl4nted4@host/'}"
    )
    return ["corpus=files", f"corpus.train={part}", f"corpus.dev={part}", "code=[own/code.py]", reader]


SMALL = [word for word in TINY if not word.startswith("corpus")] + ["training.max_epochs=1"]


def test_on_the_command_line(own: Path, host: str) -> None:
    address = f"tracking.uri=http://ada:{SPECIAL}@{host}"
    done = run(own, *SMALL, *corpus(own), address, "output_dir=out", OF_MINE="pl4nted5-and-more")
    assert done.returncode == 0, done.stderr
    assert leaks(own, done.stdout, done.stderr) == []
    kept = yaml.safe_load((own / "out" / "config.yaml").read_text("utf8"))
    assert kept["tracking"]["uri"] == f"http://***@{host}"
    assert kept["corpus"]["reader"]["token"] == "${oc.env:OF_MINE}"
    (own / "out" / "synced.json").unlink()
    without = run(own, "sync", "out")
    assert without.returncode == 1
    assert "Set MLFLOW_TRACKING_URI to the whole address" in without.stdout
    given = run(own, "sync", "out", MLFLOW_TRACKING_URI=address.partition("=")[2])
    assert given.returncode == 0, given.stdout
    assert "FINISHED" in given.stdout, given.stdout
    again = run(own, "rerun", "out", OF_MINE="pl4nted5-and-more")
    assert again.returncode == 2, again.stderr
    assert "corpus.train.url: the password was not saved" in again.stderr, again.stderr
    assert leaks(own, without.stdout, given.stdout, given.stderr, again.stderr) == []


def test_a_sweep_with_the_address_in_the_environment(own: Path, host: str) -> None:
    words = [
        *SMALL,
        *corpus(own),
        "-m",
        "seed=0,1",
        "output_dir=out",
        "hydra/launcher=joblib",
        "hydra.launcher.n_jobs=2",
    ]
    done = run(own, *words, OF_MINE="pl4nted5-and-more", MLFLOW_TRACKING_URI=f"http://ada:{SPECIAL}@{host}")
    assert done.returncode == 0, done.stderr
    assert (own / "out" / "multirun.yaml").exists()
    assert (own / "out" / "1" / "job.log").exists()
    assert leaks(own, done.stdout, done.stderr) == []


def test_an_expression_in_a_preset_is_kept_and_worked_out_again(own: Path, host: str) -> None:
    preset = own / "own" / "experiment" / "mine.yaml"
    preset.parent.mkdir()
    preset.write_text(
        f"# @package _global_\ntracking:\n  uri: http://ada:${{oc.env:STORE_PASSWORD}}@{host}\n", encoding="utf8"
    )
    words = ["--config-dir=own", "experiment=mine", *SMALL, "corpus.limit=12", "output_dir=out"]
    done = run(own, *words, STORE_PASSWORD=SPECIAL)
    assert done.returncode == 0, done.stderr
    kept = yaml.safe_load((own / "out" / "config.yaml").read_text("utf8"))
    assert kept["tracking"]["uri"] == f"http://ada:${{oc.env:STORE_PASSWORD}}@{host}"
    (own / "out" / "synced.json").unlink()
    sent = run(own, "sync", "out", STORE_PASSWORD=SPECIAL)
    assert sent.returncode == 0
    assert "FINISHED" in sent.stdout
    missing = run(own, "rerun", "out")
    assert missing.returncode == 2
    assert "tracking.uri: the environment variable STORE_PASSWORD is not set" in missing.stderr
    again = run(own, "rerun", "out", STORE_PASSWORD=SPECIAL)
    assert again.returncode == 0, again.stderr
    assert "the same bits" in again.stdout, again.stderr
    assert leaks(own, done.stdout, done.stderr, sent.stdout, again.stdout, again.stderr) == []


def test_stores_that_fail(own: Path) -> None:
    """Libraries quote the address in their errors; the run's error and its log do not."""
    words = [*SMALL, "corpus.limit=12", "output_dir=out"]
    secret = {"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": SPECIAL}
    for address in (
        f"postgresql://ada:{SPECIAL}@127.0.0.1:1/db",
        f"sqlite:///runs.db?password={SPECIAL}",
        f"http://ada:pl4nted:/x#{SPECIAL}@host",
    ):
        done = run(own, *words, f"tracking.uri={address!r}", **secret)
        assert "***" in done.stdout + done.stderr, (address, done.stderr)
        assert leaks(own, done.stdout, done.stderr) == [], address


def test_a_user_and_a_password_beside_the_address(own: Path, host: str) -> None:
    words = [*SMALL, "corpus.limit=12", "output_dir=out", f"tracking.uri=http://{host}"]
    secret = {"MLFLOW_TRACKING_USERNAME": "ada", "MLFLOW_TRACKING_PASSWORD": SPECIAL}
    done = run(own, *words, **secret)
    assert done.returncode == 0, done.stderr
    assert leaks(own, done.stdout, done.stderr) == []
