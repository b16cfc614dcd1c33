"""Every channel with a server on this machine that answers as its documentation says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from detector import registry
from detector.config.secret import Secret
from detector.protocols import Notifier
from tests.loopback import Answer, Loopback, Reply, Request

SECRET = "S3CR3T000000000000000000000000xy"


class _Everything(dict[str, Answer]):
    """Whatever the path, one answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer

    def get(self, key: str, default: Any = None) -> Any:
        """The answer."""
        return self.answer


class Server(Loopback):
    """A loopback server that also takes PATCH and gives one answer to everything; `answer` may be changed."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        handler: Any = self._server.RequestHandlerClass
        handler.do_PATCH = handler._answer
        self.routes = _Everything(answer)

    def __enter__(self) -> Server:
        super().__enter__()
        return self

    def now(self, answer: Answer) -> None:
        """Answer so from here on."""
        self.routes = _Everything(answer)


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A channel and the protocol of its server.

    Attributes:
        plugin: the entry point.
        settings: of a server's address.
        answer: what the server says when it takes a message.
        refusals: what it says when it never will.
        idempotent: whether the server recognises a repetition.
    """

    name: str
    plugin: str
    settings: Callable[[str], Mapping[str, Any]]
    answer: Answer
    refusals: tuple[Reply, ...]
    idempotent: bool = False

    def make(self, url: str, *, timeout: float = 0.4, **more: Any) -> Notifier:
        """The notifier, through its entry point."""
        common = {"receiver": self.name, "allow_loopback_http": True, "timeout": timeout}
        made = registry.load("notifiers", self.plugin)({**common, **self.settings(url), **more})
        assert isinstance(made, Notifier)
        return made


class Slack:
    """A workspace of one channel: posts, threads, edits, history; `shown` is what people see.

    Attributes:
        shown: text by time stamp; `threads` the answers below it.
    """

    def __init__(self) -> None:
        self.shown: dict[str, dict[str, Any]] = {}
        self.threads: dict[str, list[dict[str, Any]]] = {}
        self.edits = 0

    def __call__(self, request: Request) -> Reply:
        """The Web API's methods that we use."""
        assert request.headers["authorization"] == f"Bearer {SECRET}"
        method = request.path.rpartition("/")[2]
        if method.startswith("conversations"):
            return self._read(method, request)
        body = json.loads(request.body)
        if method == "chat.update":
            return self._edit(body)
        ts = f"17000000{len(self.shown) + sum(map(len, self.threads.values())):02}.000100"
        if "thread_ts" in body:
            if body["thread_ts"] not in self.shown:
                return _json({"ok": False, "error": "thread_not_found"})
            self.threads.setdefault(body["thread_ts"], []).append(body | {"ts": ts})
        else:
            self.shown[ts] = body | {"ts": ts}
        return _json({"ok": True, "channel": "C1", "ts": ts, "message": {"text": body["text"]}})

    def _edit(self, body: dict[str, Any]) -> Reply:
        if body["ts"] not in self.shown:
            return _json({"ok": False, "error": "message_not_found"})
        self.shown[body["ts"]] |= body
        self.edits += 1
        return _json({"ok": True, "channel": "C1", "ts": body["ts"], "text": body["text"]})

    def _read(self, method: str, request: Request) -> Reply:
        asked = {**request.query}
        found = list(self.shown.values())
        if method == "conversations.replies":
            ts = _form(request, asked).get("ts", "")
            found = [self.shown[ts], *self.threads.get(ts, [])]
        return _json({"ok": True, "messages": [{"ts": one["ts"], "metadata": one.get("metadata")} for one in found]})


def _form(request: Request, query: Mapping[str, list[str]]) -> dict[str, str]:
    from urllib.parse import parse_qs

    values = {**query, **parse_qs(request.body.decode())}
    return {name: each[0] for name, each in values.items()}


def _json(value: dict[str, Any], status: int = 200) -> Reply:
    return Reply(json.dumps(value), status=status, headers={"Content-Type": "application/json"})


def slack_answer(request: Request) -> Reply:
    """One post taken; no history is kept."""
    if "conversations" in request.path:
        return _json({"ok": False, "error": "missing_scope"})
    return _json({"ok": True, "channel": "C1", "ts": "1700000000.000100"})


SLACK_BOT = Channel(
    name="slack_bot",
    plugin="slack",
    settings=lambda url: {"token": Secret(SECRET), "channel": "C1", "api": f"{url}/api"},
    answer=slack_answer,
    refusals=(
        _json({"ok": False, "error": "channel_not_found"}),
        _json({"ok": False, "error": "token_revoked"}),
        _json({"ok": False, "error": "invalid_auth"}, 401),
        _json({"ok": False, "error": "is_archived"}),
        _json({"ok": False, "error": "not_in_channel"}),
    ),
)
CHANNELS = (
    Channel(
        name="slack",
        plugin="slack",
        settings=lambda url: {"webhook": Secret(f"{url}/services/{SECRET}")},
        answer=Reply("ok"),
        refusals=(
            Reply("no_service", status=404),
            Reply("channel_not_found", status=404),
            Reply("token_revoked", status=403),
            Reply('{"ok": false, "error": "no_service"}'),
        ),
    ),
    SLACK_BOT,
    Channel(
        name="discord",
        plugin="discord",
        settings=lambda url: {"webhook": Secret(f"{url}/api/webhooks/1/{SECRET}")},
        answer=_json({"id": "111222333", "channel_id": "9"}),
        refusals=(
            _json({"message": "Unknown Webhook", "code": 10015}, 404),
            _json({"message": "Invalid Webhook Token", "code": 50027}, 401),
            _json({"message": "Invalid Form Body", "code": 50035}, 400),
        ),
    ),
    Channel(
        name="teams",
        plugin="teams",
        settings=lambda url: {"webhook": Secret(f"{url}/workflows/{SECRET}/triggers/manual")},
        answer=Reply(status=202),
        refusals=(Reply("{}", status=400), Reply("{}", status=404), Reply("{}", status=401)),
    ),
    Channel(
        name="webhook",
        plugin="webhook",
        settings=lambda url: {"url": Secret(f"{url}/in/{SECRET}"), "secret": Secret(SECRET)},
        answer=Reply(status=204),
        refusals=(Reply(status=410), Reply(status=401), Reply(status=302, headers={"Location": "http://127.0.0.1:1/"})),
    ),
    Channel(
        name="pagerduty",
        plugin="pagerduty",
        settings=lambda url: {"routing_key": Secret(SECRET), "api": f"{url}/v2/enqueue"},
        answer=_json({"status": "success", "message": "Event processed", "dedup_key": "x"}, 202),
        refusals=(_json({"status": "invalid event", "errors": []}, 400), _json({"status": "x"}, 403)),
        idempotent=True,
    ),
    Channel(
        name="opsgenie",
        plugin="opsgenie",
        settings=lambda url: {"api_key": Secret(SECRET), "api": url},
        answer=_json({"result": "Request will be processed", "took": 0.1, "requestId": "r"}, 202),
        refusals=(_json({"message": "Key format is not valid!"}, 422), _json({"message": "no"}, 401)),
    ),
)
