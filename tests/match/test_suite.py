"""The matcher, with the catalogue we ship, on sentences written by somebody who did not read its rules.

`tests/fixtures/matching/sentences.jsonl` holds one JSON a line: `text`, `services` (the slugs that a careful
person says the text names, sorted) and `kind` (what makes it hard; `trap-...` where a name is not the service).
Gold follows one rule: the product a person would open the status page of, so the child and not the parent
("Google Calendar" is no mention of Google), chatter too, but no link, address or code that merely holds a name.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from detector.config.catalogue import load_catalogue
from detector.match import NameMatcher
from tests.builders import make_post

SENTENCES = Path(__file__).parents[1] / "fixtures" / "matching" / "sentences.jsonl"
PRECISION, RECALL = 0.97, 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One line of the suite: what it says, whom it names, and what is hard about it."""

    text: str
    services: frozenset[str]
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the matcher made of one sentence."""

    sentence: Sentence
    found: frozenset[str]

    @property
    def right(self) -> frozenset[str]:
        """Services both named and found."""
        return self.sentence.services & self.found

    @property
    def invented(self) -> frozenset[str]:
        """Services found that the text does not name."""
        return self.found - self.sentence.services

    @property
    def missed(self) -> frozenset[str]:
        """Services the text names that were not found."""
        return self.sentence.services - self.found

    def __str__(self) -> str:
        """One line of the list of failures."""
        signs = [f"+{slug}" for slug in sorted(self.invented)] + [f"-{slug}" for slug in sorted(self.missed)]
        return f"{self.sentence.kind:14} {' '.join(signs):28} {self.sentence.text}"


def read_sentences() -> list[Sentence]:
    """The suite, in file order."""
    rows = [json.loads(line) for line in SENTENCES.read_text(encoding="utf-8").splitlines()]
    return [Sentence(text=row["text"], services=frozenset(row["services"]), kind=row["kind"]) for row in rows]


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    """Every sentence through the matcher that runs live."""
    matcher = NameMatcher(load_catalogue())
    return [
        Outcome(
            sentence=sentence,
            found=frozenset(mention.service for mention in matcher.match(make_post(text=sentence.text))),
        )
        for sentence in read_sentences()
    ]


def test_the_suite_is_large_hard_and_balanced() -> None:
    """At least 1,000 different sentences, 350 traps, 120 services; only slugs of the catalogue, sorted."""
    rows = [json.loads(line) for line in SENTENCES.read_text(encoding="utf-8").splitlines()]
    sentences = read_sentences()
    slugs = {service.slug for service in load_catalogue()}
    named = {slug for sentence in sentences for slug in sentence.services}

    assert len({sentence.text.casefold() for sentence in sentences}) == len(sentences) >= 1000
    assert sum(sentence.kind.startswith("trap-") for sentence in sentences) >= 350
    assert len(named) >= 120
    assert named <= slugs
    assert all(row["services"] == sorted(set(row["services"])) for row in rows)


def test_the_matcher_names_what_a_careful_person_names(outcomes: list[Outcome]) -> None:
    """Micro precision and recall over (sentence, service) pairs reach the bars; the failures are printed."""
    right = sum(len(outcome.right) for outcome in outcomes)
    invented = sum(len(outcome.invented) for outcome in outcomes)
    missed = sum(len(outcome.missed) for outcome in outcomes)
    precision = right / (right + invented)
    recall = right / (right + missed)
    failures = [str(outcome) for outcome in outcomes if outcome.invented or outcome.missed]
    summary = f"precision {precision:.4f}, recall {recall:.4f}: {right} right, {invented} invented, {missed} missed"

    sys.stdout.write("\n".join([summary, *failures, ""]))

    assert precision >= PRECISION, summary
    assert recall >= RECALL, summary
