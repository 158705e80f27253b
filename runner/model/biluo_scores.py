"""A linear layer from token vectors to the states of crf.py, shaped so that labels can be added later.

    Y = [W_O; W_BILU] @ X + [b_O; b_BILU]

W_BILU is (4, n_labels, nI): a new label is a new slice on the second axis, and the old ones stay where they are.
"""

from __future__ import annotations

from collections.abc import Callable

from thinc.api import Model

from runner.model.layout import Floats2d, Packed
from runner.model.parameters import zeros


def biluo_scores(name: str, *, n_labels: int, nI: int) -> Model[Packed, Floats2d]:
    """Packed (nI, n_tokens) → (4 n_labels + 1, n_tokens). All weights start at zero: every legal sequence is equally likely."""
    shapes = {"W_O": (1, nI), "b_O": (1,), "W_BILU": (4, n_labels, nI), "b_BILU": (4, n_labels)}
    return Model(
        name,
        forward,
        dims={"nO": 4 * n_labels + 1, "nI": nI},
        params=dict.fromkeys(shapes),
        attrs={"init": {key: (shape, zeros) for key, shape in shapes.items()}},
    )


def forward(
    model: Model[Packed, Floats2d], packed: Packed, is_train: bool
) -> tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
    xp = model.ops.xp
    X = packed.X
    nI = X.shape[0]
    W_BILU, b_BILU = model.get_param("W_BILU"), model.get_param("b_BILU")
    W = xp.concatenate([model.get_param("W_O"), W_BILU.reshape(-1, nI)])  # (n_states, nI)
    Y = model.ops.gemm(W, X)  # (n_states, n_tokens)
    Y += xp.concatenate([model.get_param("b_O"), b_BILU.ravel()])[:, None]

    def backprop(dY: Floats2d) -> Floats2d:
        dW, db = model.ops.gemm(dY, X, trans2=True), dY.sum(axis=1)
        model.inc_grad("W_O", dW[:1])
        model.inc_grad("b_O", db[:1])
        model.inc_grad("W_BILU", dW[1:].reshape(W_BILU.shape))
        model.inc_grad("b_BILU", db[1:].reshape(b_BILU.shape))
        return model.ops.gemm(W, dY, trans1=True)

    return Y, backprop
