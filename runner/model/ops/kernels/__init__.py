"""The compiled loops of ops/numba.py. Each loop passes over memory once; numpy needs a pass for each operation.

Results differ from numpy's by rounding, because sums are taken in another order. Each loop is compiled for C-ordered
arrays of the types in its signature; other array types raise TypeError, and cause no second compilation. Numba caches
machine code for each file until the file changes, so no loop calls a loop of another file.
"""

from runner.model.ops.kernels.adam import adam, adam_rows, advance, catch_up_rows
from runner.model.ops.kernels.embeddings import distinct, gather, scatter, table_rows
from runner.model.ops.kernels.ngrams import ngram_cells, split_cells
from runner.model.ops.kernels.recurrent import backprop_lstm_cells, backprop_qrnn, lstm_cells, qrnn
from runner.model.ops.kernels.sequences import decode, marginals
from runner.model.ops.kernels.trees import best_forest
from runner.model.ops.kernels.windows import BLOCK, activate, backprop_activate, expand_window, reduce_window

__all__ = [
    "BLOCK", "activate", "adam", "adam_rows", "advance", "backprop_activate", "backprop_lstm_cells", "backprop_qrnn",
    "best_forest", "catch_up_rows", "decode", "distinct", "expand_window", "gather", "lstm_cells", "marginals",
    "ngram_cells", "qrnn", "reduce_window", "scatter", "split_cells", "table_rows",
]  # fmt: skip
