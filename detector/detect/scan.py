"""The event-time negative-binomial scan: how rare is the densest recent window of complaining people?

At every accepted post it looks back over windows that start at earlier posts, compares the people in each with what
the hour usually brings, and converts the rarest into S = -ln(clusters at least as dense a month, by chance):

    S = -ln( rate * month * P[NB(mu, kappa) >= people after the first] )

A window is conditioned on its first post, so the first term is how often such a window starts. One global threshold
on S serves services of any volume (`../shared/DETECTION.md` section 1; scan statistics: Glaz, Naus and Wallenstein,
2001; negative binomial surveillance: Hoehle and Paul, CSDA 2008). State changes only at posts and at whole minutes,
never at calls, so batching changes nothing.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import exp, floor, log

from detector.detect.argument import Argument, enough_people, people_needed, rarest
from detector.detect.baseline import Baseline
from detector.detect.calibration import multiplicity
from detector.detect.closing import Closing
from detector.detect.dedupe import Copies, Votes, person, shingles
from detector.detect.episode import HOLD_MINUTES, HOLD_OVER, Episode, Held
from detector.detect.hearing import LATE_MINUTES, VOICE, hear, skim
from detector.detect.localtime import hour_of_week
from detector.detect.negbin import MONTH_MINUTES, log_tail
from detector.detect.state import dump_scan, load_scan
from detector.detect.talk import Talk
from detector.detect.usual import Usual
from detector.detect.weights import ComplaintShare, WeightScale, posterior, weight
from detector.detect.windows import DECIMALS, Start, Starts, Sums
from detector.domain import (
    Budget,
    Coverage,
    CoverageState,
    Estimate,
    Judgement,
    Level,
    Post,
    Service,
    from_minutes,
    to_minutes,
)
from detector.protocols import Signal

WATCH_BELOW = 3.0  # nats under the threshold at which a watch begins
WATCH_MINUTES = 60.0  # a watch that does not grow is forgotten
VOTER = 0.25  # a post less likely a complaint than this is nobody's vote
SURE_NAMELESS = 0.6  # no more than this from a post without an author: four of them, not three
NEW_ACCOUNT = timedelta(days=7)  # a younger account argues, but its owner is no voter; unknown age is not new
SAID_KEPT = 400  # newest accepted posts whose places are told
ACCEPT = 0.25  # weights below only feed the baseline


class ScanDetector:
    """One service's detector; see `detector.protocols.Detector`."""

    def __init__(self, service: Service, budget: Budget, prior: float) -> None:
        """Follow `service`; `prior` is the share of complaints at which the classifier's probabilities stand."""
        self.service = service.slug
        self.prior = prior
        self.budget = -log(budget.per_month)
        local = hour_of_week(service.timezone)
        rate = service.rate
        self.known = rate is not None
        people = Baseline(local_hour=local) if rate is None else Baseline(rate, 24.0, local)
        self.usual = Usual(people, Baseline(prior_rate=1.0, local_hour=local))
        self.share = ComplaintShare()
        self.scale = WeightScale()
        self.votes = Votes()
        self.copies = Copies()
        self.starts = Starts()
        self.episode: Episode | None = None
        self.clock: float | None = None  # whole minutes, in the order in which posts become known
        self.frontier = 0.0  # event time of the newest accepted or other mention
        self.sums = Sums()
        self.late = 0
        self.said: deque[tuple[float, str]] = deque(maxlen=SAID_KEPT)  # when and where, of each accepted post

    @property
    def threshold(self) -> float:
        """The score that spends the budget at the usual volume."""
        return self.budget + multiplicity(self.usual.people.level / 60.0)

    @property
    def needed(self) -> int:
        """Different people whom an alert needs."""
        return people_needed((self.usual.people.level + self.usual.talk.level) / 60.0)

    @property
    def learning(self) -> bool:
        """A full day for a stream with complaints in it, three for a silent one; half of it where the rate is known."""
        need = 24.0 if self.usual.people.total >= 20.0 else 72.0
        return self.usual.heard(self.clock) < (need / 2.0 if self.known else need)

    def observe(self, judgement: Judgement) -> Sequence[Signal]:
        """Take one judged mention; posts come in the order in which they became known."""
        post = judgement.mention.post
        known = to_minutes(post.seen_at)
        signals = self._advance(known)
        self.usual.learn_until(self.clock)
        at = min(known, to_minutes(post.created_at))
        if known - at > LATE_MINUTES:
            self.late += 1
            return signals
        if post.official:
            return signals
        p = judgement.p
        after = posterior(p.complaint, self.prior, self.share.value)
        w = weight(after)
        hear(self, at, after, p.now, post.source)
        if self.episode is not None and self.episode.closing is not None and p.past >= 0.5:
            self.episode.closing.recovered(p.past)
        if w < VOICE and p.report < 0.5:
            return signals
        accepted = w >= ACCEPT
        author = person(f"{'a' if accepted else 'f'}:{post.source}/{post.author or post.id}")
        moment = round(at, DECIMALS)
        if not self.votes.fresh(moment, author):
            if accepted and p.complaint >= VOTER:
                self._again(author)
            return signals
        if accepted and self.copies.is_copy(moment, shingles(post.text, judgement.mention.matched)):
            return signals
        self.usual.count(at, people=w)
        report = p.report > p.complaint and p.now >= 0.5
        sure = p.complaint if p.complaint >= VOTER and not report else 0.0
        if post.author is None:
            sure = min(sure, SURE_NAMELESS)
        new = _is_new(post)
        young = w if new else 0.0
        self._count(at, w, young, sure=sure, voter=sure > 0.0 and not new, report=report, keep=accepted or report)
        if accepted:
            self.scale.learn(w)
            self.said.append((moment, post.source))
        if not (accepted or report):
            return signals
        argued = self._argue(post.seen_at, known, w)
        return [*signals, argued] if argued else signals

    def advance(self, now: datetime) -> Sequence[Signal]:
        """Let time pass up to `now`."""
        return self._advance(to_minutes(now))

    def skim(self, talk: Talk) -> Iterator[int]:
        """Take what is no voice; yield the places of what must be observed (`detector.detect.talk.Skims`)."""
        return skim(self, talk)

    def hear(self, coverage: Coverage) -> None:
        """Remember a span in which nothing could be heard: it is neither learned nor taken for calm."""
        if coverage.state is not CoverageState.OK:
            self.usual.deafen(to_minutes(coverage.from_at), to_minutes(coverage.to_at))

    def muffle(self, coverage: Coverage) -> None:
        """Remember a span in which one source could not be heard: it drops out of what is expected."""
        places = self.usual.places
        if coverage.state is not CoverageState.OK and places.share(coverage.source) > 0.0:
            places.silence(coverage.source, to_minutes(coverage.from_at), to_minutes(coverage.to_at))

    @property
    def _alerting(self) -> bool:
        return self.episode is not None and self.episode.closing is not None

    # -- time ------------------------------------------------------------------------------------------------------

    def _advance(self, known: float) -> list[Signal]:
        minute = float(floor(known))
        if self.clock is None:
            self.clock = minute
            self.usual.next_hour = floor(minute / 60.0)
            return []
        signals: list[Signal] = []
        while self.clock < minute:
            if self.episode is None:
                self.clock = minute
            else:
                self.clock += 1.0
                signals += self._minute(self.clock)
                self.usual.learn_until(self.clock)
        return signals

    def _minute(self, minute: float) -> list[Signal]:
        """One minute of an open episode ends."""
        episode = self.episode
        if episode is None or self.usual.was_deaf(minute):
            return []
        if episode.closing is None:
            if episode.held is not None and minute - episode.held.at >= HOLD_MINUTES:
                held, episode.held = episode.held, None
                if self.sums.loud == held.start.loud:
                    argument = Argument(held.score, held.start, held.people, held.expected)
                    return [self._open(argument, from_minutes(minute), minute)]
            return self._close(minute) if minute - episode.seen >= WATCH_MINUTES else []
        self.usual.skip(minute - 1.0, minute - 1.0)
        why = episode.closing.minute(minute, self.usual.rate(minute))
        if why is None:
            return []
        if why == "age":
            hours = max((minute - episode.closing.opened) / 60.0, 0.5)
            self.usual.people.reset(episode.total / hours, hours=24.0)
        return self._close(minute)

    def _close(self, minute: float) -> list[Signal]:
        alerted = self._alerting
        self.episode = None
        if alerted:
            self.starts.kept.clear()
            self.said.clear()
            self.sums.local_count = self.sums.local_expected = 0.0
        return [Signal(level=None, at=from_minutes(minute))]

    def _again(self, author: int) -> None:
        """A voter has posted again: remembered once, in the windows that contain the vote."""
        voted = self.votes.again(author)
        if voted is not None:
            self.sums.loud += 1
            for start in (*self.starts.kept, *(self.episode.starts() if self.episode is not None else ())):
                start.loud += start.at > voted

    def _nearly(self, start: Start) -> bool:
        """Whether one voice is lacking, where many are asked for: of four who do not post again within a minute."""
        sums, needed = self.sums, self.needed
        return (
            needed > HOLD_OVER
            and sums.loud == start.loud
            and sums.young == start.young
            and enough_people(sums, start, needed - 1)[0]
        )

    # -- counting and arguing --------------------------------------------------------------------------------------

    def _count(self, at: float, w: float, young: float, *, sure: float, voter: bool, report: bool, keep: bool) -> None:
        """Add one post at its place in time; a late one is added to the windows that contain it."""
        sums = self.sums
        before: Sums | Start = sums
        total, expected, talk_expected = sums.total, sums.expected, sums.talk_expected
        if at < self.frontier:
            people_since, talk_since = self.usual.expected(at, self.frontier)
            expected -= people_since
            talk_expected -= talk_since
            later = [start for start in self.starts.kept if start.at > at]
            if later:
                before, total = later[0], later[0].before
            for start in (*later, *(self.episode.starts() if self.episode is not None else ())):
                if start.at > at:
                    start.add(w, young, sure=sure, voter=voter, report=report)
        if keep:
            sums.index += 1
            start = Start.of(
                before, at=at, total=total, expected=expected, talk_expected=talk_expected, own=w, now=sums
            )
            self.starts.add(start, sums.index)
        sums.local_count += w * self.scale.value
        sums.total += w
        sums.voters += voter
        sums.sure += sure
        sums.young += young
        sums.reports += report

    def _argue(self, seen_at: datetime, known: float, w: float) -> Signal | None:
        """Score the windows after an accepted post and say so where it matters."""
        episode = self.episode
        if episode is not None and episode.closing is not None:
            episode.closing.post(known, w, self.usual.rate(self.frontier))
            episode.total += w
            return self._update(episode, seen_at)
        if self.learning:
            return None
        threshold = self.threshold
        found, enough = rarest(
            self.starts, self.sums, self.usual, self.scale.value, self.frontier, least=threshold - WATCH_BELOW
        )
        if episode is not None and episode.told_score >= threshold:
            held = Argument(episode.told_score, episode.start, episode.told_people, episode.expected)
            if enough_people(self.sums, episode.start, self.needed)[1]:
                # The watch was as rare as an alert must be and lacked one voice; a report is one. (A third
                # complaint is not enough: it must make a rare window of its own, or chance had an hour to bring it.)
                enough = max(enough or held, held, key=lambda argument: argument.score)
        if enough is not None and enough.score >= threshold:
            return self._open(enough, seen_at, known)
        if found is None:
            return None
        waits = episode.held if episode is not None else None
        if waits is None and found.score >= threshold and self._nearly(found.start):
            waits = Held(known, replace(found.start), found.people, found.score, found.expected)
        if episode is not None:
            episode.seen, episode.held = known, waits
            if found.score < episode.told_score + 1.5:
                return None
        self.episode = Episode(
            Level.WATCH, known, replace(found.start), found.people, found.score, found.expected, held=waits
        )
        return Signal(level=Level.WATCH, at=seen_at, estimate=self._estimate(seen_at, found))

    def _open(self, argument: Argument, seen_at: datetime, known: float) -> Signal:
        score, start, people, mu = argument
        alone, _ = enough_people(self.sums, start, self.needed)
        closing = Closing.of(start.at, known, people, mu)
        self.episode = Episode(Level.ALERT, known, replace(start), people, score, mu, closing, people)
        self.usual.skip(start.at, known)
        estimate = self._estimate(seen_at, argument)
        return Signal(level=Level.ALERT, at=seen_at, estimate=estimate, corroborated=not alone)

    def _update(self, episode: Episode, seen_at: datetime) -> Signal | None:
        """While firing the window runs from the onset; a signal goes out when the argument has grown by half."""
        start = episode.start
        people = self.sums.total - start.before - start.own + 1.0
        if people < 1.5 * episode.told_people:
            return None
        mu = max(self.sums.expected - start.expected, 1e-9) * self.scale.value
        count = (people - 1.0) * self.scale.value
        kappa = 1.0 / (self.usual.people.phi + self.usual.people.variance(self.frontier))
        rate = self.usual.rate(self.frontier) * self.scale.value * MONTH_MINUTES
        score = -(log(rate) + log_tail(count, mu, kappa)) if count > mu else episode.told_score
        episode.told_people, episode.told_score = people, max(score, episode.told_score)
        estimate = self._estimate(seen_at, Argument(episode.told_score, start, people, mu))
        return Signal(level=Level.ALERT, at=seen_at, estimate=estimate)

    def _estimate(self, seen_at: datetime, argument: Argument) -> Estimate:
        score, start, people, mu = argument
        return Estimate(
            service=self.service,
            at=seen_at,
            onset=from_minutes(start.at),
            people=round(people, 2),
            expected=round(mu, 4),
            return_period_months=round(exp(min(score - multiplicity(self.usual.people.level / 60.0), 40.0)), 2),
            ratio=round(people / max(mu, 0.01), 2),
            score=round(score, 3),
            window_minutes=round(max(self.frontier - start.at, 0.0), 2),
            sources=self._sources(start.at),
            voters=self.sums.voters - start.voters,
        )

    def _sources(self, onset: float) -> tuple[tuple[str, float], ...]:
        places = Counter(source for at, source in self.said if at >= onset)
        ranked = sorted(places.items(), key=lambda place: (-place[1], place[0]))
        return tuple((source, float(count)) for source, count in ranked[:5])

    def dump(self) -> dict[str, object]:
        """The whole state as JSON-compatible values."""
        return dump_scan(self)

    def load(self, state: dict[str, object]) -> None:
        """Take over a dumped state; what follows is identical to never having stopped."""
        load_scan(self, state)


def _is_new(post: Post) -> bool:
    return post.account_created_at is not None and post.created_at - post.account_created_at < NEW_ACCOUNT


def build(service: Service, budget: Budget, prior: float) -> ScanDetector:
    """Entry point `scan` of `detector.detectors`."""
    return ScanDetector(service, budget, prior)
