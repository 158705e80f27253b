"""What an error of MLflow means: the store is busy, nobody answers, or the store is of no use. Imports no MLflow."""

from __future__ import annotations

from runner.secrets import masked
from runner.tracking.mlflow.reach import unreachable

BUSY = ("database is locked", "already exists", "duplicate column name", "too many 500 error responses")
NOBODY = (
    "Max retries exceeded", "Connection refused", "Connection aborted", "Connection reset", "Remote end closed",
    "NameResolution", "timed out", "timeout exception", "IncompleteRead", "OperationalError",
    *(f"{word} {code}" for code in (429, 502, 503, 504) for word in ("too many", "error code", "HTTP")),
)  # fmt: skip


def is_locked(error: Exception) -> bool:
    """Whether SQLite was busy with another process, or that process was just making the tables."""
    return any(sign in str(error) for sign in BUSY)


def is_outage(error: Exception) -> bool:
    """Whether the error says that nobody answers just now."""
    text = str(error)
    if isinstance(error, FileNotFoundError) or any(sign in text for sign in (*BUSY, "SSLError", "sqlite3.")):
        return False
    return isinstance(error, ConnectionError) or any(sign in text for sign in NOBODY)


def explained(error: Exception, uri: str) -> tuple[str, str | None]:
    """An error as fact and next move."""
    text, uri = str(error), masked(uri)
    if is_outage(error):
        return unreachable(uri), None
    if "too many 500 error responses" in text:
        return f"the MLflow server at {uri} fails (internal error 500)", "Its own log says why."
    if "Detected out-of-date database schema" in text:
        return "the MLflow store was made by an older MLflow", f"Take a copy, then: mlflow db upgrade {uri}"
    if isinstance(error, ImportError):
        return f"the store needs a library that is not installed: {first_line(error)}", None
    return first_line(error), None


def first_line(error: BaseException) -> str:
    return (masked(str(error)).strip().splitlines() or [type(error).__name__])[0][:300]
