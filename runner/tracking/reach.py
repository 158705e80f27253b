"""Does anybody answer at a store's address? One short question, without MLflow.

Any answer will do, also one that refuses us: what is wrong with it, MLflow says better. Addresses without a host (a
SQLite file, a profile of Databricks) are not asked.
"""

from __future__ import annotations

import contextlib
import socket
from urllib.parse import urlparse

PATIENCE_SECONDS = 4.0
AWAY = (502, 503, 504)  # what a proxy says for a server that is not there
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

    address = urlparse(uri)
    netloc = address.netloc.rpartition("@")[2]  # no password is sent
    request = urllib.request.Request(f"{address.scheme}://{netloc}{address.path.rstrip('/')}/health")
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS):
            return True
    except urllib.error.HTTPError as error:
        return error.code not in AWAY
    except urllib.error.URLError as error:
        return isinstance(error.reason, ssl.SSLError)  # a certificate that only MLflow has been told of
    except (OSError, http.client.HTTPException, ValueError):
        return False


def unreachable(uri: str) -> str:
    """The fact, for an error."""
    return f"no MLflow server answers at {uri}" if uri.lower().startswith("http") else f"nobody answers at {uri}"
