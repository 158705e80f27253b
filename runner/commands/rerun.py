"""`python -m runner rerun RUN`: repeat a run, and say whether its bits are the same."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from runner.commands.flags import FlagParser
from runner.errors import RunnerError

if TYPE_CHECKING:
    from runner.corpus.datasets import Corpus
    from runner.tracking.past_run import PastRun

HELP = """\
Repeat a run: the same settings, data and code, as a new run in MLflow (tag
rerun_of); then say whether its weights are the same bits.

  python -m runner rerun 3f2a…           a run's id in MLflow, or its folder
  python -m runner rerun 3f2a… seed=1    with another value; told what changes
  python -m runner rerun 3f2a… --force   though data or code have changed

The settings are those that the run has kept (config.yaml). Today's conf/ does
not count, and the environment only for texts that came from it
(${oc.env:NAME}). A password that was given in the clear must be given again.

A repetition is refused if the data have changed (checksums of the files, and
how they were cut), or the code (the package's source, the files in `code`,
numpy, thinc). Packages that register entries are not looked at. Equal bits are
promised on the same kernel alone (BLAS, processor; the run's tag `kernel`);
another kernel is told.
Exit codes: 0 the same bits, or no repetition was asked for (another value,
--force); 1 other bits, or the run failed; 2 refused, or config or data wrong;
130 or 143 interrupted."""


def make_parser() -> argparse.ArgumentParser:
    """The flags of the command."""
    parser = FlagParser(prog="python -m runner rerun", description=HELP)
    parser.add_argument("run", metavar="RUN", help="an MLflow run id, or the folder of a run")
    parser.add_argument("overrides", metavar="KEY=VALUE", nargs="*", help="values in place of the recorded ones")
    parser.add_argument("--force", action="store_true", help="run although data or code differ")
    parser.add_argument(
        "--tracking-uri", metavar="URI", help="the store (default: MLFLOW_TRACKING_URI, else mlflow.db in this folder)"
    )
    return parser


def main(words: Sequence[str]) -> int:
    """Run `rerun` with these words of the command line; the exit code."""
    try:
        options = make_parser().parse_intermixed_args(list(words))
    except SystemExit as ended:  # --help
        return int(ended.code or 0)
    except RunnerError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    from runner.launch.program import run_alone

    return run_alone(lambda: rerun(options.run, options.overrides, options.tracking_uri, is_forced=options.force))


def rerun(name: str, overrides: Sequence[str], uri: str | None, *, is_forced: bool) -> int:
    """Repeat a run. Returns the exit code: 1 if a true repetition has other bits, else 0. Raises RunnerError."""
    from runner.commands import train
    from runner.commands.compare import PastRuns
    from runner.compare import reproduction as repetition
    from runner.config.recorded import recorded_config
    from runner.model.kernel import kernel
    from runner.tracking.past_run import from_folder
    from runner.tracking.provenance import provenance_tags

    with ExitStack() as stack:
        past = PastRuns(uri, stack).read(name)
    if past.config is None:
        raise RunnerError(
            "the run has kept no config.yaml", place=name, hint="It ended too early; give its command again."
        )
    given = past.tags.get("overrides", "").split()
    before = recorded_config(past.config, (), given, is_to_run=False)
    where = [f"tracking.uri={uri}"] if uri and before.resolved["tracking"]["type"] == "mlflow" else []
    if before.resolved["tracking"].get("register") is not None:  # a copy of a model is no new version of it
        where += ["tracking.register=null", "tracking.alias=null"]
    config = recorded_config(past.config, [*where, *overrides], given)
    reasons = repetition.setting_differences(before, config)
    code = repetition.code_differences(past, config, provenance_tags(Path.cwd()))
    if code and not is_forced:
        raise repetition.refusal(past, "code", code)
    is_other_corpus = before.kept["corpus"] != config.kept["corpus"]

    def check(corpus: Corpus) -> None:
        data = [] if is_other_corpus else repetition.data_differences(past, corpus.digest, corpus.sources)
        if data and not is_forced:
            raise repetition.refusal(past, "data", data)
        reasons.extend([*code, *data])
        for reason in reasons:
            print(f"not as it was: {reason}")
        if kernels := repetition.kernel_difference(past, kernel(config.compute.ops)):
            print(f"not as it was: the kernel ({kernels}); the bits may differ for it")

    train.run(config, check=check, tags={"rerun_of": past.run_id or past.place})
    again = from_folder(config.output_dir)
    if not reasons and past.final and again.final and past.final["step"] != again.final["step"]:
        reasons.append(
            f"the first run ended at step {past.final['step']:,.0f}, before its time"
        )  # pruned, or interrupted
    verdict = repetition.verdict(past, again, reasons)
    print("\n".join(verdict.lines))
    _tag(again, config.tracking.get("uri"), is_same=verdict.is_same)
    return 1 if verdict.is_same is False and not reasons else 0


def _tag(again: PastRun, uri: str | None, *, is_same: bool | None) -> None:
    """Tag the new run in MLflow with the verdict. A failure is only told: the new run itself is finished."""
    if again.run_id is None or again.uri is None or is_same is None:
        return
    from runner.tracking.mlflow.runs import Store

    try:
        with Store(uri) as store:
            store.set_tags(again.run_id, {"same_bits": str(is_same).lower()})
    except RunnerError as error:
        print(f"not told to MLflow: {error}", file=sys.stderr)
