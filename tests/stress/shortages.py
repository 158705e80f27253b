"""Take disk, permission or memory away from real trainings: an error in a few lines, whole files, and the same bits later.

    python -m tests.stress.shortages                     all of it; root mounts small file systems for it
    python -m tests.stress.shortages model memory        some of it

The shortage begins at a chosen step, in a schedule that the run's own `code=` brings. The suite does what needs no mount
(tests/commands/test_shortages.py).
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import runner
from runner.tracking.journal import read_journal
from runner.training import checkpoint
from runner.training.keeper import FOLDER, checkpoints
from tests.commands.test_resume import TINY, history, result

CODE = """
import os, resource
from runner import registry

eaten = []

def strike(kind, place="", left="0"):
    if kind == "disk":  # leave so many bytes
        with open(f"{place}/filler", "wb", buffering=0) as file:
            room = lambda: os.statvfs(place).f_bavail * os.statvfs(place).f_frsize - int(left)
            try:
                while room() > 0:
                    file.write(bytes(min(room(), 1 << 16)))
            except OSError:
                pass
    elif kind == "file":  # no file may become larger
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(place), int(place)))
    elif kind == "memory":  # no more than there is now, and of that only pieces below so many bytes
        limit = int(open("/proc/self/statm").read().split()[0]) * 4096
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        try:
            while True:
                eaten.append(bytearray(int(place)))
        except MemoryError:
            pass

@registry.schedules("shortage")
def shortage(value: float, at: int) -> registry.Schedule:
    def schedule(step):
        if step == at and "SHORTAGE" in os.environ:
            strike(*os.environ.pop("SHORTAGE").split(":"))
        return value
    return schedule
"""
STEP = 14  # of 36, in the second of three epochs of 12: there is a model, and checkpoints of steps 5 and 10


def words(folder: Path, *more: str) -> list[str]:
    """The training that all have in common."""
    code = folder / "shortage.py"
    code.write_text(CODE)
    return [
        *TINY, "pipeline=ner", f"code=[{code}]", f"optimizer.learn_rate={{type: shortage, value: 0.01, at: {STEP}}}",
        "training.checkpoint_seconds=0", "batch=words", "batch.size=40", *more,
    ]  # fmt: skip


def train(folder: Path, *more: str, shortage: str | None = None, before: tuple[str, ...] = ()) -> tuple[int, str]:
    """Exit code and stderr of a run. before: words in front of the command."""
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(Path(runner.__file__).parents[1])}
    env |= {"SHORTAGE": shortage} if shortage else {}
    command = [*before, sys.executable, "-m", "runner", *words(folder, *more)]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def check_error(code: int, stderr: str, *said: str, exit_code: int = 1) -> None:
    """That it was told shortly: no traceback, and the words that matter."""
    assert code == exit_code, (code, stderr)
    assert "Traceback" not in stderr, stderr
    assert len(stderr.splitlines()) <= 5, stderr
    for one in said:
        assert one in stderr, (one, stderr)


def check_kept(output_dir: Path) -> None:
    """That the models and the checkpoints from before are whole, and nothing half-written lies about."""
    for name in ("model-best", "model-last"):
        runner.load(output_dir / name)
    kept = checkpoints(output_dir / FOLDER)
    assert kept, "there is no checkpoint"
    for _, path in kept:
        checkpoint.load(path)
    assert not list(output_dir.rglob(".*.tmp")), "something half-written is left"


@contextlib.contextmanager
def small_disk(megabytes: int = 8) -> Iterator[Path]:
    """A file system of its own. Raises PermissionError where it may not be mounted."""
    place = Path(tempfile.mkdtemp())
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "shortage", str(place)], capture_output=True, check=False
    )
    if done.returncode:
        place.rmdir()
        raise PermissionError(done.stderr.decode().strip())
    try:
        yield place
    finally:
        for _ in range(100):  # a child that is about to end may still be in it
            if subprocess.run(["umount", str(place)], capture_output=True, check=False).returncode == 0:
                break
            time.sleep(0.1)
        place.rmdir()


@functools.cache
def _own_folder(*more: str) -> tempfile.TemporaryDirectory[str]:
    made = tempfile.TemporaryDirectory()
    code, stderr = train(Path(made.name), "output_dir=whole", *more)
    assert code == 0, stderr
    return made


def undisturbed(*more: str) -> Path:
    """The folder of a run with enough of everything; made once."""
    return Path(_own_folder(*more).name) / "whole"


def full_at_a_checkpoint(folder: Path) -> None:
    """Room for models, and none for a checkpoint: the training goes on, and says it once."""
    whole = undisturbed("tracking=none")
    with small_disk() as disk:
        code, stderr = train(folder, "tracking=none", f"output_dir={disk}/out", shortage=f"disk:{disk}:300000")
        check_error(code, stderr, "no checkpoint can be written", "the training goes on without", exit_code=0)
        assert stderr.count("no checkpoint") == 1, stderr
        assert result(disk / "out") == result(whole)


def full_at_a_model(folder: Path) -> None:
    whole = undisturbed("tracking=none")
    with small_disk() as disk:
        own = ("tracking=none", f"output_dir={disk}/out")
        code, stderr = train(folder, *own, shortage=f"disk:{disk}:0")
        check_error(code, stderr, "No space left on device", "model-last")
        check_kept(disk / "out")
        (disk / "filler").unlink()
        code, stderr = train(folder, *own, "resume=auto")
        assert code == 0, stderr
        assert result(disk / "out") == result(whole)


def full_at_the_journal(folder: Path) -> None:
    whole = undisturbed()
    with small_disk() as disk:
        own = (f"output_dir={disk}/out", f"tracking.uri=sqlite:///{folder}/other.db")
        code, stderr = train(folder, *own, shortage=f"disk:{disk}:0")
        check_error(code, stderr, "No space left on device", "journal.jsonl")
        check_kept(disk / "out")
        (disk / "filler").unlink()
        code, stderr = train(folder, *own, "resume=auto")
        assert code == 0, stderr
        assert result(disk / "out") == result(whole)
        assert history(folder / "other.db") == history(whole.parent / "mlflow.db")


def full_at_the_store(folder: Path) -> None:
    """MLflow's database does not fit: the models are there, and so is the journal."""
    whole = undisturbed("tracking=none")
    with small_disk() as disk:
        own = ("output_dir=out", f"tracking.uri=sqlite:///{disk}/mlflow.db")
        code, stderr = train(folder, *own, shortage=f"disk:{disk}:0")
        check_error(code, stderr, "database or disk is full", exit_code=2)
        assert read_journal(folder / "out/journal.jsonl")[-1]["status"] == "FINISHED"
        for name in ("model-best", "model-last"):
            runner.load(folder / "out" / name)
        assert result(folder / "out")[1:] == result(whole)[1:]


