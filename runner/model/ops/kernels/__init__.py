"""The loops of ops/numba.py: one pass over memory each, where numpy makes one an operation.

Values differ from numpy's by rounding: sums are taken in another order. Each loop is compiled for arrays in C order of
the types in its signature; an array of any other type is a TypeError, not a second compilation. Numba keeps the machine
code beside each file, or in the user's cache directory, until that file changes: so no loop calls a loop of another file.
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
