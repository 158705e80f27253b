"""The installed wheel, in a folder that holds nothing else."""

import os
import subprocess
import sys
from importlib.resources import files

import runner

assert "site-packages" in runner.__file__, runner.__file__
assert files("runner").joinpath("py.typed").is_file()
run = [sys.executable, "-m", "runner"]
subprocess.run([*run, "--help"], check=True, stdout=subprocess.DEVNULL)
subprocess.run([*run, "tracking=none", "training=debug", "output_dir=out"], check=True)
subprocess.run([*run, "init", "project"], check=True)
words = ["--config-dir", "conf", "experiment=mine", "training.max_epochs=1", "tracking=none", "output_dir=out"]
subprocess.run([*run, *words], check=True, cwd="project")
doc = runner.load("out/model-best")("Maria Keller flew to Oslo .")
print([(ent.text, ent.label_) for ent in doc.ents], "in", os.getcwd())
