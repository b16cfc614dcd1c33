"""What a person wrote, which service it names, and what it was judged to be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

LABELS = ("complaint", "report", "past", "solo", "other")


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One public message.

    Attributes:
        source: where it came from, in the collector's words ("hackernews", "reddit:r/ClaudeAI").
        id: unique within the source.
        created_at: when it was written, by the source's clock, never after `seen_at`.
        seen_at: the earliest moment at which we could have known it.
        text: title and body as plain text.
        author: a keyed hash, never a name; None where the source tells none.
        url: where it can be read, in a form without a user name, else None.
        reply_to: the id of the post it answers, in the same source.
        service_hint: the archive's own idea of the service (slug, handle or free text).
        official: written by the provider itself, so never a complaint.
        account_created_at: when the author's account was opened, where the source tells it.
        truth: the archive's own label, used only by `--judge truth`, never by the pipeline.
    """

    source: str
    id: str
    created_at: datetime
    seen_at: datetime
    text: str
    author: str | None = None
    url: str | None = None
    reply_to: str | None = None
    service_hint: str | None = None
    official: bool = False
    account_created_at: datetime | None = None
    truth: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What makes two posts the same one."""
        return (self.source, self.id)

    @property
    def order(self) -> tuple[datetime, str, str]:
        """The one order in which posts are processed, live and replayed."""
        return (self.seen_at, self.source, self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A post that names a service; one post can be several mentions.

    Attributes:
        service: the slug.
        matched: the words that named it, as written.
        component: the part that the post speaks of, if it does.
    """

    post: Post
    service: str
    matched: str
    component: str | None = None


@dataclass(frozen=True, slots=True)
class Probabilities:
    """How likely each label is; they sum to one.

    >>> p = Probabilities(0.7, 0.1, 0.1, 0.05, 0.05)
    >>> p.label, round(p.now, 2)
    ('complaint', 0.8)
    """

    complaint: float
    report: float
    past: float
    solo: float
    other: float

    @property
    def now(self) -> float:
        """That the service is failing as the post is written: complaint or report."""
        return self.complaint + self.report

    @property
    def label(self) -> str:
        """The likeliest label; the first of `LABELS` among equals."""
        values = self.as_tuple()
        return LABELS[values.index(max(values))]

    def as_tuple(self) -> tuple[float, float, float, float, float]:
        """The five in the order of `LABELS`."""
        return (self.complaint, self.report, self.past, self.solo, self.other)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a classifier makes of a mention.

    Attributes:
        p: calibrated at the labels' prior; the shift to the natural rate is the detector's.
        classifier: `name@artifact-hash`.
    """

    mention: Mention
    p: Probabilities
    classifier: str
