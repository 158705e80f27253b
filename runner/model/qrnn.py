"""A bidirectional quasi-recurrent layer: each token sees its whole doc, and no matrix product waits for another.

    v = tanh(...)   f, o = sigmoid(...)   of W x_t + b
    c_t = f * c_(t-1) + (1 - f) * v       h_t = o * c_t

Gates read only the token; an LSTM's gates also read the state before. So both directions and all tokens are one product,
and each step is only a weighted sum.

QRNN with fo-pooling: Bradbury et al. (2017). Its convolution is left out: the token vectors have seen their neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from thinc.api import Model

from runner.model.layout import Floats2d, Packed, transposed
from runner.model.ops import Ops
from runner.model.parameters import Shape, uniform


def biqrnn(name: str, *, nO: int, nI: int) -> Model[Packed, Packed]:
    """Packed (nI, n_tokens) → Packed (nO, n_tokens); the first nO / 2 rows read forwards, the others backwards.

    Parameters, v, f and o on the first axis: W (3, nO, nI), b (3, nO). The bias of f starts at 1: the cell
    remembers until it learns to forget.
    """
    assert nO % 2 == 0
    return Model(
        name,
        forward,
        dims={"nO": nO, "nI": nI},
        params={"W": None, "b": None},
        attrs={
            "init": {
                "W": ((3, nO, nI), uniform(0.5 / sqrt(nI))),  # small: token vectors are large, and gates saturate
                "b": ((3, nO), _remember),
            },
        },
    )


def _remember(rng: np.random.Generator, shape: Shape) -> NDArray[np.float32]:
    b = np.zeros(shape, dtype="float32")
    b[1] = 1
    return b


def forward(
    model: Model[Packed, Packed], packed: Packed, is_train: bool
) -> tuple[Packed, Callable[[Floats2d], Floats2d]]:
    ops: Ops = model.ops
    X, layout = packed
    nO, n = model.get_dim("nO"), layout.n_tokens
    W = model.get_param("W").reshape(3 * nO, -1)
    In = np.concatenate([X, np.ones((1, n), dtype=X.dtype)])  # the ones are b's
    Wb = np.concatenate([W, model.get_param("b").reshape(-1, 1)], axis=1)
    Wb[nO:] *= 0.5  # sigmoid(x) = (1 + tanh(x / 2)) / 2: one tanh for all
    Z = ops.gemm(In, Wb, trans1=True, trans2=True)  # (n, 3 nO): each token a row from here on
    np.tanh(Z, out=Z)
    H, backprop_qrnn = ops.qrnn(Z, layout)  # (n, nO)

    def backprop(dY: Floats2d) -> Floats2d:
        dZ = backprop_qrnn(transposed(dY))
        dWb = ops.gemm(dZ, In, trans1=True, trans2=True)  # (3 nO, nI + 1)
        model.inc_grad("W", dWb[:, :-1].reshape(3, nO, -1))
        model.inc_grad("b", dWb[:, -1].reshape(3, nO))
        return ops.gemm(W, dZ, trans1=True, trans2=True)

    return Packed(transposed(H) if is_train else H.T, layout), backprop
