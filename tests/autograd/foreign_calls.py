"""Calls into SciPy and scikit-learn that the tape differentiates: other people's Array API code.

One row per call. It is made on plain NumPy arrays for the expected value and for differences, and
on Tensors over each library for what is tested. Every array of a row is differentiated by; what
else a call needs it makes from the namespace of its arrays.

A row may name libraries that refuse the call, with the reason. They refuse plain arrays as well,
and a test sees to that.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from array_api_compat import array_namespace as namespace_of
from scipy import constants, differentiate, fft, integrate, linalg, optimize, signal, special, stats
from scipy.cluster import vq
from scipy.optimize import elementwise
from scipy.spatial.transform import RigidTransform, Rotation
from sklearn import metrics, preprocessing
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.metrics import pairwise

from portable_losses._typing import Array

__all__ = ["CALLS", "Call", "V"]


class Call(NamedTuple):
    """A call, its arrays (as lists), and who refuses it."""

    name: str
    function: Callable[..., Any]
    arrays: tuple[Any, ...]
    refused: Mapping[str, str] = {}

    def __str__(self) -> str:
        return self.name


V = [0.3, 1.7, 0.9, 2.4, 1.1]
W = [0.8, 0.5, 1.9, 1.2, 2.6]
SHARES = [0.2, 0.55, 0.35, 0.7, 0.45]
WAVE = [0.1, 1.06, 0.72, -0.39, -0.48, 0.72, 1.6, 1.02, 0.07, 0.14, 1.42, 2.08]
M = [[0.4, 1.2, 2.5], [0.7, 3.1, 0.15], [1.9, 0.3, 1.1], [2.2, 1.6, 0.8]]
N = [[1.1, 2.0, 0.9], [2.4, 0.5, 1.3], [0.6, 2.7, 0.2], [0.8, 1.5, 3.0]]
TURNS = [[0.3, -0.2, 0.9], [1.1, 0.4, -0.5]]
QUATERNIONS = [[0.1, 0.5, -0.3, 0.8], [0.4, -0.2, 0.6, 0.3]]


NO_POSITIONS = {"array_api_strict": "SciPy assigns at positions, which the standard leaves open"}


# ---- calls with more than one line of ours -----------------------------------------------------


def cubature(t: Array) -> Array:
    """Integral of sin(x t) over x from 0 to 1."""
    xp = namespace_of(t)
    low, high = xp.zeros(1, dtype=t.dtype), xp.ones(1, dtype=t.dtype)
    return integrate.cubature(lambda x, t: xp.sin(x * t[None, :]), low, high, args=(t,)).estimate


def bell(a: Array, end: Array) -> Array:
    """Integral of exp(-a x**2) over x from 0 to `end`."""
    low = namespace_of(a).zeros_like(a)
    exp = namespace_of(a).exp
    return integrate.tanhsinh(lambda x, a: exp(-a * x * x), low, end, args=(a,)).integral


def slope(x: Array, a: Array) -> Array:
    """Derivative of sin(x t**2) by t at t = a, from differences."""
    xp = namespace_of(x)
    return differentiate.derivative(lambda t, x: xp.sin(x * t * t), a, args=(x,)).df


def slopes(x: Array) -> Array:
    """Jacobian of sin(x) x[0], from differences."""
    return differentiate.jacobian(lambda x: namespace_of(x).sin(x) * x[0, ...], x).df


def cube_root(a: Array) -> Array:
    start = (namespace_of(a).zeros_like(a), a + 1)
    return elementwise.find_root(lambda x, a: x**3 - a, start, args=(a,)).x


def minimum(a: Array) -> Array:
    """The value of the minimum of ``(x - a)**2 + x**4``; where it lies has half of the digits."""
    start = tuple(namespace_of(a).full_like(a, x) for x in (-5.0, 0.0, 5.0))
    return elementwise.find_minimum(lambda x, a: (x - a) ** 2 + x**4, start, args=(a,)).f_x


def spaced(y: Array, gaps: Array) -> Array:
    return integrate.trapezoid(y, namespace_of(gaps).cumulative_sum(gaps))


def response(b: Array) -> Array:
    """Size of the frequency response of a filter with the coefficients b."""
    _, h = signal.freqz(b, worN=4)
    return namespace_of(h).abs(h)


def there_and_back(first: Array, second: Array) -> Array:
    return (Rotation.from_quat(first) * Rotation.from_quat(second).inv()).as_matrix()


def rotation_between(x: Array, y: Array) -> Array:
    return linalg.orthogonal_procrustes(x, y)[0]


def variances(x: Array) -> Array:
    return PCA(2, svd_solver="full").fit(x).explained_variance_


def errors(name: str) -> Callable[[Array, Array], Array]:
    """A metric of scikit-learn as an array: without `multioutput` it is a Python float."""
    metric = getattr(metrics, name)

    def function(x: Array, y: Array) -> Array:
        return metric(x, y, multioutput="raw_values")

    return function


# ---- the table --------------------------------------------------------------------------------

SPECIAL = [
    Call("special.erf", special.erf, (V,)),
    Call("special.expit", special.expit, (V,)),
    Call("special.logit", special.logit, (SHARES,)),
    Call("special.log_ndtr", special.log_ndtr, (V,)),
    Call("special.ndtri", special.ndtri, (SHARES,)),
    Call("special.erfinv", special.erfinv, (SHARES,)),
    Call("special.entr", special.entr, (V,)),
    Call("special.rel_entr", special.rel_entr, (V, W)),
    Call("special.kl_div", special.kl_div, (V, W)),
    Call("special.xlogy", special.xlogy, (V, W)),
    Call("special.xlog1py", special.xlog1py, (V, W)),
    Call("special.gammaln", special.gammaln, (V,)),
    Call("special.betaln", special.betaln, (V, W)),
    Call("special.psi", special.psi, (V,)),
    Call("special.polygamma", lambda x: special.polygamma(1, x), (V,)),
    Call("special.multigammaln", lambda x: cast("Any", special).multigammaln(x + 3.0, 2), (V,)),
    Call("special.logsumexp", lambda x, b: special.logsumexp(x, axis=1, b=b), (M, N)),
    Call("special.softmax", lambda x: special.softmax(x, axis=1), (M,)),
    Call("special.log_softmax", special.log_softmax, (V,)),
]

STATS = [
    Call("stats.gmean, weights", lambda x, w: stats.gmean(x, weights=w), (V, W)),
    Call("stats.pmean", lambda x: stats.pmean(x, 3.0, axis=0), (M,)),
    Call("stats.skew", lambda x: stats.skew(x, bias=False), (V,)),
    Call("stats.kurtosis", stats.kurtosis, (V,)),
    Call("stats.zscore", stats.zscore, (V,)),
    Call("stats.circmean", stats.circmean, (V,)),
    Call("stats.lmoment", stats.lmoment, (V,)),
    Call("stats.trim_mean", lambda x: stats.trim_mean(x, 0.2), (V,)),
    Call("stats.quantile", lambda x: stats.quantile(x, 0.3), (V,)),
    Call("stats.entropy, relative", stats.entropy, (V, W)),
    Call("stats.differential_entropy", stats.differential_entropy, (V,)),
    Call("stats.boxcox_llf", lambda x: stats.boxcox_llf(0.5, x), (V,)),
    Call("stats.yeojohnson_llf", lambda x: stats.yeojohnson_llf(0.5, x), (V,)),
    Call("stats.directional_stats", lambda x: stats.directional_stats(x).mean_direction, (M,)),
    Call("stats.pearsonr, p-value", lambda x, y: stats.pearsonr(x, y)[1], (V, W)),
    Call("stats.ttest_ind, p-value", lambda x, y: stats.ttest_ind(x, y)[1], (V, W)),
    Call("stats.f_oneway, p-value", lambda x, y: stats.f_oneway(x, y)[1], (V, W)),
    Call("stats.bartlett, p-value", lambda x, y: stats.bartlett(x, y)[1], (V, W)),
    Call("stats.jarque_bera, p-value", lambda x: stats.jarque_bera(x)[1], (WAVE,)),
    Call("stats.skewtest", lambda x: stats.skewtest(x).statistic, (WAVE,)),
    Call(
        "stats.combine_pvalues", lambda x: stats.combine_pvalues(x, method="stouffer")[1], (SHARES,)
    ),
]

CALCULUS = [
    Call("integrate.trapezoid", spaced, (V, W)),
    Call("integrate.cumulative_trapezoid", integrate.cumulative_trapezoid, (V,)),
    Call("integrate.romb", lambda y: integrate.romb(y, dx=0.5), (V,)),
    Call("integrate.cubature", cubature, (V,)),
    Call("integrate.tanhsinh", bell, (V, W), NO_POSITIONS),
    Call("differentiate.derivative", slope, (V, W), NO_POSITIONS),
    Call("differentiate.jacobian", slopes, (V,), NO_POSITIONS),
    Call("optimize.elementwise.find_root", cube_root, (V,), NO_POSITIONS),
    Call("optimize.elementwise.find_minimum", minimum, (V,), NO_POSITIONS),
    Call("optimize.rosen", optimize.rosen, (V,)),
    Call("optimize.rosen_der", optimize.rosen_der, (V,)),
    Call("optimize.rosen_hess_prod", optimize.rosen_hess_prod, (V, W)),
]

SIGNALS = [
    Call("signal.fftconvolve", signal.fftconvolve, (WAVE, V)),
    Call("signal.oaconvolve", signal.oaconvolve, (WAVE, V)),
    Call("signal.envelope", signal.envelope, (WAVE,)),
    Call("signal.resample", lambda x: signal.resample(x, 16), (WAVE,)),
    Call("signal.freqz", response, (V,)),
    Call("signal.gauss_spline", lambda x: signal.gauss_spline(x, 3), (V,)),
    Call("fft.fht", lambda x: fft.fht(x, 0.1, 0.5), (V,)),
]

GEOMETRY = [
    Call("linalg.block_diag", linalg.block_diag, (M, TURNS)),
    Call(
        "linalg.orthogonal_procrustes", lambda x, y: linalg.orthogonal_procrustes(x, y)[0], (M, N)
    ),
    Call("linalg.fiedler", linalg.fiedler, (V,)),
    Call("Rotation.apply", lambda e, x: Rotation.from_euler("xyz", e).apply(x), (TURNS, M[:2])),
    Call("Rotation.as_matrix", lambda r: Rotation.from_rotvec(r).as_matrix(), (TURNS,)),
    Call("Rotation.inv, product", there_and_back, (QUATERNIONS, QUATERNIONS[::-1])),
    Call("Rotation.magnitude", lambda q: Rotation.from_quat(q).magnitude(), (QUATERNIONS,)),
    Call(
        "RigidTransform.from_exp_coords",
        lambda r: RigidTransform.from_exp_coords(r).as_matrix(),
        ([[0.3, -0.2, 0.9, 0.1, 0.4, 0.2], [1.1, 0.4, -0.5, 0.6, 0.2, -0.3]],),
    ),
    Call("constants.lambda2nu", constants.lambda2nu, (V,)),
    Call("cluster.vq.whiten", vq.whiten, (M,)),
]

SCIKIT_LEARN = [
    Call("sklearn r2_score", errors("r2_score"), (M, N)),
    Call("sklearn mean_squared_log_error", errors("mean_squared_log_error"), (M, N)),
    Call("sklearn cosine_similarity", pairwise.cosine_similarity, (M, N)),
    Call("sklearn euclidean_distances", pairwise.euclidean_distances, (M, N)),
    Call("sklearn rbf_kernel", pairwise.rbf_kernel, (M, N)),
    Call("sklearn laplacian_kernel", pairwise.laplacian_kernel, (M, N)),
    Call("sklearn chi2_kernel", pairwise.chi2_kernel, (M, N)),
    Call("sklearn MinMaxScaler", lambda x: preprocessing.MinMaxScaler().fit_transform(x), (M,)),
    Call("sklearn normalize", lambda x: preprocessing.normalize(x, norm="l1"), (M,)),
    Call("sklearn PCA", variances, (M,)),
    Call("sklearn Ridge", lambda x, y: Ridge(1.0, solver="svd").fit(x, y).coef_, (M, V[:4])),
]

CALLS = [*SPECIAL, *STATS, *CALCULUS, *SIGNALS, *GEOMETRY, *SCIKIT_LEARN]
