"""A recorded morning through the live daemon: real servers on 127.0.0.1, a temporary database, a clock that hurries."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from detector.app.answering import Answering, answers_beside
from detector.app.build import Blueprint, blueprint, connect, make_engine
from detector.app.clock import ReplayClock
from detector.app.daemon import Daemon
from detector.app.engine import Engine, Step, in_batches
from detector.app.loopback import SlackChannel, SlackMessage, slack_text, status_page
from detector.app.scenario import RecordedSource, Scenario, quiet_weeks
from detector.config.catalogue import load_catalogue
from detector.config.secret import Secret
from detector.config.settings import Settings
from detector.domain import (
    Alert,
    Change,
    Coverage,
    CoverageState,
    Judgement,
    Level,
    PageState,
    Post,
    Reason,
    StatusReading,
    format_time,
    parse_time,
)
from detector.protocols import Harvest
from detector.store import Store, open_reader
from detector.transport.session import Limits, Session

Say = Callable[[str], None]
ShowPage = Callable[[str], None]

_WARM_UP_BATCH = timedelta(hours=6)
_WIDTH = 110
_LOOK_S = 60.0
_ANSWERS_AFTER = timedelta(minutes=4)
_SIGNING = "demo-signing-secret"


async def run_demo(
    scenario: Scenario, folder: Path, say: Say, *, speed: float | None, show: ShowPage | None = None
) -> Alert | None:
    """Replay the morning and say what a person would see; returns the alert on the failing service, if any.

    Args:
        folder: for the database `demo.db` and the channel's messages `slack.json`; the caller removes it.
        speed: simulated seconds in a real one; None does not wait.
        show: serves the page meanwhile and is told its address, after the quiet weeks are heard.
    """
    clock = ReplayClock(scenario.starts_at, speed=speed)
    screen = Screen(scenario, say)
    notes: list[str] = []
    channel = SlackChannel(screen.slack, screen.slack_edit, clock.now)
    with status_page(lambda: scenario.document(clock.now())) as official, channel.server() as slack:
        plan = _plan(scenario, official.url, f"{slack.url}/api")
        path = folder / "demo.db"
        store = Store.open(path, now=scenario.starts_at)
        try:
            connections = connect(
                plan, path, notes, session=Session(allow_private=True, limits=Limits(min_interval=0.0))
            )
        except BaseException:
            store.close()
            raise
        for note in notes:
            say(note)
        sources = sorted({post.source for post in scenario.posts})
        connections = replace(connections, collectors=[RecordedSource(each, scenario.posts) for each in sources])
        async with AsyncExitStack() as stack:
            page = None if show is None else await stack.enter_async_context(_page(plan, store, clock))

            def warm() -> Engine:
                engine = _warmed_up(make_engine(plan, store, notes), scenario, say)
                if show is not None and page is not None:
                    # Not before: nobody opens a page on which nothing is known yet.
                    show(page)
                return engine

            daemon = Daemon(
                clock=clock,
                store=store,
                make_engine=warm,
                connections=connections,
                observer=screen,
                rng=random.Random(scenario.rule["seed"]),
                keep_store=True,
            )
            # Closed after the page and the answers.
            try:
                async with answers_beside(plan, store, connections.notifiers, clock.now) as answering:
                    await _play(daemon, scenario, clock, screen, _colleague(channel, answering, screen, clock))
            finally:
                store.close()
    kept = [
        {
            "at": format_time(each.at),
            "first": each.first,
            "message": each.body,
            "thread": [{"at": format_time(at), "message": body} for at, body in each.thread],
        }
        for each in channel.messages
    ]
    (folder / "slack.json").write_text(json.dumps(kept, ensure_ascii=False, indent=1), encoding="utf-8")
    screen.sum_up()
    return screen.alert


async def _play(
    daemon: Daemon, scenario: Scenario, clock: ReplayClock, screen: Screen, answer: Callable[[], Awaitable[None]]
) -> None:
    async def end() -> None:
        with clock.taking_part():
            while clock.now() < scenario.last_at - _ANSWERS_AFTER and not screen.open:
                await clock.sleep(_LOOK_S)
            if screen.open:
                await clock.sleep(_ANSWERS_AFTER.total_seconds())
                await answer()
            await clock.sleep((scenario.last_at - clock.now()).total_seconds())
            clock.hurry()
            while clock.now() < scenario.ends_at and screen.open:
                await clock.sleep(_LOOK_S)
            # Once more round, so that the last message has left.
            await clock.sleep(_LOOK_S)
            daemon.stop()

    ending = asyncio.create_task(end())
    try:
        await daemon.run()
    finally:
        ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)


def _colleague(
    channel: SlackChannel, answering: Answering | None, screen: Screen, clock: ReplayClock
) -> Callable[[], Awaitable[None]]:
    """Somebody who presses the first button of the first message, as Slack tells us of it: by a signed request."""

    async def press() -> None:
        message = next((each for each in channel.messages if each.buttons), None)
        if answering is None or message is None:
            return
        screen.say_at(clock.now(), f"Ann presses “{message.buttons[0]['text']['text']}” in Slack")
        body, headers = message.pressed(message.buttons[0], by="Ann", secret=_SIGNING, now=clock.now())
        await answering.endpoint(headers, body)
        await answering.settled()

    return press


@asynccontextmanager
async def _page(plan: Blueprint, store: Store, clock: ReplayClock) -> AsyncIterator[str]:
    """The page over the demo's database, at the demo's time; its address, on any free port of this machine."""
    from detector.app.page import page_surroundings, writer
    from detector.web import create_app, make_server

    app = create_app(lambda: open_reader(store.path), around=page_surroundings(plan, clock.now), act=writer(store))
    server = make_server(app, port=0)
    serving = asyncio.create_task(server.serve())
    try:
        yield server.address
    finally:
        server.stop()
        await asyncio.gather(serving, return_exceptions=True)


def _plan(scenario: Scenario, page: str, api: str) -> Blueprint:
    settings = Settings.model_validate(
        {
            "watch": {"services": scenario.watched} if scenario.watched else {},
            "sources": {},
            "receivers": {
                "slack": {
                    "type": "slack",
                    "token": Secret("xoxb-demo"),
                    "channel": "C0DEMO",
                    "api": api,
                    "signing_secret": Secret(_SIGNING),
                    "allow_loopback_http": True,
                },
            },
            "status": {"pages": {scenario.service: page}, "interval": 30},
        }
    )
    plan = blueprint(settings, load_catalogue())
    # Only the scenario's page is served here; the other providers are not asked.
    services = [each if each.slug == scenario.service else replace(each, status_pages=()) for each in plan.services]
    return blueprint(settings, services)


def _warmed_up(engine: Engine, scenario: Scenario, say: Say) -> Engine:
    """An engine that has heard the weeks before and knows what is usual."""
    count = 0
    for batch in in_batches(quiet_weeks(scenario.rule, until=scenario.starts_at), _WARM_UP_BATCH):
        count += len(batch)
        engine.take("before", Harvest(posts=tuple(batch)), batch[-1].seen_at)
    for source in sorted({post.source for post in scenario.posts}):
        engine.note(
            Coverage(
                source=source,
                from_at=parse_time(scenario.rule["starts_at"]),
                to_at=scenario.starts_at,
                state=CoverageState.OK,
            )
        )
    engine.checkpoint(scenario.starts_at)
    say(f"Two quiet weeks heard first ({count} posts): the detector knows what is usual.\n")
    return engine


class Screen:
    """What a person would see, line by line.

    Attributes:
        alert: the latest value of the first alert on the scenario's service.
    """

    def __init__(self, scenario: Scenario, say: Say) -> None:
        self.alert: Alert | None = None
        self._scenario = scenario
        self._say = say
        self._page: tuple[PageState, str | None] | None = None
        self._official_at: datetime | None = None
        self._posts = 0
        self._complaints = 0

    @property
    def open(self) -> bool:
        """Whether the scenario's alert still fires."""
        return self.alert is not None and self.alert.ended_at is None

    def stepped(self, step: Step) -> None:
        """Show the posts of a step and what they changed."""
        if step.source is not None:
            judged: dict[tuple[str, str], Judgement] = {}
            for judgement in step.judgements:
                key = judgement.mention.post.key
                if judgement.mention.service in (self._scenario.watched or (self._scenario.service,)):
                    judged[key] = max(judged.get(key, judgement), judgement, key=lambda each: each.p.now)
            for post in step.posts:
                self._show_post(post, judged.get(post.key))
        for change in step.changes:
            self._show_change(change)

    def read(self, reading: StatusReading) -> None:
        """Show what is new on the official page."""
        latest = None
        for incident in reading.incidents:
            if not incident.maintenance and incident.updates:
                newest = max(incident.updates, key=lambda update: update.at)
                latest = f"{newest.status}: {incident.title}"
                if self._official_at is None:
                    self._official_at = incident.first_posted_at
        shown = (reading.state, latest)
        if shown != self._page:
            self._page = shown
            words = f"{reading.state.value}" + (f", {latest}" if latest else "")
            self._say(f"{reading.at:%H:%M:%S}  OFFICIAL PAGE  {words}")

    def slack(self, body: dict[str, Any], above: SlackMessage | None) -> None:
        """Show a message as the channel does; what stands in a thread says under which message."""
        where = "Slack " if above is None else f"Slack, in the thread of “{slack_text(above.body)[0]}” "
        self._say(f"    ┌─ {where}".ljust(80, "─"))
        for line in slack_text(body):
            self._say(f"    │ {line}")
        self._say("    └" + "─" * 75)

    def slack_edit(self, message: SlackMessage) -> None:
        """Say how a message now begins."""
        title, *lines = slack_text(message.body)
        answered = "".join(f", “{line}”" for line in lines if line.startswith("Answered: "))
        self._say(f"    (Slack: the message now reads “{title}”{answered})")

    def say_at(self, at: datetime, words: str) -> None:
        """Show what somebody does."""
        self._say(f"{at:%H:%M:%S}  >>> {words}")

    def sum_up(self) -> None:
        """Say what came of it."""
        alert = self.alert
        self._say("")
        self._say(f"{self._posts} posts heard, {self._complaints} of them judged to speak of a present failure.")
        if alert is None or alert.fired_at is None:
            self._say(f"No alert was raised on {self._scenario.service}.")
            return
        self._say(f"We said so at          {alert.fired_at:%H:%M:%S} UTC")
        if self._official_at is not None:
            lead = (self._official_at - alert.fired_at).total_seconds() / 60
            self._say(f"The official page at   {self._official_at:%H:%M:%S} UTC")
            self._say(f"Lead                   {lead:.0f} minutes")
        if alert.ended_at is not None:
            self._say(f"Resolved at            {alert.ended_at:%H:%M:%S} UTC")

    def _show_post(self, post: Post, judgement: Judgement | None) -> None:
        self._posts += 1
        p = judgement.p.now if judgement else None
        if p is not None and p >= 0.5:
            self._complaints += 1
        mark = "   -" if p is None else f"{p:4.2f}"
        text = " ".join(post.text.split())
        line = f"{post.seen_at:%H:%M:%S}  {mark}  {post.source.removeprefix('reddit:'):<11.11}  {text}"
        self._say(line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…")

    def _show_change(self, change: Change) -> None:
        alert = change.alert
        if alert.service == self._scenario.service and (self.alert is None or self.alert.key == alert.key):
            self.alert = alert
        if change.reason is Reason.UPDATED:
            return
        words = alert.level.value if alert.level is not Level.WATCH else "watch (nobody is told yet)"
        if change.reason is Reason.RESOLVED:
            words = "resolved"
        elif change.reason is Reason.ACKNOWLEDGED:
            words = "the provider admits it"
        estimate = alert.estimate
        self._say(f"{change.at:%H:%M:%S}  >>> {alert.service.upper()} {words}  [{alert.key}]")
        if change.reason in {Reason.OPENED, Reason.RAISED, Reason.REOPENED}:
            self._say(
                f"              {estimate.people:.1f} people in {estimate.window_minutes:.1f} min, expected "
                f"{estimate.expected:.2f}; by chance once in {estimate.return_period_months:.3g} months"
            )
