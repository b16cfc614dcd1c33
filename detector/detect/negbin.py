"""How rare is a count: tails of the negative binomial, and the return period of a cluster.

A gamma-distributed rate with mean `mu` and shape `kappa` makes Poisson counts negative binomial with variance
mu + mu**2 / kappa. Johnson, Kemp and Kotz, Univariate Discrete Distributions, 3rd ed., chapter 5.
"""

from __future__ import annotations

from math import lgamma, log

MONTH_MINUTES = 30.4375 * 1440.0


def log_tail(count: float, mu: float, kappa: float) -> float:
    """ln P[X >= count] for X negative binomial; `count` may be fractional (a sum of weights).

    Args:
        count: at least 0.
        mu: mean, above 0.
        kappa: shape, above 0; large means Poisson.

    >>> round(log_tail(0, 2.0, 1e9), 6) == 0.0
    True
    >>> from math import exp
    >>> round(exp(log_tail(2, 1.0, 1e9)), 4)   # Poisson: 1 - 2/e
    0.2642
    """
    if count <= 0.0:
        return 0.0
    q = mu / (mu + kappa)
    head = (
        lgamma(count + kappa) - lgamma(kappa) - lgamma(count + 1.0) + kappa * log(kappa / (kappa + mu)) + count * log(q)
    )
    total = term = 1.0
    for _ in range(600):
        term *= (count + kappa) / (count + 1.0) * q
        total += term
        count += 1.0
        if term < 1e-5 * total:
            break
    return min(0.0, head + log(total))


def divergence(count: float, mu: float, kappa: float) -> float:
    """Kullback-Leibler distance of the count from its mean: a cheap stand-in for `-log_tail` to pick a window.

    >>> divergence(5.0, 1.0, 10.0) > divergence(3.0, 1.0, 10.0) > 0
    True
    """
    return count * log(count / mu) - (count + kappa) * log((count + kappa) / (mu + kappa))
