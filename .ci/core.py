"""What must work, and what must be told, where no extra is installed."""

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

EXTRAS = ("spacy", "numba", "optuna", "pytest")
ASKED_FOR = {  # words that need an extra → what the error must name
    "compute=numba": "declarative-runner[numba]",
    "hydra/sweeper=optuna": "declarative-runner[search]",
    "pipeline.tokenizer={type: spacy}": "declarative-runner[spacy]",
}
ROOT = Path(__file__).parent.parent


def main() -> None:
    installed = [name for name in EXTRAS if importlib.util.find_spec(name)]
    assert not installed, f"this environment is to hold the core alone, and has {installed}"
    with tempfile.TemporaryDirectory() as folder:
        for word, extra in ASKED_FOR.items():
            flags = ["-m"] if word.startswith("hydra/") else []
            words = [*flags, word, "tracking=none", "training=debug", "output_dir=out"]
            done = subprocess.run([sys.executable, "-m", "runner", *words], cwd=folder, capture_output=True, text=True)
            assert done.returncode == 2, (word, done.returncode, done.stderr)
            assert extra in done.stderr and len(done.stderr.splitlines()) <= 3, (word, done.stderr)
            print(f"{word}: {done.stderr.strip().splitlines()[-1].strip()}")


main()
