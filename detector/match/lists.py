"""Names in a row share what is said of one of them: "Slack and Zoom both dead", "can't reach npm or GitHub"."""

from __future__ import annotations

import re

_JOINS = re.compile(
    r"(?:'s)?(?: ?[,/+&] ?(?:and |or |& |plus )?| (?:and|or|nor|plus|as well as|and also|n) |, (?:nor|not) )"
    r"(?:my |our |also |even |both |now )?(?:no )?"
)
_INSIDE = re.compile(r" (?:in|on|for|inside|over|via|through) (?:my |our )?")
_LACKS = re.compile(r"[ ,]*(?:no|nor|and no|or no|or) (?:my |our )?")
_NONE = re.compile(r"(?:^|[^\w'])(?:no|neither|without)(?: my| our)? $")


def joined(gap: str) -> bool:
    """Whether these folded characters between two names make them a list.

    >>> joined(" and "), joined("+"), joined(" ate my ")
    (True, True, False)
    """
    return len(gap) < 20 and _JOINS.fullmatch(gap) is not None


def inside(gap: str) -> bool:
    """Whether they put the first name inside the second ("Claude in Slack")."""
    return len(gap) < 20 and _INSIDE.fullmatch(gap) is not None


def lacking(before: str, gap: str) -> bool:
    """Whether both names are missed ("no twitch no discord").

    >>> lacking("so no ", " no ")
    True
    """
    return len(gap) < 20 and _LACKS.fullmatch(gap) is not None and _NONE.search(before[-20:]) is not None
