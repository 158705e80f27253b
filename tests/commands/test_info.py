"""`python -m runner info` and `--version`: what a bug report says."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

import runner
from runner.__main__ import main


@pytest.fixture
def info(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))

    def call(*words):
        code = main(["info", *words])
        out, err = capfd.readouterr()
        return code, out, err

    return call


def test_versions_are_those_that_are_installed(info):
    code, out, err = info("--json")
    facts = json.loads(out)
    assert (code, err) == (0, "")
    assert facts["runner"]["version"] == runner.__version__
    assert facts["dependencies"]["numpy"] == np.__version__
    assert facts["dependencies"]["mlflow"] == importlib.metadata.version("mlflow")
    assert facts["arithmetic"]["ops"][:2] == ["numpy", "blis"]
    assert all(blas["kernel"] and blas["threads"] >= 1 for blas in facts["arithmetic"]["blas"])


def test_the_cache_is_measured_and_the_store_is_named(info, tmp_path):
    folder = tmp_path / "caches" / "runner" / "wnut17"
    folder.mkdir(parents=True)
    (folder / "a").write_bytes(bytes(1500))
    (folder / "b").write_bytes(bytes(500))
    facts = json.loads(info("--json")[1])
    assert facts["cache"] == {"folder": str(folder.parent), "bytes": 2000, "files": 2}
    assert facts["mlflow_store"] == {"address": f"sqlite:///{tmp_path}/mlflow.db", "error": None}
    assert not (tmp_path / "mlflow.db").exists()


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_no_password_is_told(info, monkeypatch, words):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ada:pa55word@host.example:5000/store")
    out = info(*words)[1]
    assert "http://***@host.example:5000/store" in out
    assert "pa55word" not in out


def test_an_address_that_cannot_be_used_is_told_with_the_reason(info, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "gopher://host")
    code, out, _ = info()
    assert code == 0
    assert "MLFLOW_TRACKING_URI: unknown kind of store 'gopher'" in " ".join(out.split())


def test_lines_are_short_even_of_long_paths(info, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ("long" * 30)))
    out = info()[1]
    assert max(map(len, out.splitlines())) < 80
    assert str(tmp_path / ("long" * 30)) in "".join(line.strip() for line in out.splitlines())
    assert max(map(len, info("--help")[1].splitlines())) < 80


def test_the_commit_is_that_of_the_code_and_no_other_repository(info, tmp_path, monkeypatch):
    """Installed in an environment inside another project's repository, the code has no commit."""
    package = tmp_path / "other" / "site-packages" / "runner"
    package.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", tmp_path / "other"], check=True)
    monkeypatch.setattr(runner, "__file__", str(package / "__init__.py"))
    assert json.loads(info("--json")[1])["runner"]["git"] is None


def test_an_unknown_option_is_two_lines(info):
    code, out, err = info("--jsn")
    assert (code, out) == (2, "")
    assert err == "command line: unrecognized arguments: --jsn\n  See python -m runner info --help.\n"


def test_version_is_that_of_this_project(info, capfd):
    assert main(["--version"]) == 0
    assert capfd.readouterr().out == f"declarative-runner {runner.__version__}\n"


def test_the_version_is_that_of_the_package():
    project = Path(__file__).parents[2] / "pyproject.toml"
    assert f'\nversion = "{runner.__version__}"\n' in project.read_text("utf8")
