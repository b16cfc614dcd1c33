"""What people said of alerts, as training rows: trained on, never measured.

A word on an alert is not a word on each of its posts, so it is used for no more than it says:

- **true**: there was an outage, so a quoted post that was judged to speak of a present failure did. It keeps the label
  it was given (`complaint` or `report`).
- **false**: nobody's service was failing, so no quoted post speaks of a present failure *of the service*. But people do
  not lie, and a blanket `other` would teach that "I cannot log in" is no trouble. A `complaint` therefore becomes
  `solo`, the writer's own trouble, and a `report` (which said of others what was not so) becomes `other`. Both are
  "not now", which is all that alerts depend on.
- A quote judged `past`, `solo` or `other` was no argument for the alert; the word says nothing of it, and it is left
  out. So is a quote whose text is gone, and one that stands in a true and in a false alert.
- The last word on an alert holds; a label that a person gave the post itself always wins.

The rows are chosen by what the classifier itself said, and those of true alerts repeat its own label: measured or
calibrated on, they would flatter it. So their ids begin with `own-`, which everything here trains on and nothing
measures, as with the posts that we made up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from detector.classify.labels import Labelled, LabelSet
from detector.domain import Alert, Evidence, format_time

_WHEN_FALSE = {"complaint": "solo", "report": "other"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackRows:
    """Rows and what was left out, by reason.

    Attributes:
        posts: in the order of the alerts; `where` is the alert's key.
        left_out: how many quotes gave no row, and why.
    """

    posts: tuple[Labelled, ...]
    left_out: tuple[tuple[str, int], ...]


def feedback_rows(alerts: Iterable[Alert], words: Mapping[str, bool]) -> FeedbackRows:
    """Rows from the quotes of alerts that somebody has judged.

    Args:
        words: by alert key, whether it was a real outage (the last word).
    """
    found: dict[tuple[str, str], Labelled] = {}
    torn: set[tuple[str, str]] = set()
    left_out: Counter[str] = Counter()
    for alert in sorted(alerts, key=lambda each: each.key):
        if alert.key not in words:
            continue
        for quote in alert.evidence:
            row = _row(alert, quote, real=words[alert.key])
            if isinstance(row, str):
                left_out[row] += 1
                continue
            key = (quote.source, quote.id)
            if key in found and found[key].now != row.now:
                torn.add(key)
            found.setdefault(key, row)
    left_out["in a true and in a false alert"] += len(torn)
    return FeedbackRows(
        posts=tuple(row for key, row in found.items() if key not in torn),
        left_out=tuple(sorted((reason, count) for reason, count in left_out.items() if count)),
    )


def add_feedback(labelled: LabelSet, rows: FeedbackRows) -> int:
    """Put the rows behind the labels; a post that a person labelled keeps that label. Returns how many were added."""
    known = {(post.source, post.id) for post in labelled.posts}
    fresh = [row for row in rows.posts if (row.source, row.id.removeprefix(_PREFIX)) not in known]
    labelled.posts += fresh
    return len(fresh)


_PREFIX = "own-feedback-"


def _row(alert: Alert, quote: Evidence, *, real: bool) -> Labelled | str:
    if not quote.text.strip():
        return "text no longer kept"
    if quote.label not in _WHEN_FALSE:
        return "was no argument for the alert"
    return Labelled(
        source=quote.source,
        id=f"{_PREFIX}{quote.id}",
        text=quote.text,
        label=quote.label if real else _WHEN_FALSE[quote.label],
        service=alert.service,
        created_at=format_time(quote.at),
        where=alert.key,
    )
