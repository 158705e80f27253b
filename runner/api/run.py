"""`runner.train`: one training run, and its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.api.called import call
from runner.errors import RunnerError

if TYPE_CHECKING:
    import pandas

    from runner.components.pipeline import Pipeline
    from runner.config.schema import RunConfig


@dataclass(frozen=True)
class RunResult:
    """What a run left behind. All scores are shares from 0 to 1; None: not known, or nothing has gold for it.

    output_dir: the run's folder, absolute. status: FINISHED, FAILED, KILLED, or PRUNED by a search. score, scores, epoch:
    of model-best on the dev set. test: score and scores of model-best on the test set. seconds: of the whole run.
    run_id, tracking_uri: of its run in MLflow, and the store. page: the run's page, if the store is a server.
    """

    output_dir: Path
    status: str
    score: float | None = None
    scores: Mapping[str, float | None] = field(default_factory=dict)
    epoch: int | None = None
    test: Mapping[str, float | None] | None = None
    seconds: float | None = None
    overrides: tuple[str, ...] = ()
    run_id: str | None = None
    tracking_uri: str | None = None
    page: str | None = None
    error: str | None = None

    @classmethod
    def read(cls, folder: str | Path) -> RunResult:
        """The result of a run that ended earlier. Raises RunnerError if the folder holds none."""
        from runner.tracking.listed import overrides_of
        from runner.tracking.past_run import from_folder

        path = Path(folder).absolute()
        return cls._of(path, overrides_of(path, from_folder(path).tags))

    @classmethod
    def _of(cls, folder: Path, overrides: Sequence[str]) -> RunResult:
        from runner.launch.results import PRUNED, read_summary
        from runner.tracking.journal import FILE_NAME
        from runner.tracking.mlflow.status import read_status

        summary = read_summary(folder)
        best, test = summary.get("best") or {}, summary.get("test")
        status = read_status(folder / FILE_NAME) if summary.get("run_id") else None
        is_pruned = summary.get("pruned") and summary.get("status") == "FINISHED"
        return cls(
            output_dir=folder,
            status=PRUNED if is_pruned else str(summary.get("status", "KILLED")),
            score=best.get("score"),
            scores=_scores(best.get("scores")),
            epoch=best.get("epoch"),
            test=_scores({"score": test["score"], **test["scores"]}) if test else None,
            seconds=summary.get("seconds"),
            overrides=tuple(overrides),
            run_id=summary.get("run_id"),
            tracking_uri=status.uri if status is not None else None,
            page=_page(status.uri, status.experiment_id, status.run_id) if status is not None else None,
            error=summary.get("error"),
        )

    @property
    def model(self) -> Path | None:
        """The folder of the best model, model-best; None if no evaluation came."""
        from runner.tracking.past_run import BEST

        return self._if_there(BEST)

    @property
    def last_model(self) -> Path | None:
        """The folder of model-last, the model of the last evaluation."""
        from runner.tracking.past_run import LAST

        return self._if_there(LAST)

    @property
    def errors_page(self) -> Path | None:
        """errors.html: what model-best gets wrong on the dev set, what to mend first."""
        from runner.tracking.past_run import ERRORS

        return self._if_there(ERRORS)

    def load(self, **options: Any) -> Pipeline:
        """The trained pipeline, model-best. options: as for `runner.load`. Raises RunnerError if the run has no model."""
        import runner

        if self.model is None:
            hint = "It is written at the first evaluation; result.error tells why a run ended before."
            raise RunnerError("the run has kept no model", place=str(self.output_dir), hint=hint)
        return runner.load(self.model, **options)

    def history(self) -> pandas.DataFrame:
        """A row for each evaluation on the dev set: step, epoch, score, loss (per word, of the updates before it).

        Empty if the run kept no journal, as with tracking=none.
        """
        import pandas

        from runner.tracking.past_run import from_folder

        points = from_folder(self.output_dir).points
        return pandas.DataFrame(points, columns=["step", "epoch", "score", "loss"])

    def _if_there(self, name: str) -> Path | None:
        path = self.output_dir / name
        return path if path.exists() else None

    def __str__(self) -> str:
        return f"{self._title()}, {self.output_dir}"

    def _repr_html_(self) -> str:
        from runner.notebook.run import run_html

        return run_html(self._title(), self._rows(), self.scores, self.test)

    def _title(self) -> str:
        told = f"score {100 * self.score:.2f}, epoch {self.epoch}" if self.score is not None else "no score"
        return f"{self.status.lower()}, {told}"

    def _rows(self) -> list[tuple[str, str]]:
        """What the notebook's table tells beside scores."""
        where = self.page or self.tracking_uri
        rows = [
            ("overrides", " ".join(self.overrides)),
            ("folder", str(self.output_dir)),
            ("errors", str(self.errors_page or "")),
            ("MLflow", f"{self.run_id} in {where}" if self.run_id and where else self.run_id or ""),
            ("error", self.error or ""),
        ]
        return [row for row in rows if row[1]]


def train(overrides: Sequence[str] = (), *, config_dir: str | Path | None = None) -> RunResult:
    """Train as `python -m runner` with these words does: same config, same output folder, same bits.

        result = runner.train(["pipeline=ner", "corpus.train=train.jsonl", "corpus.dev=dev.jsonl"])
        print(result.score, result.load()("Maria Keller flew to Oslo.").ents)

    overrides: the words of the command line, KEY=VALUE; relative paths belong to the current folder. config_dir: a folder of
    configs of one's own, as --config-dir. The table is printed on stdout, in a notebook drawn below the cell.

    Raises RunnerError if the config or the data is wrong or the words stand for several runs, RunFailed if the run failed.
    An interrupt (KeyboardInterrupt) keeps the state: the same words and "resume=auto" go on.
    """
    from runner.commands import train as command

    folders: list[Path] = []
    words: list[list[str]] = []

    def run(config: RunConfig) -> None:
        words.append(list(config.overrides))
        folders.append(command.run(config))

    call("train", overrides, run, config_dir)
    if not folders:
        raise RunnerError("the words ask for no run", place="runner.train", hint="Give overrides only, KEY=VALUE.")
    return RunResult._of(folders[0], words[0])


def _scores(values: Mapping[str, Any] | None) -> dict[str, float | None]:
    """Scores alone, as numbers."""
    return {
        key: value
        for key, value in (values or {}).items()
        if value is None or (isinstance(value, int | float) and key not in _NO_SCORES)
    }


_NO_SCORES = {"speed", "excluded_entities"}


def _page(uri: str, experiment: str | None, run_id: str | None) -> str | None:
    """The address of the run's page on an MLflow server."""
    if not uri.startswith(("http://", "https://")) or experiment is None or run_id is None:
        return None
    return f"{uri.rstrip('/')}/#/experiments/{experiment}/runs/{run_id}"
