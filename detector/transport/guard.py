"""Which URLs and which addresses we are willing to talk to; pure tables, no sockets.

The standard library's `is_global` is not enough: on Python 3.11 it calls 224.0.0.1, 192.88.99.1, 64:ff9b::7f00:1
and 2002:7f00:1:: global. So the refused networks are written out (IANA special-purpose registries, RFC 6890),
and an IPv6 address must lie in 2000::/3 and outside every range that embeds an IPv4 address.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

from detector.errors import Permanent

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _table(rows: str) -> tuple[tuple[Network, str, bool], ...]:
    """Rows of `network meaning`; a `+` before the meaning says that `allow_private` opens it."""
    found = []
    for row in rows.strip().splitlines():
        network, meaning = row.split(maxsplit=1)
        found.append((ipaddress.ip_network(network), meaning.removeprefix("+ "), meaning.startswith("+ ")))
    return tuple(found)


_REFUSED_V4 = _table("""
    0.0.0.0/8        "this network"
    10.0.0.0/8       + private
    100.64.0.0/10    + shared by carriers (CGNAT)
    127.0.0.0/8      + loopback
    169.254.0.0/16   link-local (cloud metadata)
    172.16.0.0/12    + private
    192.0.0.0/24     protocol assignments
    192.0.2.0/24     documentation
    192.88.99.0/24   6to4 relay
    192.168.0.0/16   + private
    198.18.0.0/15    benchmarking
    198.51.100.0/24  documentation
    203.0.113.0/24   documentation
    224.0.0.0/4      multicast
    240.0.0.0/4      reserved
""")

_REFUSED_V6 = _table("""
    ::1/128          + loopback
    fc00::/7         + private (unique local)
    64:ff9b::/96     NAT64
    64:ff9b:1::/48   NAT64
    2001::/32        Teredo
    2001::/23        protocol assignments
    2001:db8::/32    documentation
    2002::/16        6to4
    3fff::/20        documentation
    fe80::/10        link-local
    fec0::/10        site-local
    ff00::/8         multicast
""")
_GLOBAL_V6 = ipaddress.ip_network("2000::/3")


def refusal(address: str, *, allow_private: bool = False) -> str | None:
    """Why we will not connect to a literal address; None if we will.

    `allow_private` opens loopback, private and carrier-shared networks. Link-local (where clouds keep
    their credentials), multicast, reserved and translated addresses stay closed whatever the setting.

    >>> refusal("8.8.8.8"), refusal("127.0.0.1"), refusal("127.0.0.1", allow_private=True)
    (None, 'loopback', None)
    >>> refusal("2002:7f00:1::"), refusal("::ffff:10.0.0.1"), refusal("169.254.169.254", allow_private=True)
    ('6to4', 'private', 'link-local (cloud metadata)')
    """
    try:
        at: Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "not an address"
    if isinstance(at, ipaddress.IPv6Address) and at.ipv4_mapped is not None:
        at = at.ipv4_mapped
    for network, meaning, private in _REFUSED_V4 if at.version == 4 else _REFUSED_V6:
        if at in network:
            return None if private and allow_private else meaning
    if at.version == 6 and at not in _GLOBAL_V6:
        return "outside the global range 2000::/3"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A URL taken apart once; these very parts go into the connection, so no second parser can differ.

    Attributes:
        host: lower-case ASCII name or literal address, without brackets.
        port: explicit or the scheme's own.
        path: path and query as sent, ASCII.
    """

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> str:
        """`host:port`, the key of rate limits.

        >>> parse_target("https://Example.org/a").origin
        'example.org:443'
        """
        return f"{self.host}:{self.port}"

    @property
    def netloc(self) -> str:
        """Host as it stands in a URL and a Host header, with the port where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole URL again."""
        return f"{self.scheme}://{self.netloc}{self.path}"

    @property
    def shown(self) -> str:
        """The URL without its query, which may hold a secret: for messages and logs."""
        return f"{self.scheme}://{self.netloc}{self.path.partition('?')[0]}"


_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?")
_BAD = re.compile(r"[\x00-\x20\x7f-\x9f\\\u2028\u2029]")
_MAX_URL = 4096


def parse_target(url: str) -> Target:
    r"""Take a URL apart, or say why we will not ask for it.

    Raises:
        Permanent: no http(s), a user name or password in it, a backslash, blank or control character,
            a host that is no name and no plain address, or longer than 4,096 characters.

    >>> parse_target("http://example.org:8080/a b".replace(" ", "%20")).path
    '/a%20b'
    >>> parse_target("http://127.0.0.1\\@example.org/")
    Traceback (most recent call last):
    detector.errors.Permanent: ...
    """
    if len(url) > _MAX_URL:
        raise Permanent(f"URL of {len(url)} characters ({url[:60]!r}...): at most {_MAX_URL} are accepted")
    if _BAD.search(url):
        raise Permanent(f"URL {url[:120]!r} holds a backslash, a blank or a control character: write it plainly")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Permanent(f"URL {url[:120]!r} cannot be read: {error}") from error
    if parts.scheme not in _PORTS:
        raise Permanent(f"URL {url[:120]!r}: only http and https are fetched")
    if "@" in parts.netloc:
        raise Permanent(f"URL of {parts.hostname!r} holds a user name or password: put secrets in a header setting")
    host = _host(parts.hostname or "", url)
    if port == 0:
        raise Permanent(f"URL {url[:120]!r}: port 0 does not exist")
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    if parts.query:
        path += "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    return Target(scheme=parts.scheme, host=host, port=port or _PORTS[parts.scheme], path=path)


def redirected(target: Target, location: str) -> Target:
    """Where a `Location` header leads; judged like any URL.

    >>> redirected(parse_target("https://example.org/a/b"), "../c").url
    'https://example.org/c'
    """
    return parse_target(urljoin(target.url, location.strip()))


def _host(host: str, url: str) -> str:
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError as error:
            raise Permanent(f"URL {url[:120]!r}: {host!r} is no address") from error
    try:
        name = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise Permanent(f"URL {url[:120]!r}: {host!r} is no host name") from error
    name = name.lower()
    if len(name) > 253 or not _NAME.fullmatch(name):
        raise Permanent(f"URL {url[:120]!r}: {host!r} is no host name")
    # 0177.0.0.1, 0x7f.1 and 2130706433 mean 127.0.0.1 to some resolvers: only the plain form is an address.
    last = name.rstrip(".").rpartition(".")[2]
    if last.isdigit() or last.startswith("0x"):
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError as error:
            raise Permanent(f"URL {url[:120]!r}: write the address as four plain numbers") from error
    return name
