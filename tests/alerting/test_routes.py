"""Which routes lead where, by a table, and the settings that make them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from detector.alerting.quiet import Hours
from detector.alerting.routes import REPEAT, Context, Receiver, Route, receiver_of, refusal
from detector.domain import Level
from detector.errors import ConfigError
from tests.builders import at, make_alert

CONTEXT = Context(categories={"slack": "chat", "claude": "ai"}, tags={"slack": ["prod", "office"]})
OFFICE = Hours.parse("09:00-17:00", days=["mon", "tue", "wed", "thu", "fri"])


@pytest.mark.parametrize(
    ("route", "hour", "expected"),
    [
        pytest.param(Route(), 0, None, id="no condition"),
        pytest.param(Route(services=("slack",)), 0, None, id="its service"),
        pytest.param(Route(services=("zoom",)), 0, "no_route", id="another service"),
        pytest.param(Route(categories=("chat", "ai")), 0, None, id="its category"),
        pytest.param(Route(categories=("ai",)), 0, "no_route", id="another category"),
        pytest.param(Route(tags=("prod",)), 0, None, id="its tag"),
        pytest.param(Route(tags=("lab",)), 0, "no_route", id="another tag"),
        pytest.param(Route(hours=OFFICE), 10, None, id="in office hours"),
        pytest.param(Route(hours=OFFICE), 20, "no_route", id="after office hours"),
        pytest.param(Route(hours=OFFICE), 24 * 5 + 10, "no_route", id="on a Saturday"),
        pytest.param(Route(level=Level.MAJOR), 0, "below_level", id="for major alerts"),
        pytest.param(Route(level=Level.WATCH), 0, None, id="for watches too"),
        pytest.param(Route(services=("slack",), tags=("lab",)), 0, "no_route", id="both must hold"),
    ],
)
def test_a_route_leads_where_all_its_conditions_hold(route: Route, hour: int, expected: str | None) -> None:
    """Each row is one rule."""
    receiver = Receiver(name="r", routes=(route,))

    found = refusal(make_alert(), receiver, CONTEXT, at(hour * 60))

    assert (found and found[0]) == expected


def test_one_route_is_enough() -> None:
    """Office hours for all, at night what is tagged."""
    receiver = Receiver(name="r", routes=(Route(hours=OFFICE), Route(tags=("prod",))))

    assert refusal(make_alert(), receiver, CONTEXT, at(3 * 60)) is None
    assert refusal(make_alert(service="claude"), receiver, CONTEXT, at(3 * 60)) is not None


def test_settings_make_a_receiver() -> None:
    """Everything that can be set."""
    made = receiver_of(
        "ops",
        Level.ALERT,
        ["*"],
        {
            "timezone": "Europe/Berlin",
            "categories": ["ai"],
            "routes": [{"tags": ["prod"], "level": "major", "hours": "00:00-24:00"}],
            "quiet_hours": "22:00-07:00",
            "quiet_through": "major",
            "escalate_after": 45,
            "repeat": 0,
            "digest": "09:00",
            "during_maintenance": True,
            "fallback": "pager",
            "fallback_after": 45,
            "burst": 1,
            "every": 30,
            "webhook": "not ours",
        },
        kind="slack",
    )

    assert made.services == ()
    assert made.routes == (
        Route(categories=("ai",)),
        Route(tags=("prod",), level=Level.MAJOR, hours=Hours.parse("00:00-24:00", zone="Europe/Berlin")),
    )
    assert made.quiet is not None
    assert made.quiet.escalate_after == timedelta(minutes=45)
    assert (made.repeat, made.maintenance, made.depends_on) == (None, True, ("slack",))
    assert made.digest is not None
    assert made.digest.begin == 540
    assert (made.fallback, made.fallback_after) == ("pager", timedelta(seconds=45))
    assert (made.burst, made.every) == (1, timedelta(seconds=30))


def test_settings_say_nothing_is_the_default() -> None:
    """All services at their level, repeated every four hours."""
    assert receiver_of("ops", Level.ALERT, ["*"], {}) == Receiver(name="ops", repeat=REPEAT)
    assert receiver_of("ops", Level.ALERT, ["zoom"], {}).services == ("zoom",)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"hours": "9 to 5"}, "hours"),
        ({"quiet_hours": "25:00-07:00"}, "quiet_hours"),
        ({"hours": "09:00-17:00", "days": ["monday"]}, "days"),
        ({"hours": "09:00-17:00", "timezone": "Europe/Nowhere"}, "time zone"),
        ({"digest": "nine"}, "digest"),
        ({"repeat": -1}, "repeat"),
        ({"repeat": True}, "repeat"),
        ({"quiet_hours": "22:00-07:00", "escalate_after": "soon"}, "escalate_after"),
        ({"quiet_hours": "22:00-07:00", "quiet_through": "huge"}, "quiet_through"),
        ({"categories": "ai"}, "categories"),
        ({"tags": [1]}, "tags"),
        ({"routes": "all"}, "routes"),
        ({"routes": [{"service": ["x"]}]}, "routes.service"),
        ({"routes": [{"level": "loud"}]}, "level"),
        ({"depends_on": "slack"}, "depends_on"),
        ({"fallback": "ops"}, "fallback"),
        ({"fallback": ["pager"]}, "fallback"),
        ({"burst": 0}, "burst"),
        ({"every": 0}, "every"),
    ],
)
def test_a_setting_that_will_not_do_is_named(options: dict[str, object], named: str) -> None:
    """With what to write."""
    with pytest.raises(ConfigError, match=named):
        receiver_of("ops", Level.ALERT, ["*"], options)
