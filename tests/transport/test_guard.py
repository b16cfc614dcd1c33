"""The address guard: what we refuse to ask for and to connect to."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from typing import Any

import httpcore2
import pytest

from detector.errors import Permanent, Temporary
from detector.transport.guard import parse_target, redirected, refusal
from detector.transport.session import Limits, Session

# One list a line of thought is easier to read than sixty quoted texts.
_REFUSED_ADDRESSES = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.254 127.0.0.1 127.8.8.8 169.254.169.254 172.16.0.1
172.31.255.255 192.0.0.8 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9
224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255 :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254
64:ff9b::7f00:1 64:ff9b::8.8.8.8 64:ff9b:1::1 100::1 2001::1 2001:0:7f00:1::1 2001:10::1 2001:db8::1 2002:7f00:1::
2002:808:808::1 3fff::1 fc00::1 fd12:3456::1 fe80::1 fe80::1%eth0 fec0::1 ff02::1 4000::1 not-an-address
"""
_ACCEPTED_ADDRESSES = """
1.1.1.1 8.8.8.8 93.184.216.34 172.15.0.1 172.32.0.1 100.63.0.1 2606:4700::1111 2a00:1450::1
"""

_REFUSED_URLS = [
    "ftp://example.org/",
    "file:///etc/passwd",
    "gopher://example.org/",
    "//example.org/",
    "example.org",
    "",
    "http://",
    "http:///path",
    "http://user@example.org/",
    "http://user:secret@example.org/",
    "http://127.0.0.1:80\\@example.org/",
    "http://example.org\\.evil.example/",
    "http://example.org/a b",
    "http://example.org/\r\nHost: evil",
    "http://exa\tmple.org/",
    "http://example.org/\x00",
    "http://example.org:0/",
    "http://example.org:99999/",
    "http://example.org:port/",
    "http://0177.0.0.1/",
    "http://0x7f.0.0.1/",
    "http://0x7f000001/",
    "http://2130706433/",
    "http://127.1/",
    "http://127.0.0.1.5/",
    "http://[::1/",
    "http://[::gg]/",
    "http://-bad.example/",
    "http://a..b/",
    "http://" + "a" * 64 + ".example/",
    "http://example.org/" + "a" * 5000,
    "http://exam\u2028ple.org/",
    "http://exa%6dple.org/",
    "javascript:alert(1)",
    "data:text/html,hi",
    "http://ex ample.org/",
]

_PRIVATE_URLS = [
    "http://127.0.0.1/",
    "http://127.0.0.1:8080/feed",
    "https://10.1.2.3/",
    "http://192.168.0.1/",
    "http://172.20.0.1/",
    "http://100.100.100.100/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:7f00:1::1]/",
    "http://[fe80::1]/",
    "http://[fd00::1]/",
    "http://[ff02::1]/",
    "http://224.0.0.1/",
    "http://192.88.99.1/",
    "http://0.0.0.0/",
    "http://255.255.255.255/",
    "http://198.18.0.1/",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://１２７.０.０.１/",
    "http://internal.example/",
    "http://mixed.example/",
]
_NAMES = {
    "localhost": ["127.0.0.1", "::1"],
    "localhost.": ["127.0.0.1"],
    "internal.example": ["10.9.8.7"],
    "mixed.example": ["93.184.216.34", "10.0.0.1"],
    "public.example": ["93.184.216.34"],
}


class StubBackend(httpcore2.AsyncNetworkBackend):
    """Takes note of every address somebody wants to connect to, and connects to none."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        self.asked.append(host)
        raise httpcore2.ConnectError("this is a stub")


async def _resolve(host: str, port: int) -> list[str]:
    return _NAMES.get(host, [host])


def _fetch(
    url: str, *, allow_private: bool = False, names: dict[str, list[str]] | None = None
) -> tuple[str, list[str]]:
    """The kind of error a fetch ended with, and the addresses it tried to connect to."""
    stub = StubBackend()

    async def resolve(host: str, port: int) -> list[str]:
        return (names or _NAMES).get(host, [host])

    async def go() -> str:
        session = Session(allow_private=allow_private, limits=Limits(min_interval=0), resolver=resolve, backend=stub)
        try:
            await session.get(url)
        except (Permanent, Temporary) as error:
            return type(error).__name__
        finally:
            await session.aclose()
        return "fetched"

    return asyncio.run(go()), stub.asked


@pytest.mark.parametrize("address", _REFUSED_ADDRESSES.split())
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    """Every special-purpose range, mapped and translated forms included."""
    assert refusal(address)


@pytest.mark.parametrize("address", _ACCEPTED_ADDRESSES.split())
def test_a_public_address_is_accepted(address: str) -> None:
    """The guard refuses no more than it must, also just beside the refused ranges."""
    assert refusal(address) is None


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "192.168.1.1", "::1", "fd00::1", "::ffff:127.0.0.1"])
def test_allow_private_opens_the_own_network(address: str) -> None:
    """A source on one's own network is a decision of the user."""
    assert refusal(address, allow_private=True) is None


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "224.0.0.1", "2002:7f00:1::", "240.0.0.1"])
def test_allow_private_does_not_open_metadata_or_multicast(address: str) -> None:
    """Cloud credentials at the link-local address stay out of reach whatever the setting."""
    assert refusal(address, allow_private=True)


