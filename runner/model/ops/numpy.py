"""The ops in numpy: thinc's NumpyOps, and by topic the operations of this package's layers and of Adam.

Each topic is a file; the compiled loops for it are in the file of the same name in kernels/.
"""

from __future__ import annotations

from runner.model.ops.adam import AdamOps
from runner.model.ops.embeddings import EmbeddingOps
from runner.model.ops.ngrams import NgramOps
from runner.model.ops.recurrent import RecurrentOps
from runner.model.ops.sequences import SequenceOps
from runner.model.ops.transformer import TransformerOps
from runner.model.ops.trees import TreeOps
from runner.model.ops.windows import WindowOps


class Ops(WindowOps, EmbeddingOps, NgramOps, SequenceOps, RecurrentOps, TreeOps, TransformerOps, AdamOps):
    """The interface, and its implementation in numpy. numba.py overrides it method by method.

    use_blis: whether matrix products are BLIS's, as in thinc, or numpy's BLAS's.
    """
