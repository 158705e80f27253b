"""Where models that were logged before the folder mlflow/ came name their loader."""

from runner.tracking.mlflow.flavor import _load_pyfunc

__all__ = ["_load_pyfunc"]
