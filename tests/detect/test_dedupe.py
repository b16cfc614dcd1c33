"""One person, one vote; one text, one vote: at the edges where a wrong sign would let a campaign through."""

from __future__ import annotations

import zlib

import pytest

from detector.detect.dedupe import COPIED_SHARE, MIN_COPIED_WORDS, Copies, Votes, person, shingles

LONG = "the upload page has been failing for our whole office since nine this morning in leeds"


def pairs(*numbers: int) -> frozenset[int]:
    return frozenset(numbers)


def test_a_text_of_eight_words_is_long_and_one_of_seven_is_not() -> None:
    """The name, links and handles are no words of it."""
    eight = "nothing loads anymore whatever browser one tries today"
    seven = "nothing loads anymore whatever browser someone tries"

    assert len(eight.split()) == MIN_COPIED_WORDS
    found = shingles(eight)
    assert found is not None
    assert len(found) == MIN_COPIED_WORDS - 1
    assert shingles(seven) is None
    assert shingles(f"{seven} slack", "Slack") is None
    assert shingles(f"{seven} https://t.co/1 @somebody #down") is None


def test_a_short_text_is_not_looked_at_whatever_its_words() -> None:
    """Thirty letters are needed; at thirty the words decide."""
    twenty_nine, thirty = "a b c d e f g h i j k l m n o", "a b c d e f g h i j k l m n op"

    assert (len(twenty_nine), len(thirty)) == (29, 30)
    assert shingles(twenty_nine) is None
    assert shingles(thirty) is not None


def test_only_the_first_thousand_letters_count() -> None:
    """What follows changes nothing, what stands before does."""
    text = "word " * 199 + "end. " + "tail"

    assert shingles(text[:1000]) == shingles(text[:1000] + " and so on")
    assert shingles("x" * 999 + " two three") is None
    assert shingles(text[:980] + "quite different words") != shingles(text[:1000])


@pytest.mark.parametrize(
    ("first", "second", "copy"),
    [
        (pairs(1, 2, 3, 4), pairs(1, 2, 3, 9), True),  # three of four are enough
        (pairs(1, 2, 3, 4), pairs(1, 2, 8, 9), False),
        (pairs(1, 2, 3, 4), pairs(1, 2, 3, 5, 6, 7, 8, 9), True),  # of the shorter one
        (pairs(1, 2, 3, 5, 6, 7, 8, 9), pairs(1, 2, 3, 4), True),
        (pairs(1, 2, 3, 4), pairs(5, 6, 7, 8), False),
    ],
)
def test_a_text_is_a_copy_if_most_of_the_shorter_one_stands_in_the_other(
    first: frozenset[int], second: frozenset[int], copy: bool
) -> None:
    """Three quarters, in either direction."""
    copies = Copies()

    assert COPIED_SHARE == 0.75
    assert not copies.is_copy(0.0, first)
    assert copies.is_copy(1.0, second) is copy
    # A copy is not remembered as a text of its own; what is new is.
    assert len(copies.seen) == 2 - copy


def test_a_text_is_forgotten_after_its_time_and_not_before() -> None:
    """Late posts, from before the text that was seen, are compared too."""
    copies = Copies(ttl=10.0)
    text = shingles(LONG)

    assert not copies.is_copy(0.0, text)
    assert copies.is_copy(9.9, text)
    assert copies.is_copy(-9.9, text)
    assert not copies.is_copy(10.0, text)
    assert len(copies.seen) == 2
    assert not copies.is_copy(0.0, None)


def test_so_many_texts_are_kept_and_the_oldest_go_first() -> None:
    """A quarter goes at once when there is one too many."""
    copies = Copies(ttl=1e9, cap=8)
    for number in range(8):
        assert not copies.is_copy(0.0, pairs(number * 10))
    assert len(copies.seen) == 8

    assert not copies.is_copy(0.0, pairs(999))

    assert len(copies.seen) == 7
    assert not copies.is_copy(0.0, pairs(10))  # the first two are forgotten
    assert copies.is_copy(0.0, pairs(20))
    assert Copies().ttl == 180.0
    assert Copies().cap == 200


def test_a_vote_holds_from_the_first_post_for_its_time() -> None:
    """Repeating it neither counts nor makes it last; a post from before counts as much as one after."""
    votes = Votes(ttl=10.0)

    assert votes.fresh(0.0, "a")
    assert not votes.fresh(6.0, "a")
    assert votes.seen["a"] == 0.0
    assert not votes.fresh(9.9, "a")
    assert not votes.fresh(-9.9, "a")
    assert votes.fresh(10.0, "a")
    assert votes.seen["a"] == 10.0