@pytest.mark.parametrize("url", _REFUSED_URLS)
def test_a_malformed_or_foreign_url_opens_no_connection(url: str) -> None:
    """Schemes, user names, backslashes, control characters and odd number forms are refused before any lookup."""
    assert _fetch(url) == ("Permanent", [])


@pytest.mark.parametrize("url", _PRIVATE_URLS)
def test_g7_a_url_that_leads_inside_opens_no_connection(url: str) -> None:
    """Judged by what the name resolves to; one bad address among good ones is enough."""
    assert _fetch(url) == ("Permanent", [])


def test_a_public_name_connects_to_the_judged_address() -> None:
    """The literal we judged is the one that is connected to, not the name again."""
    assert _fetch("http://public.example/x") == ("Temporary", ["93.184.216.34"])


def test_a_rebinding_name_is_resolved_once_a_connection() -> None:
    """However the answers of a hostile resolver alternate, no private address is ever connected to."""
    stub = StubBackend()
    answers = ["93.184.216.34", "127.0.0.1", "10.0.0.1", "::1", "169.254.169.254"]
    count = 0

    async def resolve(host: str, port: int) -> list[str]:
        nonlocal count
        count += 1
        return [answers[count * count % 5], answers[count % 5]][: 1 + count % 2]

    async def go() -> None:
        session = Session(limits=Limits(min_interval=0), resolver=resolve, backend=stub)
        for _ in range(200):
            with pytest.raises((Permanent, Temporary)):
                await session.get("http://rebinding.example/")
        await session.aclose()

    asyncio.run(go())

    assert count == 200
    assert set(stub.asked) == {"93.184.216.34"}


def test_g7_a_thousand_rebinding_sequences_reach_nothing_private() -> None:
    """Each name answers anew at every look-up: public first and private later, the other way round, both at once."""
    chance = random.Random(7)
    inside = [each for each in _REFUSED_ADDRESSES.split() if each != "not-an-address"]
    stub = StubBackend()
    looked: dict[str, int] = {}
    sequences = {
        f"r{n}.example": [
            chance.sample(inside if chance.random() < 0.5 else _ACCEPTED_ADDRESSES.split(), chance.randint(1, 3))
            for _ in range(4)
        ]
        for n in range(1000)
    }
    for answers in sequences.values():
        if chance.random() < 0.3:
            chance.choice(answers).append(chance.choice(inside))

    async def resolve(host: str, port: int) -> list[str]:
        looked[host] = looked.get(host, -1) + 1
        return sequences[host][looked[host] % 4]

    async def go() -> None:
        session = Session(limits=Limits(min_interval=0), resolver=resolve, backend=stub)
        for host in sequences:
            for _ in range(4):
                with pytest.raises((Permanent, Temporary)):
                    await session.get(f"http://{host}/")
        await session.aclose()

    asyncio.run(go())

    assert sum(looked.values()) == 3 * 1000
    assert stub.asked
    assert set(stub.asked) <= set(_ACCEPTED_ADDRESSES.split())


def test_a_redirect_target_is_judged_like_any_url() -> None:
    """Relative and absolute locations go through the same parser."""
    start = parse_target("https://example.org/a")

    assert redirected(start, "/b?c=d").url == "https://example.org/b?c=d"
    with pytest.raises(Permanent):
        redirected(start, "file:///etc/passwd")
    with pytest.raises(Permanent):
        redirected(start, "http://user@10.0.0.1/")


def test_messages_leave_out_the_query() -> None:
    """A key in a query never reaches a log."""
    assert parse_target("https://example.org/a?key=S3CR3T").shown == "https://example.org/a"


def test_unicode_paths_and_hosts_are_sent_as_ascii() -> None:
    """International addresses work, in the form servers understand."""
    target = parse_target("https://bücher.example/größe?q=ü")

    assert target.host == "xn--bcher-kva.example"
    assert target.path == "/gr%C3%B6%C3%9Fe?q=%C3%BC"
