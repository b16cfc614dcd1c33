"""praw over our own transport: one client a key, one request at a time, one rate budget for all sources.

praw does the login, the tokens and the retries, in a thread, since it blocks. Its requests go through the one guarded
session: a total deadline, a size, no proxy or netrc from the environment, the pause its rate allows. Its limiter would
sleep for up to ten minutes when Reddit's window is spent; we raise instead and say when to come back.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any, TypeVar

import praw
import prawcore
import requests

from detector.collectors.reddit_errors import transport_error
from detector.errors import Temporary, TransportError
from detector.transport.session import Response, Session, retry_after

WINDOW = 60.0
_ANY_STATUS = range(300, 600)
_SPARE = 60.0
# prawcore reads these and sleeps, or trips over values that are no numbers; we read them ourselves.
_OURS = ("x-ratelimit-remaining", "x-ratelimit-used", "x-ratelimit-reset", "www-authenticate")
T = TypeVar("T")


class Budget:
    """So many requests in any minute, whoever makes them, and none after Reddit says that its own count is spent.

    Args:
        per_minute: Reddit allows 100 a client.
        clock: seconds that only grow.
        wait: waits so many seconds; True means that the program is ending.
    """

    def __init__(
        self, per_minute: int, *, clock: Callable[[], float] = time.monotonic, wait: Callable[[float], bool]
    ) -> None:
        self.made = 0
        self._per_minute = per_minute
        self._clock = clock
        self._wait = wait
        self._times: deque[float] = deque()
        self._spent_until = 0.0

    def take(self) -> None:
        """Return when one more request may be made.

        Raises:
            Temporary: Reddit's own count is spent, or the program ends.
        """
        left = self._spent_until - self._clock()
        if left > 0:
            raise Temporary(f"reddit: the rate limit is spent for {left:.0f} s", retry_after=max(left, 1.0))
        while True:
            at = self._clock()
            while self._times and at - self._times[0] >= WINDOW:
                self._times.popleft()
            if len(self._times) < self._per_minute:
                break
            if self._wait(WINDOW - (at - self._times[0]) + 0.001):  # else rounding may leave it forever too early
                raise Temporary("reddit: stopping")
        self._times.append(at)
        self.made += 1

    def heed(self, headers: Mapping[str, str]) -> None:
        """Take note of what Reddit says is left."""
        try:
            remaining = float(headers.get("x-ratelimit-remaining", "nan"))
            reset = float(headers.get("x-ratelimit-reset", "nan"))
        except ValueError:
            return
        if remaining < 1 and reset > 0:
            self._spent_until = self._clock() + min(reset, 3600.0)

    @property
    def words(self) -> str:
        """What is left, for a person."""
        return f"{self.left} of {self._per_minute} requests a minute"

    @property
    def left(self) -> int:
        """Requests that may be made at once."""
        at = self._clock()
        return self._per_minute - sum(at - made < WINDOW for made in self._times)


class _Requestor(prawcore.Requestor):
    """prawcore's way to the network: our session, on the loop of whoever called `RedditClient.run`."""

    def __init__(self, *, fetch: Callable[[requests.PreparedRequest], Response], budget: Budget, **named: Any) -> None:
        super().__init__(**named)
        self._fetch = fetch
        self._budget = budget

    def request(
        self,
        *args: Any,
        timeout: float | None = None,  # noqa: ARG002 - the session has a deadline for the whole answer
        allow_redirects: bool = False,  # noqa: ARG002 - never; a redirect is Reddit's way of saying "no such community"
        **kwargs: Any,
    ) -> requests.Response:
        """One request within the budget."""
        self._budget.take()
        try:
            wanted = requests.Request(*args, **kwargs).prepare()
            wanted.headers["User-Agent"] = str(self._http.headers["User-Agent"])
            answer = self._fetch(wanted)
        except (TransportError, requests.RequestException, ValueError) as error:
            raise prawcore.RequestException(error, (), {}) from None
        headers = dict(answer.headers)
        self._budget.heed(headers)
        wait = retry_after(headers.pop("retry-after", None), headers.get("date"))
        if wait is not None:
            headers["retry-after"] = f"{wait:g}"
        for name in _OURS:
            headers.pop(name, None)
        if answer.status == 401:
            headers["www-authenticate"] = 'error="invalid_token"'
        if answer.status in {301, 302}:
            headers.setdefault("location", "/")
        response = requests.Response()
        response.status_code = answer.status
        response.headers.update(headers)
        response.url = answer.url
        response._content = answer.body  # requests offers no public way to hand over a body read elsewhere
        return response