def test_any_known_key_makes_it_stale_and_all_are_remembered() -> None:
    """Absent keys are passed over, not taken for the end."""
    votes = Votes()

    assert votes.fresh(0.0, None, "a", None, "b")
    assert not votes.fresh(1.0, "c", "b")
    assert not votes.fresh(2.0, None, "c")
    assert votes.fresh(3.0)
    assert votes.fresh(3.0, None)
    assert Votes().ttl == 180.0
    assert Votes().cap == 4096


def test_votes_are_bounded_and_the_living_stay() -> None:
    """Beyond the cap the expired go first, an hour on, as posts may be an hour late; else the newest half remains."""
    votes = Votes(ttl=10.0, cap=4)
    for number in range(4):
        votes.fresh(0.0, f"old{number}")
    assert len(votes.seen) == 4
    votes.fresh(70.0, "new")
    assert set(votes.seen) == {"new"}

    crowded = Votes(ttl=100.0, cap=4)
    for number in range(5):
        crowded.fresh(float(number), f"v{number}")
    assert set(crowded.seen) == {"v3", "v4"}

    edge = Votes(ttl=10.0, cap=2)
    edge.fresh(0.0, "expired")
    edge.fresh(0.5, "alive")
    edge.fresh(70.0, "now")
    assert set(edge.seen) == {"alive", "now"}


def test_what_can_still_be_repeated_is_what_a_post_written_an_hour_ago_may_meet() -> None:
    """To the minute, whatever the time of day; of texts as of votes."""
    copies, votes = Copies(ttl=10.0), Votes(ttl=10.0)
    for at in (1000.0, 1000.5, 1069.0):
        assert not copies.is_copy(at, pairs(int(at * 10)))
        assert votes.fresh(at, f"v{at}")

    assert [at for at, _ in copies.recent(1070.0)] == [1000.5, 1069.0]
    assert sorted(votes.recent(1070.0).values()) == [1000.5, 1069.0]
    assert copies.is_copy(1078.9, pairs(10690))
    assert not votes.fresh(1078.9, "v1069.0")
    assert not copies.is_copy(1079.0, pairs(10690))


def test_only_the_living_texts_stay_beyond_the_cap() -> None:
    """What nobody can repeat any more goes first, and then nothing else has to."""
    copies = Copies(ttl=10.0, cap=2)
    for at in (1000.0, 1000.5, 1070.0):
        assert not copies.is_copy(at, pairs(int(at * 10)))

    assert [at for at, _ in copies.seen] == [1000.5, 1070.0]


def test_nothing_is_forgotten_up_to_the_cap() -> None:
    """Not even what is out of time; one more, and only the living stay, all of them."""
    copies, votes = Copies(ttl=10.0, cap=4), Votes(ttl=10.0, cap=4)
    for number, at in enumerate((0.0, 1000.0, 1001.0, 1002.0)):
        copies.is_copy(at, pairs(number * 10))
        votes.fresh(at, f"v{number}")
    assert (len(copies.seen), len(votes.seen)) == (4, 4)

    copies.is_copy(1003.0, pairs(990))
    votes.fresh(1003.0, "new")

    assert [at for at, _ in copies.seen] == sorted(votes.seen.values()) == [1000.0, 1001.0, 1002.0, 1003.0]


def test_of_too_many_living_votes_the_newest_half_stays() -> None:
    """Half of the cap, and of equals always the same."""
    votes = Votes(ttl=100.0, cap=6)
    for name in "abcdefg":
        votes.fresh(1.0, name)

    assert set(votes.seen) == {"e", "f", "g"}


def test_who_posts_again_is_told_once_a_vote() -> None:
    """With the moment of the vote; a new vote begins anew; somebody forgotten was never loud."""
    votes = Votes(ttl=10.0, cap=2)
    votes.fresh(0.0, "a")
    assert votes.again("nobody") is None
    assert (votes.again("a"), votes.again("a")) == (0.0, None)
    assert not votes.fresh(5.0, None, "a")
    assert votes.again("a") is None
    assert votes.fresh(50.0, None, "a")
    assert (votes.again("a"), votes.again("a")) == (50.0, None)
    votes.fresh(51.0, "b")
    votes.fresh(200.0, "c")
    assert set(votes.seen) == {"c"}
    assert votes.loud == set()


def test_the_key_of_a_person_never_changes() -> None:
    """Saved states hold it; three bytes of it."""
    assert person("ada") == 0xFFFFFF & zlib.crc32(b"ada")
    assert max(person(str(number)) for number in range(3000)) < 2**24
