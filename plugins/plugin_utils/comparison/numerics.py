# Copyright: The Parity authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The numerics of the judge: shifts with their bounds, exact tests of counts, autocorrelation.

Everything is a pure function of its arguments, without randomness. Numbers are NumPy arrays of finite values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, lgamma, sqrt

from ansible_collections.parity.stack.plugins.module_utils.errors import ParityError

try:
    import numpy as np
    from scipy import special  # scipy.stats takes a second to import, and needs to be asked nothing
except ImportError:
    np = special = None

_MOST_LAGS = 40
_BISECTIONS = 60


def require() -> None:
    """Raise ParityError where the numerics are missing."""
    if special is None:
        raise ParityError(
            "a comparison with a baseline needs scipy on the control node, and it is not installed there: "
            "pip install -r requirements.txt (the collection's) into the Python that runs Ansible."
        )


def normal_quantile(probability: float) -> float:
    return float(special.ndtri(probability))


def t_quantile(degrees: float, probability: float) -> float:
    """Of Student's distribution; the normal one's where there is no end to the degrees of freedom."""
    if degrees >= 1e6:
        return normal_quantile(probability)
    return float(special.stdtrit(max(degrees, 1.0), probability))


# --- Counts -----------------------------------------------------------------------------------------------------------


def fisher_greater(k_new: int, n_new: int, k_old: int, n_old: int) -> float:
    """Fisher's exact test, one-sided: the chance of at least `k_new` when both share one rate."""
    hits, total = k_new + k_old, n_new + n_old
    highest = min(hits, n_new)
    if k_new <= max(0, hits - n_old):
        return 1.0
    logs = [
        _log_choose(n_new, k) + _log_choose(n_old, hits - k) - _log_choose(total, hits)
        for k in range(k_new, highest + 1)
    ]
    return min(1.0, sum(exp(value) for value in logs))


def sign_greater(more: int, fewer: int) -> float:
    """The exact test of signs (McNemar's), one-sided: the chance of at least `more` heads in `more + fewer` tosses."""
    return 1.0 if more <= 0 else float(special.betainc(more, fewer + 1, 0.5))


def mann_whitney_greater(new: np.ndarray, old: np.ndarray) -> float:
    """The exact rank test, one-sided: the chance that as many pairs (new, old) have the larger value in new. Ties count for old."""
    sizes = len(new), len(old)
    larger = int(np.searchsorted(np.sort(old), new, "left").sum())
    ways = [1] + [0] * (sizes[0] * sizes[1])
    # The ways to reach each count: the product of (1 - x^(m + i)) / (1 - x^i) for i from 1 to n.
    for i in range(1, sizes[0] + 1):
        for at in range(len(ways) - 1, sizes[1] + i - 1, -1):
            ways[at] -= ways[at - sizes[1] - i]
        for at in range(i, len(ways)):
            ways[at] += ways[at - i]
    return sum(ways[larger:]) / sum(ways)


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def clopper_pearson_upper(k: float, n: float, confidence: float = 0.95) -> float:
    """The exact one-sided upper bound of a rate. Takes fractions: counts that were divided by an inflation."""
    if n <= 0 or k >= n:
        return 1.0
    return float(special.betaincinv(k + 1, n - k, confidence))


def clopper_pearson_lower(k: float, n: float, confidence: float = 0.95) -> float:
    if n <= 0 or k <= 0:
        return 0.0
    return float(special.betaincinv(k, n - k + 1, 1 - confidence))


