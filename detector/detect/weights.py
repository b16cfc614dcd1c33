"""Evidence weights: what one judged mention adds to the count of complaining people.

A classifier's probability stands at the prior of its labels; among mentions of one service complaints are far rarer.
The likelihood ratio r = p/(1-p) * (1-pi)/pi moves it to the service's own share q: posterior = q r / (q r + 1 - q).
The weight is the log-likelihood ratio that the mention contributes to "complaints run at rho* times their usual
rate", scaled so that a sure complaint weighs 1: w = ln(1 + (rho* - 1) * posterior) / ln rho*. It is the score of the
marked point process (Daley and Vere-Jones, An Introduction to the Theory of Point Processes, vol. 1, section 7.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

RHO_STAR = 10.0
_LOG_RHO = log(RHO_STAR)


def posterior(p: float, prior: float, share: float) -> float:
    """Probability at the natural share of complaints, from one that stands at the labels' prior.

    >>> round(posterior(0.5, prior=0.5, share=0.5), 3)
    0.5
    >>> round(posterior(0.9, prior=0.2, share=0.02), 3)
    0.424
    """
    p = min(max(p, 1e-6), 1.0 - 1e-6)
    ratio = p / (1.0 - p) * (1.0 - prior) / prior
    return share * ratio / (share * ratio + 1.0 - share)


def weight(after: float) -> float:
    """Evidence of one mention given its posterior.

    >>> weight(1.0), weight(0.0), round(weight(0.05), 2)
    (1.0, 0.0, 0.16)
    """
    return log(1.0 + (RHO_STAR - 1.0) * after) / _LOG_RHO


@dataclass(slots=True)
class ComplaintShare:
    """The running share of complaints among a service's mentions, by expectation-maximisation one post at a time.

    Attributes:
        complaints, mentions: discounted sums, started with a prior of 2 in 40.
    """

    complaints: float = 2.0
    mentions: float = 40.0

    KEEP = 0.9995  # remembers about 2,000 mentions

    @property
    def value(self) -> float:
        """The share, kept away from 0 and 1 so that evidence can always change it."""
        return min(max(self.complaints / self.mentions, 0.01), 0.9)

    def learn(self, after: float) -> None:
        """Take in the posterior of one mention outside of an alert."""
        self.complaints = self.complaints * self.KEEP + after
        self.mentions = self.mentions * self.KEEP + 1.0


@dataclass(slots=True)
class WeightScale:
    """E[w]/E[w^2]: makes a weighted sum behave like a count with the same mean and variance.

    Bohm and Zech, Statistics of weighted Poisson events, NIM A 748 (2014): the scaled Poisson distribution.
    """

    first: float = 18.0
    second: float = 17.0

    KEEP = 0.998

    @property
    def value(self) -> float:
        """At least 1: weights lie between 0 and 1."""
        return max(1.0, min(self.first / self.second, 4.0))

    def learn(self, w: float) -> None:
        """Take in one accepted weight."""
        self.first = self.first * self.KEEP + w
        self.second = self.second * self.KEEP + w * w
