"""Does anybody answer at a store's address, and does the store take runs of an experiment? Asked without MLflow.

Any answer will do, also a refusal: MLflow explains refusals better. Addresses without a host (a
SQLite file, a profile of Databricks) are not asked.
"""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from urllib.parse import quote, urlparse

from runner.secrets import masked
from runner.tracking.mlflow.store import sqlite_path

PATIENCE_SECONDS = 4.0
AWAY = (502, 503, 504)  # status codes of a proxy whose server is not there
_LONGEST_ANSWER = 1 << 20  # bytes
PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


def can_ask(uri: str) -> bool:
    """Whether the address names a host of the network."""
    with contextlib.suppress(ValueError):
        address = urlparse(uri)
        return address.scheme.split("+")[0] in ("http", "https", *PORTS) and bool(address.hostname)
    return False


def answers(uri: str) -> bool:
    """Whether somebody answers; True where nobody can be asked.

    >>> answers("sqlite:////tmp/runs.db"), answers("http://127.0.0.1:1")
    (True, False)
    """
    if not can_ask(uri):
        return True
    if uri.lower().startswith(("http://", "https://")):
        return _web_answers(uri)
    address = urlparse(uri)
    assert address.hostname is not None
    try:
        port = address.port or PORTS.get(address.scheme.split("+")[0])
        if port is not None:
            socket.create_connection((address.hostname, port), PATIENCE_SECONDS).close()
    except (OSError, ValueError):
        return False
    return True


def _web_answers(uri: str) -> bool:
    import http.client
    import ssl
    import urllib.error
    import urllib.request

    request = urllib.request.Request(f"{without_password(uri)}/health")
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS):
            return True
    except urllib.error.HTTPError as error:
        return error.code not in AWAY
    except urllib.error.URLError as error:
        return isinstance(error.reason, ssl.SSLError)  # a certificate that only MLflow has been told of
    except (OSError, http.client.HTTPException, ValueError):
        return False


def deleted_experiment(uri: str, name: str) -> str | None:
    """The id of the experiment of that name where the store holds it as deleted: it takes no runs then.

    None where it takes them, where there is none yet (a run makes it), and where the store cannot be asked without
    MLflow (other databases, a server that wants a password): there the first contact tells.
    """
    scheme = urlparse(uri).scheme.lower().split("+")[0]
    path = sqlite_path(uri)
    if path is not None:
        return _deleted_in_sqlite(path, name)
    return _deleted_on_server(uri, name) if scheme in ("http", "https") else None


def _deleted_in_sqlite(path: Path, name: str) -> str | None:
    import sqlite3

    if not path.is_file():
        return None
    query = "select experiment_id from experiments where name = ? and lifecycle_stage = 'deleted'"
    with contextlib.suppress(sqlite3.Error):  # not MLflow's, or locked: the first contact tells
        with contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", 1.0, uri=True)) as connection:
            row = connection.execute(query, (name,)).fetchone()
        return str(row[0]) if row else None
    return None


def _deleted_on_server(uri: str, name: str) -> str | None:
    import http.client
    import json
    import urllib.request

    question = f"{without_password(uri)}/api/2.0/mlflow/experiments/get-by-name?experiment_name={quote(name, safe='')}"
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError, LookupError, TypeError, AttributeError):
        with urllib.request.urlopen(question, timeout=PATIENCE_SECONDS) as answer:
            experiment = json.loads(answer.read(_LONGEST_ANSWER))["experiment"]
        if experiment["lifecycle_stage"] == "deleted":
            return str(experiment["experiment_id"])
    return None


def without_password(uri: str) -> str:
    """A web address without user and password, for messages and for questions to a server that is not known yet.

    >>> without_password("http://me:secret@127.0.0.1:5000/mlflow/")
    'http://127.0.0.1:5000/mlflow'
    """
    address = urlparse(uri)
    return f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path.rstrip('/')}"


def unreachable(uri: str) -> str:
    """The fact of an error about a store that nobody answers for."""
    shown = masked(uri)
    return f"no MLflow server answers at {shown}" if uri.lower().startswith("http") else f"nobody answers at {shown}"