# --- Order ------------------------------------------------------------------------------------------------------------


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, ties sharing their mean."""
    ordered = np.sort(values)
    return (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right") + 1) / 2


def inflation(pieces: Sequence[np.ndarray]) -> float:
    """By how much autocorrelation inflates the variance of a mean: 1 + 2 * sum of rho_k, on ranks.

    `pieces` are runs in order; each is ranked for itself, so that different levels of runs are no autocorrelation.
    It adds lags until the first one that is no different from noise.
    """
    centred = [piece - piece.mean() for piece in (ranks(piece) for piece in pieces if len(piece) > 3)]
    power = sum(float(piece @ piece) for piece in centred)
    size = sum(len(piece) for piece in centred)
    if power <= 0 or size < 8:
        return 1.0
    noise = 1.645 / sqrt(size)
    total = 0.0
    for lag in range(1, _MOST_LAGS + 1):
        longer = [piece for piece in centred if len(piece) > 2 * lag]
        if not longer:
            break
        rho = sum(float(piece[lag:] @ piece[:-lag]) for piece in longer) / power
        if rho < noise:
            break
        total += rho
    return 1.0 + 2.0 * total


# --- Shifts -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shift:
    """How far new values lie from old ones: the Hodges-Lehmann estimate, and what is needed for bounds around it."""

    estimate: float
    degrees: float
    _old: np.ndarray
    _new: np.ndarray
    _halved: bool
    _deviation: float  # of the probability that a new value exceeds an old one, at the estimate

    def deviation(self, quantile: float) -> float:
        """The standard deviation of the estimate, towards lower values for a negative `quantile`, else towards higher.

        It is the distance to the bound that the Brunner-Munzel test, turned round, gives for this quantile: so it
        follows the shape of the distribution on that side instead of assuming one.
        """
        if self._deviation == 0 or quantile == 0:
            return 0.0
        wanted = abs(quantile) * self._deviation
        # Beyond the outermost difference there are no data. Its distance is extended in proportion.
        reached = min(wanted, 0.5)
        bound = self._quantile(0.5 - reached if quantile < 0 else 0.5 + reached)
        return abs(bound - self.estimate) * (wanted / reached) / abs(quantile)

    def _quantile(self, probability: float) -> float:
        return _quantile_of_differences(self._old, self._new, probability) / (2 if self._halved else 1)


def shift(old: np.ndarray, new: np.ndarray, inflation_old: float, inflation_new: float) -> Shift:
    """Of two independent samples: the median of all differences, with Brunner and Munzel's variance."""
    old, new = np.sort(old), np.sort(new)
    estimate = _quantile_of_differences(old, new, 0.5)
    aligned = new - estimate
    parts = [
        float(np.var(_placements(old, aligned))) * inflation_old / max(len(old) - 1, 1),
        float(np.var(_placements(aligned, old))) * inflation_new / max(len(new) - 1, 1),
    ]
    variance = sum(parts)
    own = parts[0] ** 2 / max(len(old) - 1, 1) + parts[1] ** 2 / max(len(new) - 1, 1)
    return Shift(estimate, variance**2 / own if own > 0 else inf, old, new, False, sqrt(variance))


def paired_shift(differences: np.ndarray, inflated: float) -> Shift:
    """Of differences within pairs: the median of their pairwise means."""
    ordered = np.sort(differences)
    estimate = _quantile_of_differences(np.sort(-ordered), ordered, 0.5) / 2
    centred = ordered - estimate
    placed = float(np.var(_placements(centred, np.sort(-centred))))
    size = max(len(ordered) - 1, 1)
    deviation = sqrt(4 * placed * inflated / size)
    return Shift(estimate, float(size), np.sort(-ordered), ordered, True, deviation)


def _placements(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """The share of `among` (sorted) below each value, ties counted half."""
    span = max(float(np.ptp(among)), float(np.ptp(values)), 1e-9) * 1e-9  # equal but for rounding is equal
    below = np.searchsorted(among, values - span, "left") + np.searchsorted(among, values + span, "right")
    return below / (2 * len(among))


def _quantile_of_differences(old: np.ndarray, new: np.ndarray, probability: float) -> float:
    """A quantile of all new - old (both sorted), by bisection: without making all of them."""
    low, high = float(new[0] - old[-1]), float(new[-1] - old[0])
    wanted = probability * len(old) * len(new)
    if high - low <= 1e-12 or probability <= 0:
        return low
    if probability >= 1:
        return high
    for _dummy in range(_BISECTIONS):
        middle = (low + high) / 2
        if float(np.searchsorted(old, new - middle, "left").sum()) > len(old) * len(new) - wanted:
            low = middle
        else:
            high = middle
        if high - low < 1e-7:
            break
    return (low + high) / 2
