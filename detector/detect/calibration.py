"""How much more often chance exceeds a score than one window would: measured, by volume.

The scan looks at many overlapping windows, and its model of the level is not perfect. On streams without an outage
(`tests/bench/detect.py` makes them) the rate of clusters with score s is exp(M - s) a month; M grows with the volume.
M is added to every threshold and taken off every printed return period, so that a budget is kept from silent
services to busy ones.

Realised over nominal with these (streams of `detector.detect.simulate` that were not used to set them; episodes in
service-months): at .01 a minute .94 of 1/year (14 in 179) and .60 of 1/month (107 in 179); .05: .87 (13 in 179) and
.62 (111 in 179); .5: .80 (2 in 30) and .64 (19 in 30); 5: .95 of 1/month (17 in 18) and .47 of 4/month (34 in 18);
50: .54 of 4/month (3 in 1.4).
"""

from __future__ import annotations

from math import log10

# (log10 of complaints a minute, M in nats); measured up to -0.3, checked above.
_MEASURED = ((-4.0, 2.0), (-2.0, 2.2), (-1.3, 2.5), (-0.3, 2.6), (0.7, 3.1), (1.7, 3.7))


def multiplicity(rate: float) -> float:
    """M for a usual rate of complaints a minute, linear in its logarithm between the measured volumes.

    >>> multiplicity(0.01), multiplicity(1e-9), multiplicity(1e9)
    (2.2, 2.0, 3.7)
    """
    x = log10(max(rate, 1e-12))
    before = _MEASURED[0]
    if x <= before[0]:
        return before[1]
    for point in _MEASURED[1:]:
        if x <= point[0]:
            return before[1] + (point[1] - before[1]) * (x - before[0]) / (point[0] - before[0])
        before = point
    return before[1]
