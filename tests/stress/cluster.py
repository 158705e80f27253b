"""`python -m tests.stress.cluster`: what compose.yaml starts, as processes on loopback, and one sweep through it.

Commands and environment of the server, the head and the workers are those of compose.yaml, with other ports and folders. The
sweep must run on both workers, MLflow on PostgreSQL must have all of its runs, and a job must have the bits of the same run
alone.
Needs PostgreSQL's programs and the extras ray and postgres.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

import runner
from tests.stress.servers import WAIT, free_port, postgres, start, stop

COMPOSE = Path(__file__).parents[2] / "compose.yaml"
N_WORKERS = 2
WORDS = ["training.max_epochs=1", "corpus.limit=60", "optimizer=adam,radam", "seed=0,1", "output_dir=sweep"]


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    services = yaml.safe_load(COMPOSE.read_text(encoding="utf8"))["services"]
    with tempfile.TemporaryDirectory(prefix="cl-") as name, contextlib.chdir(name), contextlib.ExitStack() as stack:
        folder = Path(name)
        store = stack.enter_context(postgres(folder))
        server = stack.enter_context(mlflow(services["mlflow"], folder, store))
        address = stack.enter_context(cluster(services, folder, server))
        environment = {**os.environ, **environment_of(services["head"], server)}
        launcher = ["-m", "hydra/launcher=ray", f"hydra.launcher.ray.init.address={address}"]
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "runner", *launcher, *WORDS], check=True, env=environment)
        seconds = time.monotonic() - began
        frame = runner.runs(uri=server)
        print(frame.drop(columns=["path", "run_id"]).to_string())
        assert frame.status.tolist() == ["FINISHED"] * 4
        assert frame.score.notna().all()
        assert most_at_a_time(folder) == N_WORKERS, "the jobs did not run on both workers"
        alone = runner.train([*WORDS[:2], "optimizer=radam", "seed=1", "tracking=none", "output_dir=alone"])
        assert weights(alone.output_dir) == weights(folder / "sweep" / "3")
    print(
        f"four runs on {N_WORKERS} workers in {seconds:.0f} s, all in MLflow on PostgreSQL; job 3 has the bits of the run alone"
    )
    return 0


def weights(folder: Path) -> str:
    return str(json.loads((folder / "summary.json").read_text(encoding="utf8"))["weights_sha256"])


def most_at_a_time(folder: Path) -> int:
    """The largest number of jobs that ran at one moment. A worker offers one core, so that two jobs ran on two workers."""
    changes: list[tuple[int, int]] = []
    for path in folder.glob("sweep/*/journal.jsonl"):
        events = [json.loads(line) for line in path.read_text(encoding="utf8").splitlines()]
        changes += [(events[0]["time"], 1), (events[-1]["time"], -1)]
    return max(itertools.accumulate(change for _, change in sorted(changes)))


def environment_of(service: Mapping[str, Any], server: str) -> dict[str, str]:
    return {**service["environment"], "MLFLOW_TRACKING_URI": server}


@contextlib.contextmanager
def mlflow(service: Mapping[str, Any], folder: Path, store: str) -> Iterator[str]:
    """The service `mlflow`, on a port of its own; its address. It must answer to its name in the network of the containers."""
    port = str(free_port())
    others = {"0.0.0.0": "127.0.0.1", "5000": port, "/artifacts": str(folder / "artifacts")}
    words = [store if word.startswith("postgresql") else others.get(word, word) for word in service["command"]]
    hosts = service["environment"]["MLFLOW_SERVER_ALLOWED_HOSTS"].replace(":5000", f":{port}")
    environment = {**os.environ, **service["environment"], "MLFLOW_SERVER_ALLOWED_HOSTS": hosts}
    with logged([sys.executable, "-m", "mlflow", *words], folder / "mlflow.log", environment) as process:
        uri = f"http://127.0.0.1:{port}"
        give_up = time.monotonic() + WAIT
        while not answers(uri, f"mlflow:{port}"):
            assert process.poll() is None, (folder / "mlflow.log").read_text()[-2000:]
            assert time.monotonic() < give_up, "the MLflow server does not start"
            time.sleep(0.2)
        yield uri


def answers(uri: str, host: str) -> bool:
    """Whether the server takes a question that was asked under that name. Raises HTTPError where it refuses it."""
    question = urllib.request.Request(f"{uri}/api/2.0/mlflow/experiments/get-by-name?experiment_name=Default")
    question.add_header("Host", host)
    try:
        with urllib.request.urlopen(question, timeout=2) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError:
        raise
    except OSError:
        return False


@contextlib.contextmanager
def cluster(services: Mapping[str, Any], folder: Path, server: str) -> Iterator[str]:
    """The services `head` and `worker`, the latter as often as compose.yaml says; the head's address."""
    assert services["worker"]["deploy"]["replicas"] == N_WORKERS
    port = str(free_port())
    address = f"127.0.0.1:{port}"
    more = ["--node-ip-address", "127.0.0.1", "--object-store-memory", "80000000"]
    head = [port if word == "6379" else word for word in services["head"]["entrypoint"][1:]]
    worker = [address if word == "head:6379" else word for word in services["worker"]["entrypoint"][1:]]
    ray = str(Path(sys.executable).with_name("ray"))
    environment = {**os.environ, **environment_of(services["head"], server)}
    with contextlib.ExitStack() as stack:
        stack.enter_context(
            logged([ray, *head, *more, "--temp-dir", str(folder / "ray")], folder / "head.log", environment)
        )
        wait_for(folder / "head.log", "Ray runtime started")
        for number in range(N_WORKERS):
            log = folder / f"worker{number}.log"
            stack.enter_context(logged([ray, *worker, *more], log, environment))
            wait_for(log, "Ray runtime started")
        yield address


@contextlib.contextmanager
def logged(words: list[str], log: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A server that ends with the block."""
    with log.open("w") as file:
        process = start(words, stdout=file, stderr=file, env=dict(environment))
        try:
            yield process
        finally:
            stop(process)


def wait_for(log: Path, text: str) -> None:
    give_up = time.monotonic() + WAIT
    while text not in log.read_text(encoding="utf8", errors="replace"):
        assert time.monotonic() < give_up, log.read_text(encoding="utf8", errors="replace")[-2000:]
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
