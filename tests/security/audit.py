"""`make audit`: does a library that we stand on have a known hole? Asks PyPI's database, so it needs the network.

pip-audit passes where the database cannot be reached or knows nothing: every package is then "not found". Here that
is an answer of its own, so that nobody takes silence for health: 0 nothing known, 1 something known, 3 not asked.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

ENOUGH = 0.9
OWN = {"outage-detector"}


def verdict(report: dict[str, Any]) -> tuple[int, list[str]]:
    """The exit code and the words for pip-audit's report.

    >>> verdict({"dependencies": [{"name": "a", "version": "1", "skip_reason": "not found on PyPI"}]})[0]
    3
    >>> verdict({"dependencies": [{"name": "a", "version": "1", "vulns": []}]})
    (0, ['1 of 1 libraries audited, nothing known against them'])
    >>> verdict({"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "X-1", "fix_versions": ["2"]}]}]})
    (1, ['a 1: X-1, mended in 2'])
    """
    found = [each for each in report["dependencies"] if each["name"] not in OWN]
    audited = [each for each in found if "skip_reason" not in each]
    holes = [
        f"{each['name']} {each['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'no release'}"
        for each in audited
        for hole in each["vulns"]
    ]
    if holes:
        return 1, holes
    if len(audited) < ENOUGH * len(found):
        few = f"the database of known holes answered for {len(audited)} of {len(found)} libraries only"
        return 3, [f"NOT AUDITED: {few}; run this where pypi.org can be reached"]
    return 0, [f"{len(audited)} of {len(found)} libraries audited, nothing known against them"]


def main() -> int:
    """Ask, and say what came of it."""
    done = subprocess.run(
        [sys.executable, "-m", "pip_audit", "--local", "--progress-spinner", "off", "--timeout", "15", "-f", "json"],
        capture_output=True,
        text=True,
        timeout=600,
    )
    try:
        code, words = verdict(json.loads(done.stdout))
    except ValueError:
        code, words = 3, [f"NOT AUDITED: pip-audit gave no report; {done.stderr.strip()[-300:]}"]
    sys.stdout.write("\n".join(words) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