class RedditClient:
    """One approved client of Reddit, shared by every source that uses its key.

    Args:
        client_id, client_secret: as Reddit gave them.
        user_agent: who we are, in Reddit's form `platform:app:version (by /u/name)`.
        reddit_url, oauth_url: where tokens come from and where is read.
        per_minute: the budget of all sources together.
        session: makes the requests.
    """

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: str,
        user_agent: str,
        reddit_url: str,
        oauth_url: str,
        per_minute: int,
        session: Session,
    ) -> None:
        self._session = session
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = threading.Event()
        self._turn = threading.Lock()
        self._users = 0
        self.budget = Budget(per_minute, wait=self._stopping.wait)
        # Everything is said here, so that a praw.ini or a praw_* variable lying about cannot say it.
        self._reddit = praw.Reddit(
            "DEFAULT",
            requestor_class=_Requestor,
            requestor_kwargs={"fetch": self._fetch, "budget": self.budget},
            client_id=client_id,
            client_secret=client_secret,
            user_agent=user_agent,
            reddit_url=reddit_url,
            oauth_url=oauth_url,
            username=None,
            password=None,
            refresh_token=None,
            redirect_uri=None,
            check_for_updates=False,
            check_for_async=False,
        )
        self._reddit.read_only = True

    def get(self, path: str, params: Mapping[str, str | int]) -> Any:
        """A document as JSON; blocks, so call it within `run`.

        Raises:
            TransportError: whatever went wrong.
        """
        if self._stopping.is_set():
            raise Temporary("reddit: stopping")
        try:
            return self._reddit.request(method="GET", path=path, params=dict(params))
        except (
            prawcore.PrawcoreException,
            praw.exceptions.PRAWException,
            requests.RequestException,
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
            AssertionError,
            RecursionError,
        ) as error:
            raise transport_error(error, path) from error

    async def run(self, read: Callable[[], T]) -> T:
        """Run something that calls `get` in a thread, one at a time; what it raises is raised here.

        The thread is a daemon's: a program that ends does not wait for a server that hangs.
        """
        loop = self._loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def settle(value: T | None, error: BaseException | None) -> None:
            if done.done():
                return
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(value)  # type: ignore[arg-type]

        def work() -> None:
            value, failure = None, None
            try:
                with self._turn:
                    value = read()
            except BaseException as error:  # noqa: BLE001 - handed over to whoever waits
                failure = error
            with suppress(RuntimeError):  # the program ended meanwhile: nobody waits any more
                loop.call_soon_threadsafe(settle, value, failure)

        threading.Thread(target=work, name="reddit", daemon=True).start()
        return await done

    def join(self) -> None:
        """One more source uses the client."""
        self._users += 1

    def leave(self) -> None:
        """A source is done; the last one ends what still runs."""
        self._users -= 1
        if self._users <= 0:
            self._stopping.set()

    def _fetch(self, wanted: requests.PreparedRequest) -> Response:
        """In the thread: have the session make the request on its loop, and wait for the answer."""
        url = str(wanted.url)
        # The session says itself how long the body is, and when to hang up.
        ours = {"content-length", "connection", "accept-encoding"}
        headers = {name: str(value) for name, value in wanted.headers.items() if name.lower() not in ours}
        if wanted.method == "GET":
            asked = self._session.get(url, headers=headers, accept=_ANY_STATUS)
        else:
            body = wanted.body if isinstance(wanted.body, bytes) else str(wanted.body or "").encode()
            asked = self._session.post(url, body, headers=headers, accept=_ANY_STATUS)
        try:
            if self._loop is None:
                raise RuntimeError
            answer = asyncio.run_coroutine_threadsafe(asked, self._loop)
        except RuntimeError:
            asked.close()
            raise Temporary("reddit: stopping") from None
        try:
            return answer.result(self._session.limits.deadline + _SPARE)
        except (TimeoutError, CancelledError):
            answer.cancel()
            raise Temporary("reddit: no answer came in time") from None
