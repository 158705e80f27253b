"""Clients ask `mlflow models serve` for right and wrong things at once: is any answer wrong, a 5xx, or no answer at all?

python -m tests.stress.serving --requests 10000 --clients 8 --env-manager local

A pipeline of all components is trained on the bundled corpus, logged and served on loopback. `--env-manager virtualenv`, which
is MLflow's default, has it make an environment first: that takes the network, pyenv and minutes. Right is what runner.load
predicts for the same texts, to the last digit; what is wrong must be a 4xx with a reason.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import runner
from runner.components.records import record_of
from runner.corpus.doc import Doc
from tests.stress import servers
from tests.stress.threads import sample

TRAINING = (
    "pipeline=full", "training.max_epochs=2", "corpus.score_test=false", "output_dir=run", "dropout=constant",
    "+pipeline.components.textcat={type: textcat, tok2vec: null, architecture: {type: bag_of_ngrams, rows: 4096}}",
    "+pipeline.score_weights.cats_score=0.5",
)  # fmt: skip
JSON, CSV = "application/json", "text/csv"
HUGE = 1_000_001  # characters: one more than the model takes


@dataclass(frozen=True)
class Request:
    """A request of a kind. answer: what must come back; None: a 4xx with a reason."""

    kind: str
    body: bytes
    content_type: str = JSON
    answer: Any = None


@dataclass
class Tally:
    """What came back, by kind of request."""

    codes: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    lost: list[str] = field(default_factory=list)  # requests without an answer
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, request: Request, code: int, seconds: float, wrong: str | None) -> None:
        with self.lock:
            self.codes[request.kind][code] += 1
            self.seconds[request.kind].append(seconds)
            if wrong is not None:
                self.wrong[request.kind].append(wrong)


def train(folder: Path) -> tuple[str, Path]:
    """A tracked run in a folder: the address of its model-best for MLflow, and its model folder."""
    uri = f"sqlite:///{folder}/mlflow.db"
    command = [sys.executable, "-m", "runner", *TRAINING, f"tracking.uri={uri}"]
    environment = {**os.environ, "PYTHONPATH": str(Path(runner.__file__).parent.parent)}
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    from mlflow import MlflowClient

    run_id = json.loads((folder / "run" / "summary.json").read_text())["run_id"]
    client = MlflowClient(tracking_uri=uri)
    models = [client.get_logged_model(output.model_id) for output in client.get_run(run_id).outputs.model_outputs]
    best = next(model for model in models if model.name == "model-best")
    return best.artifact_location.removeprefix("file://"), folder / "run" / "model-best"


@contextlib.contextmanager
def served(model: str, env_manager: str, folder: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """`mlflow models serve` on a free port, once it answers."""
    port = servers.free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", model, "-p", str(port), "--host", "127.0.0.1"]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, "MLFLOW_DISABLE_TELEMETRY": "true", "OPENBLAS_NUM_THREADS": "1"}
    with (folder / "server.log").open("w") as log:
        server = servers.start(
            [*command, "--env-manager", env_manager], stdout=log, stderr=log, cwd=folder, env=environment
        )
    try:
        give_up = time.monotonic() + (servers.WAIT if env_manager == "local" else 1800)
        while not is_up(port):
            if server.poll() is not None or time.monotonic() > give_up:
                raise SystemExit("the server did not start:\n" + (folder / "server.log").read_text()[-3000:])
            time.sleep(0.2)
        yield port, server
    finally:
        servers.stop(server)


def is_up(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def requests(model: Path, n: int, seed: int) -> list[Request]:
    """Requests of every kind in random order; eight in ten are right."""
    dice = random.Random(seed)
    texts = [Doc(record["words"], record["spaces"]).text for record in sample()]
    nlp = runner.load(model)
    plain = dict(zip(texts, (record_of(nlp, doc) for doc in nlp.pipe(texts)), strict=True))
    sure = dict(zip(texts, (record_of(nlp, doc) for doc in nlp.pipe(texts, confidence=True)), strict=True))
    long = " ".join(dice.choices(texts, k=200))
    plain[long] = record_of(nlp, nlp(long, confidence=False))
    plain[""] = record_of(nlp, nlp("", confidence=False))
    wrong = wrong_requests()
    return [
        dice.choice(wrong) if dice.random() < 0.2 else right_request(dice, texts, long, plain, sure) for _ in range(n)
    ]


def right_request(
    dice: random.Random, texts: Sequence[str], long: str, plain: dict[str, Any], sure: dict[str, Any]
) -> Request:
    some = dice.choices(texts, k=dice.randint(1, 5))
    answer = [plain[text] for text in some]
    rows = [[text] for text in some]
    kind = dice.choice(("list", "list", "text", "split", "records", "instances", "confidence", "empty text", "long"))
    if kind == "long" and dice.random() < 0.9:
        kind = "list"
    bodies: dict[str, tuple[dict[str, Any], Any]] = {
        "list": ({"inputs": some}, answer),
        "text": ({"inputs": some[0]}, answer[:1]),
        "split": ({"dataframe_split": {"columns": ["text"], "data": rows}}, answer),
        "records": ({"dataframe_records": [{"text": text} for text in some]}, answer),
        "instances": ({"instances": [{"text": text} for text in some]}, answer),
        "confidence": ({"inputs": some, "params": {"confidence": True}}, [sure[text] for text in some]),
        "empty text": ({"inputs": ["", some[0]]}, [plain[""], answer[0]]),
        "long": ({"inputs": long}, [plain[long]]),
    }
    body, expected = bodies[kind]
    return Request(kind, json.dumps(body).encode("utf8"), answer=expected)


def wrong_requests() -> list[Request]:
    """Requests that no model can answer, by kind."""
    table = {"columns": ["text"], "data": [["Ada"]]}
    objects: dict[str, list[Any]] = {
        "null": [{"inputs": None}, {"inputs": [None]}, {"dataframe_split": {**table, "data": [["Ada"], [None]]}}],
        "nothing": [{}, {"inputs": []}, {"dataframe_records": []}, {"dataframe_split": {**table, "data": []}}],
        "numbers": [{"inputs": [1, 2.5]}, {"inputs": 7}, {"dataframe_split": {**table, "data": [[3], [True]]}}],
        "foreign columns": [
            {"dataframe_split": {"columns": ["review"], "data": [["Ada"]]}},
            {"dataframe_records": [{"id": 3, "body": "Ada"}]},
            {"instances": [{"content": "Ada"}]},
        ],
        "foreign keys": [{"texts": ["Ada"]}, {"messages": [{"role": "user", "content": "Ada"}]}, {"inputs": {"a": 1}}],
        "parameters": [{"inputs": ["Ada"], "params": {"confidence": "yes"}}, {"inputs": ["Ada"], "params": [1]}],
        "huge": [{"inputs": ["a " * (HUGE // 2 + 1)]}, {"dataframe_split": {**table, "data": [["a" * HUGE]]}}],
    }
    raw = {
        "not JSON": [b"", b"nope", b'{"inputs": ["Ada"', b"\xff\xfe\x00", b"[1, 2]", b"null"],
    }
    made = [Request(kind, json.dumps(body).encode()) for kind, bodies in objects.items() for body in bodies]
    made += [Request(kind, body) for kind, bodies in raw.items() for body in bodies]
    made += [Request("not CSV", b"", CSV), Request("other content", b"<a/>", "text/xml")]
    return made


def ask(port: int, mine: Sequence[Request], tally: Tally) -> None:
    """One client: its requests one after the other, over one connection as long as that holds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    for request in mine:
        began = time.perf_counter()
        try:
            connection.request("POST", "/invocations", request.body, {"Content-Type": request.content_type})
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            with tally.lock:
                tally.lost.append(f"{request.kind}: {type(error).__name__}: {error}")
            connection.close()
            continue
        tally.add(request, response.status, time.perf_counter() - began, fault(request, response.status, content))
    connection.close()


