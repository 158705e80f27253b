"""Read runs back from a store, and log a report beside them. MLflow is imported with the first question."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from runner.components.predictions import FILE_NAME as PREDICTIONS
from runner.errors import RunnerError
from runner.files import read_file
from runner.tracking.metric_names import (
    BATCH_LOSS,
    BATCH_WORDS,
    BEST_EPOCH,
    BEST_SCORE,
    BEST_STEP,
    EPOCH,
    PREDICTION_SPEED,
    SCORE,
    SECONDS,
    TRAIN_SPEED,
    TRAIN_WORDS,
    as_shown,
    old_name,
    scores_of,
    value_of,
)
from runner.tracking.mlflow.store import client_of, first_line
from runner.tracking.past_run import BEST, CONFIG, PastRun, points

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, LoggedModel, Run

PARENT = "mlflow.parentRunId"
WEIGHTS = {"model-best": "weights_sha256.model-best", "model-last": "weights_sha256.model-last"}  # tags
_FIGURES = {
    "train_words": TRAIN_WORDS,
    "seconds": SECONDS,
    "train_words_per_second": TRAIN_SPEED,
    "prediction_words_per_second": PREDICTION_SPEED,
}
_BEST = {"score": BEST_SCORE, "epoch": BEST_EPOCH, "step": BEST_STEP}

_MOST_EXPERIMENTS = 500  # in one question


class Store:
    """An MLflow store, opened to read runs that were tracked by runner.

    uri: None for MLFLOW_TRACKING_URI, else for mlflow.db in the current folder. Raises RunnerError where there is none.
    Files that are fetched lie in a temporary folder, which goes away with `close`.
    """

    def __init__(self, uri: str | None = None) -> None:
        self.client, self.uri = client_of(uri)
        self._files = tempfile.TemporaryDirectory(prefix="runner-runs-")

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._files.cleanup()

    def read(self, run_id: str) -> PastRun:
        """Everything that the store knows of a run. Raises RunnerError where there is no such run."""
        with self._explained(run_id):
            run = self.client.get_run(run_id)
            info, metrics = run.info, run.data.metrics
            model = self._best_model(run)
            at_best = {metric.key: metric.value for metric in (model.metrics or [])} if model is not None else {}
            scored, epochs = self._history(run_id, SCORE), self._history(run_id, EPOCH)
            losses, words = (self._history(run_id, key) if scored else {} for key in (BATCH_LOSS, BATCH_WORDS))
            experiment = self.client.get_experiment(info.experiment_id)
        evaluations = [(step, epochs.get(step, 0.0), score) for step, score in scored.items()]
        last = max(evaluations, default=None)
        config = self.artifact(run_id, CONFIG)
        return PastRun(
            place=run_id,
            name=str(info.run_name or run_id),
            status=str(info.status),
            run_id=run_id,
            uri=self.uri,
            experiment=str(experiment.name),
            params=dict(run.data.params),
            config=yaml.safe_load(read_file(config)) if config is not None else None,
            tags=dict(run.data.tags),
            datasets=[_dataset(one) for one in (run.inputs.dataset_inputs if run.inputs is not None else [])],
            points=points(evaluations, [(step, loss, words.get(step, 0.0)) for step, loss in losses.items()]),
            best=_known(metrics, _BEST),
            scores=scores_of(at_best),
            final={"step": last[0], "epoch": last[1], "score": last[2]} if last is not None else {},
            figures=_known(metrics, _FIGURES),
            weights={name: run.data.tags[tag] for name, tag in WEIGHTS.items() if tag in run.data.tags},
            predictions=self.artifact(run_id, PREDICTIONS),
        )

    def children(self, run_id: str) -> list[str]:
        """Ids of the trained runs below a multirun's own run, by start time; runs that sum up repeats are left out."""
        with self._explained(run_id):
            experiment = self.client.get_run(run_id).info.experiment_id
            runs = self.client.search_runs(
                [experiment], f"tags.`{PARENT}` = '{run_id}'", order_by=["attributes.start_time ASC"]
            )
        return [run.info.run_id for run in runs if "data_digest" in run.data.tags]

    def trained(self) -> list[Run]:
        """Every run that trained something, of all experiments, the latest first. Raises RunnerError."""
        runs: list[Run] = []
        with self._explained(self.uri):
            experiments = [one.experiment_id for one in self.client.search_experiments()]
            for start in range(0, len(experiments), _MOST_EXPERIMENTS):
                token: str | None = ""
                while token is not None:
                    page = self.client.search_runs(
                        experiments[start : start + _MOST_EXPERIMENTS], max_results=1000, page_token=token or None
                    )
                    runs += [run for run in page if "data_digest" in run.data.tags]
                    token = page.token or None
        return sorted(runs, key=lambda run: run.info.start_time or 0, reverse=True)

    def artifact(self, run_id: str, name: str) -> Path | None:
        """Fetch a file of the run; None if the run has no file of that name."""
        with self._explained(run_id):
            if not any(file.path == name for file in self.client.list_artifacts(run_id)):
                return None
            folder = Path(self._files.name) / run_id
            folder.mkdir(exist_ok=True)
            return Path(self.client.download_artifacts(run_id, name, str(folder)))

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Raises RunnerError where the store refuses."""
        with self._explained(run_id):
            for key, value in tags.items():
                self.client.set_tag(run_id, key, value)

    def log_scores(
        self, run_id: str, model: str, values: Mapping[str, float], datasets: Sequence[Mapping[str, Any]]
    ) -> str | None:
        """Log scores of a run's logged model as test/… metrics of the run and of the model. Returns the model's id.

        model: its id, or its name in the run. datasets: the files that were scored, see entities.dataset_input; a metric
        names the first. The id is None, and the run alone has the metrics, if it has no such model. Raises RunnerError.
        """
        from mlflow.entities import Metric

        from runner.tracking.mlflow.entities import dataset_input
        from runner.tracking.mlflow.limits import clean_name

        with self._explained(run_id):
            run = self.client.get_run(run_id)
            outputs = {output.model_id: output for output in (run.outputs.model_outputs if run.outputs else ())}
            named = [id for id in outputs if model in (id, self.client.get_logged_model(id).name)]
            model_id = named[0] if named else None
            inputs = [dataset_input(one) for one in datasets]
            self.client.log_inputs(run_id, datasets=inputs)
            about = {"dataset_name": inputs[0].dataset.name, "dataset_digest": inputs[0].dataset.digest}
            if model_id is not None:
                about["model_id"] = model_id
            step, now = outputs[model_id].step if model_id is not None else 0, int(1000 * time.time())
            metrics = [
                Metric(clean_name(f"test/{key}"), as_shown("test/", float(value)), now, step, run_id=run_id, **about)
                for key, value in values.items()
            ]
            self.client.log_batch(run_id, metrics=metrics)
        return model_id

    def log_report(self, experiment: str, name: str, files: Sequence[Path], tags: Mapping[str, str], note: str) -> str:
        """Log files about other runs of the experiment as a run of its own; return its id. Raises RunnerError."""
        with self._explained(experiment):
            known = self.client.get_experiment_by_name(experiment)
            if known is None:
                raise LookupError("there is no such experiment")
            all_tags = {**tags, "mlflow.note.content": note, "mlflow.source.name": "runner"}
            run_id = str(self.client.create_run(known.experiment_id, run_name=name, tags=all_tags).info.run_id)
            try:
                for path in files:
                    self.client.log_artifact(run_id, str(path))
            except BaseException:
                self.client.set_terminated(run_id, status="FAILED")
                raise
            self.client.set_terminated(run_id, status="FINISHED")
        return run_id

    def _history(self, run_id: str, name: str) -> dict[int, float]:
        """Step → value of a metric; of the one that an older version has written, if the run has none of this name."""
        history = self.client.get_metric_history(run_id, name) or self.client.get_metric_history(run_id, old_name(name))
        return {one.step: one.value for one in history}

    def _best_model(self, run: Run) -> LoggedModel | None:
        """The logged model called model-best; None where there is none."""
        for output in run.outputs.model_outputs if run.outputs is not None else []:
            model = self.client.get_logged_model(output.model_id)
            if model.name == BEST:
                return model
        return None

    @contextmanager
    def _explained(self, place: str) -> Iterator[None]:
        """Turn errors of MLflow into errors for the user."""
        from mlflow.exceptions import MlflowException

        try:
            yield
        except MlflowException as error:
            hint = f"The store asked was {self.uri}; --tracking-uri or MLFLOW_TRACKING_URI name another."
            is_no_id = error.error_code == "INVALID_PARAMETER_VALUE" and "run_id" in str(error)
            if is_no_id or error.error_code == "RESOURCE_DOES_NOT_EXIST" or "not found" in str(error):
                raise RunnerError("there is no such run", place=place, hint=hint) from None
            raise RunnerError(first_line(error), place=place, hint=hint) from error
        except (OSError, LookupError) as error:
            raise RunnerError(first_line(error), place=place, hint=f"The store asked was {self.uri}.") from error


def _known(metrics: Mapping[str, float], names: Mapping[str, str]) -> dict[str, float]:
    """The numbers that the run has. names: key of the answer → name of the metric."""
    values = {key: value_of(metrics, name) for key, name in names.items()}
    return {key: value for key, value in values.items() if value is not None}


def _dataset(one: DatasetInput) -> dict[str, str]:
    """Name, split, source and digest of a data set that entities.dataset_input has made."""
    split = next((tag.value for tag in one.tags if tag.key == "mlflow.data.context"), "")
    try:
        source = json.loads(one.dataset.source)
    except ValueError:
        source = {}
    return {
        "name": one.dataset.name.removesuffix(f"-{split}"),
        "split": split,
        "source": str(source.get("uri", "")),
        "digest": str(source.get("sha256", one.dataset.digest)),
    }
