"""Dockerfile and compose.yaml name paths, extras, commands and options that exist; no container engine is needed.

tests/stress/cluster.py starts the parts of compose.yaml as processes.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))
LINES = [line for line in re.sub(r"\\\n", " ", DOCKERFILE).splitlines() if line and not line.startswith("#")]


def of(instruction: str) -> list[str]:
    """The arguments of every such line of the Dockerfile."""
    return [line.partition(" ")[2] for line in LINES if line.startswith(f"{instruction} ")]


def copied() -> list[str]:
    return [path for arguments in of("COPY") for path in arguments.split()[:-1]]


def test_what_the_image_copies_exists_and_is_sent_to_the_engine():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf8").splitlines()
    sent = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    assert "*" in ignored
    for path in copied():
        assert (ROOT / path).exists(), path
        assert any(fnmatch(path, pattern) for pattern in sent), f"{path} is in .dockerignore"
    assert sorted(sent) == sorted(copied()), "nothing else goes to the engine: no data, no .env"


def test_the_image_holds_all_that_the_package_is_built_from():
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = ["pyproject.toml", PROJECT["project"]["readme"], *wheel["packages"], *wheel["force-include"]]
    assert set(needed) <= set(copied())


def test_the_image_runs_as_a_user_without_rights():
    assert of("USER") == ["runner"]
    last_root = max(i for i, line in enumerate(LINES) if line.startswith(("RUN", "COPY")))
    assert LINES.index("USER runner") > last_root
    assert of("ENTRYPOINT") == ['["python", "-m", "runner"]']
    versions = PROJECT["project"]["requires-python"].removeprefix(">=")
    (base,) = of("FROM")
    assert float(base.removeprefix("python:3.").removesuffix("-slim")) >= float(versions.removeprefix("3."))


def test_no_secret_is_written_down():
    for service in COMPOSE["services"].values():
        for key, value in service.get("environment", {}).items():
            assert "PASSWORD" not in key or value.startswith("${POSTGRES_PASSWORD:?"), key
    assert not re.search(r"(?i)password|token|secret\s*=", DOCKERFILE.replace("no secrets", ""))
    assert not any("@" in word and ":" in word.split("://")[-1].split("@")[0] for word in words_of("mlflow"))


def test_extras_exist():
    extras = set(PROJECT["project"]["optional-dependencies"])
    named = [service["build"]["args"]["EXTRAS"] for service in COMPOSE["services"].values() if "build" in service]
    named += re.findall(r"EXTRAS=([\w,]+)", DOCKERFILE)
    assert len(named) >= 4
    assert {name for value in named for name in value.split(",")} <= extras
    assert {"ray", "postgres"} <= set(COMPOSE["services"]["head"]["build"]["args"]["EXTRAS"].split(","))


@pytest.mark.parametrize(("extras", "path"), [("", "/src"), ("ray,postgres", "/src[ray,postgres]")])
def test_pip_is_given_a_path_with_and_without_extras(extras, path):
    (word,) = re.findall(r'"(/src[^"]*)"', DOCKERFILE)
    done = subprocess.run(["sh", "-c", f'printf %s "{word}"'], env={"EXTRAS": extras}, capture_output=True, text=True)
    assert done.stdout == path


def test_services_name_each_other_and_volumes_that_exist():
    services = COMPOSE["services"]
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
        for name in service.get("depends_on", {}):
            assert "healthcheck" in services[name]
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in COMPOSE["volumes"]
    assert services["worker"]["deploy"]["replicas"] == 2
    (host,) = re.findall(r"@(\w+)/", " ".join(words_of("mlflow")))
    assert host in services
    assert services["head"]["environment"]["MLFLOW_TRACKING_URI"] == "http://mlflow:5000"
    assert "mlflow:5000" in services["mlflow"]["environment"]["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    assert services["mlflow"]["ports"] == ["127.0.0.1:5000:5000"], "for this machine alone"
    assert "ports" not in services["head"]
    assert "head:6379" in words_of("worker")
    assert words_of("head")[words_of("head").index("--port") + 1] == "6379"


def words_of(name: str) -> list[str]:
    service = COMPOSE["services"][name]
    return [*service["entrypoint"], *service["command"]]


@pytest.mark.slow
def test_options_of_the_server_exist():
    done = subprocess.run(
        [sys.executable, "-m", "mlflow", "server", "--help"], capture_output=True, text=True, check=True
    )
    for option in (word for word in words_of("mlflow") if word.startswith("--")):
        assert option in done.stdout, option


@pytest.mark.skipif(find_spec("ray") is None, reason="the extra ray is not installed")
def test_options_of_ray_exist():
    done = subprocess.run(
        [Path(sys.executable).with_name("ray"), "start", "--help"], capture_output=True, text=True, check=True
    )
    for name in ("head", "worker"):
        for option in (word for word in words_of(name) if word.startswith("--")):
            assert option in done.stdout, option


def test_the_commands_in_the_comments_compose():
    from runner.config.compose import compose

    told = [
        line.strip("# ")
        for line in (ROOT / "compose.yaml").read_text(encoding="utf8").splitlines()
        if "-m runner" in line
    ]
    assert len(told) == 1
    words = shlex.split(told[0].partition("-m runner ")[2])
    assert words[:3] == ["-m", "hydra/launcher=ray", "hydra.launcher.ray.init.address=auto"]
    compose([word.replace("0,1,2", "0") for word in words[3:]])
    (run,) = [line for line in DOCKERFILE.splitlines() if "docker run" in line]
    compose(run.partition(" runner ")[2].split())