def fault(request: Request, code: int, content: bytes) -> str | None:
    """What is wrong with an answer; None if it is right."""
    text = content.decode("utf8", "replace")
    if request.answer is not None:
        if code != 200:
            return f"{code}: {text[:200]}"
        return None if json.loads(text) == {"predictions": request.answer} else f"another answer: {text[:200]}"
    if not 400 <= code < 500:
        return f"{code} for {request.body[:80]!r}: {text[:200]}"
    return None if len(text) > 20 else f"no reason: {text!r}"


def percentile(seconds: Sequence[float], share: float) -> float:
    return sorted(seconds)[min(len(seconds) - 1, int(share * len(seconds)))]


def report(tally: Tally, seconds: float) -> None:
    print(f"{'request':<16} {'n':>6}  {'p50 ms':>7} {'p99 ms':>7}  {'wrong':>5}  codes")
    for kind in sorted(tally.codes, key=lambda kind: -tally.codes[kind].total()):
        report_row(kind, tally.seconds[kind], len(tally.wrong[kind]), tally.codes[kind])
    every = [second for some in tally.seconds.values() for second in some]
    codes = sum(tally.codes.values(), Counter())
    report_row("all", every, sum(map(len, tally.wrong.values())), codes)
    print(f"{len(every) / seconds:.0f} requests a second; {len(tally.lost)} without an answer")
    for line in [f"wrong ({kind}): {text}" for kind, texts in tally.wrong.items() for text in texts[:3]]:
        print(line)
    for line in tally.lost[:5]:
        print(f"without an answer: {line}")


def report_row(name: str, seconds: Sequence[float], n_wrong: int, codes: Counter[int]) -> None:
    p50, p99 = (1000 * percentile(seconds, share) for share in (0.5, 0.99))
    listing = ", ".join(f"{code}: {n:,}" for code, n in sorted(codes.items()))
    print(f"{name:<16} {len(seconds):>6,}  {p50:>7.1f} {p99:>7.1f}  {n_wrong:>5}  {listing}")


def run(n: int, n_clients: int, env_manager: str, seed: int) -> int:
    """Exit code 1 if an answer was wrong or missing, or the server ended."""
    tally = Tally()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        address, model = train(folder)
        planned = requests(model, n, seed)
        began = time.perf_counter()
        with served(address, env_manager, folder) as (port, server):
            print(f"up after {time.perf_counter() - began:.1f} s ({env_manager})", flush=True)
            began = time.perf_counter()
            clients = [
                threading.Thread(target=ask, args=(port, planned[i::n_clients], tally)) for i in range(n_clients)
            ]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
            seconds = time.perf_counter() - began
            has_ended = server.poll() is not None or not is_up(port)
    report(tally, seconds)
    if has_ended:
        print("the server has ended")
    return int(has_ended or bool(tally.lost) or any(tally.wrong.values()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--env-manager", default="local", choices=("local", "virtualenv", "uv", "conda"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    return run(options.requests, options.clients, options.env_manager, options.seed)


if __name__ == "__main__":
    sys.exit(main())
