"""Losses that compare each embedding with all others of a batch."""

from portable_losses._dtypes import astype_like, narrow, widen
from portable_losses._gradient import stop_gradient
from portable_losses._options import FINITE, POSITIVE, require
from portable_losses._polyfill import check_known, maximum, total
from portable_losses._polyfill import where as _where
from portable_losses._public import public
from portable_losses._reduction import reduce
from portable_losses._row_functions import of_rows
from portable_losses._stable import INF
from portable_losses._typing import Array, Namespace, Reduction
from portable_losses._validation import (
    as_floating,
    check_ndim,
    check_real_floating,
    namespace_of,
)
from portable_losses.activations.logistic import _softplus
from portable_losses.activations.scaled import normalize
from portable_losses.losses._batches import (
    as_labels,
    diagonal,
    log_sum,
    pairs_of,
    weightless_rows,
    without_rows,
)

__all__ = [
    "circle_loss",
    "info_nce_loss",
    "ntxent_loss",
]


@public(temperature=POSITIVE)
def info_nce_loss(
    query: Array,
    key: Array,
    negatives: Array | None = None,
    /,
    *,
    temperature: float | Array = 0.1,
    symmetric: bool = False,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Find the key of each query among the others.

    Cross entropy of the cosines over `temperature`, with the query's own key as the target.

    Parameters
    ----------
    query : array of a real floating dtype, shape (N, D)
    key : array of a real floating dtype, shape of `query`
        The key of each query.
    negatives : array of a real floating dtype, shape (M, D) or (N, M, D), optional
        The other keys, for all queries or for each; None: the keys of the other queries.
    temperature : float or 0-d array, default 0.1
        Divides the cosines. Greater than 0.
    symmetric : bool, default False
        The mean of this and of finding the query of each key; without `negatives` only.
    where : array of bool, shape (N,) or (1,), optional
        Queries and keys that take part; the others are compared with nothing, whatever they hold.
    sample_weight : array, broadcastable to the unreduced loss, optional
        Weights, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array, in nats
        Shape () after "mean" and "sum", (N,) after "none". Dtype and device of `query`.

    Raises
    ------
    TypeError
        An embedding is not real floating, or the arrays come from two libraries.
    ValueError
        The shapes do not fit, `temperature` is not positive, `symmetric` comes with `negatives`,
        a weight is negative, or `reduction` is unknown.

    Notes
    -----
    Computed as ``softplus(logsumexp(others) - own)``, which keeps the digits of a small loss. A
    query with nothing to compare costs 0.

    Source: A. van den Oord, Y. Li, O. Vinyals, "Representation learning with contrastive predictive
    coding" (2018), arXiv:1807.03748; symmetric: A. Radford et al., "Learning transferable visual
    models from natural language supervision" (2021), arXiv:2103.00020.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> x = np.asarray([[1.0, 0.0], [0.0, 1.0]])
    >>> print(pl.info_nce_loss(x, x, temperature=0.5).round(4))
    0.1269
    """
    xp = namespace_of(
        query=query,
        key=key,
        optional={"negatives": negatives, "where": where, "sample_weight": sample_weight},
    )
    check_real_floating(xp, query=query, key=key)
    check_ndim(2, "(N, D)", query=query, key=key)
    check_known(query, name="query", now=False)
    q, k = as_floating(xp, query=query, key=key)
    if negatives is not None:
        check_real_floating(xp, negatives=negatives)
        require(not symmetric, "symmetric", "be False with `negatives`", symmetric)
        n, d = tuple(query.shape)
        shape = tuple(negatives.shape)
        fits = shape[-1:] == (d,) and (len(shape) == 2 or (len(shape) == 3 and shape[0] == n))
        if not fits:  # torch.compile cannot write the message
            require(False, "negatives", f"have shape (M, {d}) or ({n}, M, {d})", shape)

    both: Array | None = None
    if where is not None:
        row, both = pairs_of(where, q, xp=xp)
        q, k = _where(row, q, 0.5, xp=xp), _where(row, k, 0.5, xp=xp)
        if negatives is not None and negatives.ndim == 3:
            negatives = _where(row[..., None], negatives, 0.5, xp=xp)

    def losses(q: Array, k: Array, negatives: Array | None) -> Array:
        u, v = normalize(q, eps=0.0), normalize(k, eps=0.0)
        own = total(u * v, axis=-1, xp=xp) / temperature
        if negatives is None:
            cosines = xp.matmul(u, xp.matrix_transpose(v)) / temperature
            there = ~diagonal(cosines, xp=xp)
            there = there if both is None else both & there
            loss = _contrast(cosines, own, there, xp=xp)
            if symmetric:
                turned = xp.matrix_transpose(cosines), own, xp.matrix_transpose(there)
                loss = (loss + _contrast(*turned, xp=xp)) / 2
            return loss
        w = normalize(astype_like(negatives, q, xp=xp), eps=0.0)
        if w.ndim == 2:
            others = xp.matmul(u, xp.matrix_transpose(w))
        else:
            others = total(u[:, None, :] * w, axis=-1, xp=xp)
        return _contrast(others / temperature, own, None, xp=xp)

    if sample_weight is not None and not symmetric:
        bad, sample_weight = weightless_rows(losses, (q, k, negatives), sample_weight, xp=xp)
        if bad is not None:  # where negatives are given, no row is compared with another one's
            q = without_rows(bad, q, xp=xp)
            if negatives is not None:
                k = without_rows(bad, k, xp=xp)
                if negatives.ndim == 3:
                    negatives = without_rows(bad, negatives, xp=xp)
    loss = losses(q, k, negatives)

    return reduce(
        loss,
        reduction,
        where=where,
        sample_weight=sample_weight,
        dtype=query.dtype,
        denominator=denominator,
        xp=xp,
    )


@public(temperature=POSITIVE)
def ntxent_loss(
    embeddings: Array,
    labels: Array,
    /,
    *,
    temperature: float | Array = 0.07,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Normalized temperature-scaled cross entropy: each positive pair against all negatives.

    With s the cosines over `temperature`, for each i and each other j of the same label::

        loss = log(exp(s_ij) + sum over k of another label of exp(s_ik)) - s_ij

    Parameters
    ----------
    embeddings : array of a real floating dtype, shape (N, D)
    labels : array of an integer dtype, shape (N,)
        Equal labels make a positive pair.
    temperature : float or 0-d array, default 0.07
        Divides the cosines. Greater than 0.
    where : array of bool, shape (N,) or (1,), optional
        Embeddings that take part; the others are compared with nothing, whatever they hold.
    sample_weight : array, broadcastable to the unreduced loss, optional
        Weights, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array, in nats
        Shape () after "mean", over the positive pairs, and "sum"; (N, N) after "none", 0 where i
        and j are no pair. Dtype and device of `embeddings`. 0 where there is no positive pair.

    Raises
    ------
    TypeError
        An embedding is not real floating, labels are not integers, or the arrays come from two
        libraries.
    ValueError
        The shapes do not fit, `temperature` is not positive, a weight is negative, or `reduction`
        is unknown.

    Notes
    -----
    Computed as ``softplus(logsumexp of the negatives - s_ij)``.

    Source: T. Chen, S. Kornblith, M. Norouzi, G. Hinton, "A simple framework for contrastive
    learning of visual representations" (2020), arXiv:2002.05709.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> x = np.asarray([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    >>> print(pl.ntxent_loss(x, np.asarray([0, 0, 1]), temperature=0.5).round(4))
    0.1269
    """
    xp = namespace_of(
        embeddings=embeddings,
        labels=labels,
        optional={"where": where, "sample_weight": sample_weight},
    )
    labels = as_labels(embeddings, labels, xp=xp)

    x = widen(embeddings, xp=xp)
    both: Array | None = None
    if where is not None:
        row, both = pairs_of(where, x, xp=xp)
        x = _where(row, x, 0.5, xp=xp)
    u = normalize(x, eps=0.0)
    s = xp.matmul(u, xp.matrix_transpose(u)) / temperature
    same = labels[:, None] == labels[None, :]
    pairs = ~diagonal(s, xp=xp) & same  # a Tensor of the tape stands first
    if both is not None:
        pairs, same = pairs & both, ~both | same
    loss = _contrasts(s, pairs, same, xp=xp)

    return reduce(
        loss,
        reduction,
        sample_weight=sample_weight,
        counts=narrow(pairs, s.dtype, xp=xp),
        dtype=embeddings.dtype,
        denominator=denominator,
        xp=xp,
    )


@public(gamma=POSITIVE, margin=FINITE)
def circle_loss(
    embeddings: Array,
    labels: Array,
    ref_embeddings: Array | None = None,
    ref_labels: Array | None = None,
    /,
    *,
    gamma: float | Array = 80.0,
    margin: float | Array = 0.4,
    where: Array | None = None,
    sample_weight: Array | None = None,
    reduction: Reduction = "mean",
    denominator: float | Array | None = None,
) -> Array:
    """Circle loss: similarities pulled the harder, the further they are from their optimum.

    With s the cosines of an embedding with those of its label (p) and of others (n)::

        w_n  = max(0, s_n + margin),  w_p = max(0, 1 + margin - s_p)
        loss = softplus(logsumexp over n of gamma * w_n * (s_n - margin)
                        + logsumexp over p of gamma * w_p * (1 - margin - s_p))

    Parameters
    ----------
    embeddings : array of a real floating dtype, shape (N, D)
    labels : array of an integer dtype, shape (N,)
    ref_embeddings : array of a real floating dtype, shape (M, D), optional
        What to compare with; None: the other embeddings.
    ref_labels : array of an integer dtype, shape (M,), optional
        The labels of `ref_embeddings`, given with them.
    gamma : float or 0-d array, default 80.0
        Scale. Greater than 0.
    margin : float or 0-d array, default 0.4
        Relaxation. A derivative by it is, as that by the embeddings, one of constant factors.
    where : array of bool, shape (N,) or (1,), optional
        `embeddings` that take part; the others are compared with nothing, whatever they hold.
    sample_weight : array, broadcastable to the unreduced loss, optional
        Weights, at least 0; "mean" divides by their sum.
    reduction : {"mean", "sum", "none"}
    denominator : float or 0-d array, optional
        What "mean" divides by instead, greater than 0: a count over all parts of a batch.

    Returns
    -------
    array
        Shape () after "mean" and "sum", (N,) after "none". Dtype and device of `embeddings`. An
        embedding without a positive or without a negative costs 0.

    Raises
    ------
    TypeError
        An embedding is not real floating, labels are not integers, or the arrays come from two
        libraries.
    ValueError
        The shapes do not fit, references come without labels, `gamma` is not positive, a weight
        is negative, or `reduction` is unknown.

    Notes
    -----
    The weights w carry no gradient, as in the paper (Keras differentiates them).

    Source: Y. Sun et al., "Circle loss: a unified perspective of pair similarity optimization"
    (2020), arXiv:2002.10857.

    Examples
    --------
    >>> import numpy as np
    >>> import portable_losses as pl
    >>> x = np.asarray([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    >>> pl.circle_loss(x, np.asarray([0, 0, 1]), gamma=2.0, reduction="none").round(4)
    array([0.4235, 0.4235, 0.    ])
    """
    xp = namespace_of(
        embeddings=embeddings,
        labels=labels,
        optional={
            "ref_embeddings": ref_embeddings,
            "ref_labels": ref_labels,
            "where": where,
            "sample_weight": sample_weight,
        },
    )
    labels = as_labels(embeddings, labels, xp=xp)
    what = "come with `ref_embeddings`, and these with labels"
    require((ref_labels is None) == (ref_embeddings is None), "ref_labels", what, ref_labels)
    if ref_embeddings is not None:
        ref_labels = as_labels(ref_embeddings, ref_labels, prefix="ref_", xp=xp)
        d, shape = embeddings.shape[1], tuple(ref_embeddings.shape)
        if shape[1] != d:
            require(False, "ref_embeddings", f"have shape (M, {d})", shape)
    x = widen(embeddings, xp=xp)
    both: Array | None = None
    if where is not None:
        row, both = pairs_of(where, x, xp=xp)
        x = _where(row, x, 0.5, xp=xp)
        both = both if ref_embeddings is None else row
    of_refs = labels if ref_labels is None else ref_labels

    def losses(x: Array) -> Array:
        u = normalize(x, eps=0.0)
        refs = x if ref_embeddings is None else ref_embeddings
        v = normalize(astype_like(refs, u, xp=xp), eps=0.0)
        s = xp.matmul(u, xp.matrix_transpose(v))
        same = xp.equal(labels[:, None], of_refs[None, :])
        pairs = ~diagonal(s, xp=xp) & same if ref_embeddings is None else same
        if both is not None:
            pairs, same = pairs & both, ~both | same
        return _circle(s, pairs, same, gamma=gamma, margin=margin, xp=xp)

    if sample_weight is not None and ref_embeddings is not None:
        bad, sample_weight = weightless_rows(losses, (x,), sample_weight, xp=xp)
        x = x if bad is None else without_rows(bad, x, xp=xp)
    loss = losses(x)

    return reduce(
        loss,
        reduction,
        where=where,
        sample_weight=sample_weight,
        dtype=embeddings.dtype,
        denominator=denominator,
        xp=xp,
    )


@of_rows(wide=True)
def _contrast(s: Array, own: Array, there: Array | None, *, xp: Namespace) -> Array:
    """``log(1 + sum(exp(s - own)))`` over the entries of each row that are `there`."""
    others = s if there is None else _where(there, s, -INF, xp=xp)
    return _softplus(log_sum(others, xp=xp) - own, beta=1.0, xp=xp)


@of_rows(wide=True)
def _contrasts(s: Array, pairs: Array, same: Array, *, xp: Namespace) -> Array:
    """Return the loss of each pair, against the entries of its row that are not the `same`."""
    others = log_sum(_where(same, -INF, s, xp=xp), xp=xp)
    return _where(pairs, _softplus(others[..., None] - s, beta=1.0, xp=xp), 0.0, xp=xp)


@of_rows(wide=True)
def _circle(
    s: Array,
    pairs: Array,
    same: Array,
    *,
    gamma: float | Array,
    margin: float | Array,
    xp: Namespace,
) -> Array:
    """Return the loss of each row of similarities."""
    of_other = stop_gradient(maximum(s + margin, 0.0, xp=xp), xp=xp) * (s - margin)
    of_pair = stop_gradient(maximum(1 + margin - s, 0.0, xp=xp), xp=xp) * (1 - margin - s)
    pull = log_sum(_where(same, -INF, gamma * of_other, xp=xp), xp=xp)
    push = log_sum(_where(pairs, gamma * of_pair, -INF, xp=xp), xp=xp)
    return _softplus(pull + push, beta=1.0, xp=xp)
