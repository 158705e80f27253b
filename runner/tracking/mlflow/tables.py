"""`RunTables`: the tables and curves of a run that grow with its evaluations, as artifacts of the run in MLflow."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from mlflow import MlflowClient

from runner.tracking.mlflow.curves import FILE as CURVES
from runner.tracking.mlflow.curves import Curves
from runner.tracking.mlflow.view import weighed_scores

TABLE_SECONDS = 15.0  # between two uploads of the growing tables
_TABLE_FILE = "per_type_scores.json"


class RunTables:
    """The console's table, and the scores by type of the best and the last evaluation."""

    def __init__(self) -> None:
        self.lines: list[str] = []  # of the console's table
        self._rows: dict[str, list[dict[str, Any]]] = {}  # "best", "last" → rows of the scores by type
        self._curves = Curves()
        self._is_new = False
        self._sent = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether there is something new, and the last upload is long enough ago."""
        return self._is_new and time.monotonic() - self._sent > TABLE_SECONDS

    def begin(self, start: Mapping[str, Any]) -> None:
        """Take the table's head from the journal's first event."""
        self.lines = list(start.get("table", []))
        self._curves.begin(weighed_scores(start))

    @property
    def best_rows(self) -> list[dict[str, Any]]:
        """The scores by type of the best evaluation."""
        return self._rows.get("best", [])

    def add_step(self, event: Mapping[str, Any]) -> None:
        """Take in an event with the metrics of an update."""
        self._curves.add_step(event)

    def add(self, evaluation: Mapping[str, Any]) -> None:
        """Take in an event of the journal."""
        self.lines.append(evaluation["table"])
        self._curves.add(evaluation)
        self._rows["last"] = evaluation["per_type"]
        if evaluation["best"] is not None:
            self._rows["best"] = evaluation["best"]["per_type"]
        self._is_new = True

    def send(self, client: MlflowClient, run_id: str) -> None:
        """Upload what is new."""
        if not self._is_new:
            return
        client.log_text(run_id, "\n".join(self.lines) + "\n", "table.txt")
        rows = [{"model": f"model-{name}", **row} for name in ("best", "last") for row in self._rows.get(name, ())]
        if rows:
            # What client.log_table writes, which appends where the file is there already.
            columns = sorted({key: None for row in rows for key in row}, key=lambda key: key == "step")
            data = [[_rounded(row.get(column)) for column in columns] for row in rows]
            client.log_dict(run_id, {"columns": columns, "data": data}, _TABLE_FILE)
            tag = json.dumps([{"path": _TABLE_FILE, "type": "table"}])
            client.set_tag(run_id, "mlflow.loggedArtifacts", tag)
        if picture := self._curves.picture():
            client.log_text(run_id, picture, CURVES)
        self._sent = time.monotonic()
        self._is_new = False


def _rounded(value: Any) -> Any:
    """A score as a table shows it: whole numbers stay, others have four digits after the point."""
    if not isinstance(value, float):
        return value
    return int(value) if value.is_integer() and value > 1 else round(value, 4)