def full_at_the_packed_corpus(folder: Path) -> None:
    with small_disk(1) as disk:
        own = (
            "tracking=none",
            "output_dir=out",
            "corpus.limit=null",
            "corpus.in_memory_words=0",
            f"corpus.cache={disk}/cache",
        )
        with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 12))
        code, stderr = train(folder, *own, "training.max_epochs=1")
        assert code in (1, 2), (code, stderr)
        check_error(code, stderr, "cannot be packed", exit_code=code)
        assert sorted(path.name for path in disk.rglob("*") if path.is_file()) == ["filler"]


def read_only(folder: Path) -> None:
    with small_disk() as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        code, stderr = train(folder, "tracking=none", f"output_dir={disk}/out")
        assert code in (1, 2), (code, stderr)
        check_error(code, stderr, "Read-only file system", exit_code=code)


def no_permission(folder: Path) -> None:
    """A folder that may not be written to, for a root without the right to do it all the same."""
    place = folder / "theirs"
    place.mkdir()
    place.chmod(0o555)
    bound = ("setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search")
    if os.geteuid() != 0:
        bound = ()
    code, stderr = train(folder, "tracking=none", f"output_dir={place}/out", before=bound)
    place.chmod(0o755)
    assert code in (1, 2), (code, stderr)
    check_error(code, stderr, "Permission denied", exit_code=code)
    assert not list(place.iterdir())


def too_large_a_file(folder: Path) -> None:
    """The same as a full disk, with a limit that needs no mount: room for small files alone."""
    whole = undisturbed("tracking=none")
    own = ("tracking=none", "output_dir=out")
    code, stderr = train(folder, *own, shortage="file:4096")
    check_error(code, stderr, "File too large", "model-last")
    check_kept(folder / "out")
    code, stderr = train(folder, *own, "resume=auto")
    assert code == 0, stderr
    assert result(folder / "out") == result(whole)


def memory(folder: Path) -> None:
    """No more memory from one step to the next."""
    whole = undisturbed("tracking=none")
    own = ("tracking=none", "output_dir=out")
    code, stderr = train(folder, *own, shortage="memory:65536")
    check_error(code, stderr, "there is not enough memory", "batch size")
    check_kept(folder / "out")
    code, stderr = train(folder, *own, "resume=auto")
    assert code == 0, stderr
    assert result(folder / "out") == result(whole)


CASES: dict[str, Callable[[Path], Any]] = {
    "checkpoint": full_at_a_checkpoint,
    "model": full_at_a_model,
    "journal": full_at_the_journal,
    "store": full_at_the_store,
    "packed": full_at_the_packed_corpus,
    "read_only": read_only,
    "permission": no_permission,
    "file": too_large_a_file,
    "memory": memory,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", choices=[[], *CASES], help=", ".join(CASES))
    n_failed = 0
    for name in parser.parse_args().cases or list(CASES):
        folder = Path(tempfile.mkdtemp())
        began = time.monotonic()
        try:
            CASES[name](folder)
            told = "as it should be"
        except PermissionError as error:
            told = f"not tried: {error}"
        except (AssertionError, runner.errors.RunnerError) as error:
            n_failed += 1
            told = f"FAILED: {error}"
        print(f"{name:12} {time.monotonic() - began:5.1f} s  {told}", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
    return int(n_failed > 0)


if __name__ == "__main__":
    sys.exit(main())
