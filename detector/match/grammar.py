"""Does a plain word stand here as the subject of a failure, and can it be a service at all?

An alias such as "slack" or "claude" is a service where it fails ("slack is down", "can't log into teams"), and a verb,
a noun or a person elsewhere ("cut me some slack", "our teams are down", "my uncle Claude is down with a cold"). Two
sides are read: the words right behind the alias (`predicates.AFTER`), and those right before it (`predicates.BEFORE`,
`noun_phrase`). Everything works on folded text (`detector.match.folding`).
"""

from __future__ import annotations

import re

from detector.match.foreign import fails_abroad
from detector.match.predicates import AFTER, ASKED, ASKS, BEFORE, BEFORE_ENDS, NOUN
from detector.match.typos import put_right


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PERSON = _words(
    """uncle aunt auntie grandpa grandma grandfather grandmother cousin brother sister mr mrs ms dr st saint president
    king queen jean father mother friend boss dad mom son daughter husband wife sir prof professor monsieur
    madame coach neighbor neighbour colleague coworker named called actor artist painter author writer singer
    senator judge pierre marie van damme dog cat nephew niece roommate engineer mathematician buddy pal lord
    lady captain detective grandson granddaughter stepson stepdaughter fiance fiancee cousins classmate teammate"""
)
_DETERMINERS = _words(
    """a an the these those this that each every both other another some any many few several two three four five all
    most no which what whose his her their its your of cut enough much more less little"""
)
_QUANTIFIERS = frozenset({"both", "all", "some", "any", "no", "most", "of", "which", "what", "this", "that"})
_CLAUSE_STARTS = _words(
    """is are was were isn't aren't has have had does did do will would can and or but so that because cuz bc when if
    since my our why how whether ugh lol lmao omg wtf guys hey hi hello again now today think thinks says say
    said like with using while also both fix then see yes yep yeah no nope not only just still even once ok okay
    well damn dude bro man oh ah hn psa fyi breaking update alert news report reports confirmed apparently seems
    looks maybe perhaps it hear heard know knew notice noticed wonder wondering believe guess hope hoping means
    meaning figures great nice awesome cool fun wow sorry please help anyone anybody everyone else's someone's
    to on in at for from about via through into onto of than instead use used uses try tried trying open opened
    opening love hate tell told ask asked asking blame thanks thank until till before after unless though
    although as plus vs versus where every time whenever during despite use, twitter's microsoft's google's
    apple's whole entire ya ffs jfc fuck fucking freaking stupid goddamn bloody morning night afternoon evening
    sure literally honestly seriously anyone's y'all folks people why's hence got get getting having me us you
    them here there this week month year pls imo tho btw idk major massive huge big global widespread nationwide
    partial possible"""
)
_LAST_WORD = re.compile(r"([\w'&.-]+)([ \"'(\[*_~@#]*)$")


_LAST_LETTERS = re.compile(r"([a-z]+)[^a-z]{0,6}$")
# Words in which `BEFORE` can end.
_ENDINGS = _words(
    """with on at accessing to using loading opening into onto in reaching of for affecting hits hitting
    impacting access load reach over via through join from off out login signin server servers app shit my our"""
)
_INFINITIVE = re.compile(
    r"(?:way|how|want|wants|wanted|need|needs|needed|able|going|used|trying|try|have|has|had|order|supposed|tend|"
    r"ability|"
    r"not|like|meant|designed|free|ready|where|when|what) to $"
)
_FIRST = _words(
    """klaus james john robert michael william david richard joseph thomas charles christopher daniel matthew anthony
    donald steven paul andrew joshua kenneth kevin brian george edward ronald timothy jason jeffrey ryan jacob gary
    nicholas eric jonathan stephen larry justin scott brandon benjamin samuel gregory alexander patrick dennis jerry
    tyler aaron jose adam nathan henry peter zachary kyle noah ethan jeremy walter mary patricia jennifer linda
    elizabeth barbara susan jessica sarah karen nancy lisa margaret sandra ashley kimberly emily donna michelle
    carol amanda melissa deborah stephanie rebecca laura sharon cynthia kathleen amy angela anna emma olivia sophie
    simon martin oliver hans jürgen stefan marie luke tim tom ben sam dan mike steve dave jim joe bob fred brad chris
    nick matt alex kate jane alice lucy helen julia maria carlos juan luis miguel pedro ivan sergei olga fritz otto
    heinz erich ernst wilhelm friedrich werner helmut wolfgang gerhard courteney laverne ginger kenny roy"""
)
_KIN = _words(
    "cousin uncle aunt auntie nephew niece sister brother grandpa grandma grandson granddaughter daughter son colleague"
    " classmate neighbor neighbour roommate husband wife fiance fiancee"
)
# Names of services that people bear too; a capitalised word behind one of them is a surname.
_GIVEN = _words("siri alexa claude travis cortana bard jasper devin stella robin rogers cox wise ring miro pandora")
_SURNAME = re.compile(r" ([A-Z][a-zà-ÿ'’]+)\b")
_NOT_SURNAME = re.compile(
    rf"(?:{NOUN})|is|was|are|has|says?|can|does|did|will|won|isn|doesn|opus|sonnet|haiku|code|max|pro|team|enterprise|"
    r"desktop|cowork|instant|ai|and|or|down|outage|on|in|at|for|vs|with|still|not|now|just|keeps|again|broken|ci|"
    r"shortcuts?|suggestions?|video|premium|together|guard|plus|kids|echo|hunches|guest|home|smart|status|error"
)
_CLOSING = re.compile(r" ?[^\w\s.,:;!?'/()@|+&=%$#-]|'[^\ws]|\)")
_CLOSERS = re.compile(r" ?(?:[^\w\s.,:;!?/(@|+&=%$#-])+ ?")
_PRODUCT = re.compile(
    r"(?:'s)? (?:mobile |web |desktop |ios |android |phone )?(?:apps?|apis?|outages?|website|account|accounts|"
    r"status page|"
    r"login|servers|subscription|cli|webhooks?|workspace|sdk|extension|integration|plugin|client|dms?|downtime|"
    r"customer service|customer support|support team|is hiring|announce[sd]?|launche[sd]|unveil(?:s|ed)|acquire[sd]|"
    r"laid off|lays off)\b"
)
_PART_OF_IT = re.compile(r"-(?:bots?|apis?|apps?|servers?|cli|status|login|sync|connect|client|web|desktop|mobile)\b")
_ON = re.compile(r"(?:^|[ (])(?:on|via|over|through|using) (?:my |our )?[\"'*(]?$")
_WITH = re.compile(
    r"(?:^|[ (])(?:on|via|over|through|using|use|used|uses|with|off|from|open|opened|opening|took|down|joined|left|"
    r"tried|like|love|hate|than|in|inside|into|switched to|moved to|back to|pay for|instead of) (?:my |our )?[\"'*(]?$"
)


def says_it_fails(written: str, before_written: str, plain: str, start: int, end: int) -> bool:
    """Whether the words around `plain[start:end]` say that it fails, or ask whether it does.

    Args:
        written: the alias as written.
        before_written: the text before it as written, at least its last word.
        plain: the folded text, of which `plain[start:end]` is the alias.
        start: offset of the alias in `plain`.
        end: offset behind the alias in `plain`.

    >>> text = "anyone else having issues with teams"
    >>> says_it_fails("teams", text[:31], text, 31, 36)
    True
    >>> says_it_fails("slack", "", "slack down the rope", 0, 5)
    False
    """
    if fails_with(plain, start, end):
        return True
    after = _behind(plain, end)
    if fails_behind(after) or (ASKS.search(plain[max(0, start - 40) : start]) and ASKED.match(after)):
        return noun_phrase(written, before_written, plain, start, end, strict=True)
    if fails_abroad(after):
        return noun_phrase(written, before_written, plain, start, end, strict=False)
    return False


def fails_with(plain: str, start: int, end: int) -> bool:
    """Whether the words before say that something fails with it ("can't log into ...", "outage at ...").

    >>> fails_with("issues with slack", 12, 17)
    True
    """
    before = plain[max(0, start - 90) : start]
    last = _LAST_LETTERS.search(before)
    if last is None or last[1] not in _ENDINGS:  # nine finds in ten: the long expression need not run
        return False
    return bool(BEFORE.search(before) and BEFORE_ENDS.match(_behind(plain, end)))


def fails_behind(after: str) -> bool:
    """Whether the folded words right behind a name say that it fails, slips of the finger put right.

    >>> fails_behind(" is dwon agian"), fails_behind(" is a fine thing")
    (True, False)
    """
    if AFTER.match(after):
        return True
    better = put_right(after[:60])
    return better is not None and AFTER.match(better) is not None


def _behind(plain: str, end: int) -> str:
    """The words behind a name, without the quotes, brackets and emoji that close it."""
    after = plain[end : end + 160]
    if _CLOSING.match(after):
        found = _CLOSERS.match(after)
        if found:
            after = " " + after[found.end() :]
    return after


def named_as_product(before_written: str, plain: str, end: int, behind_written: str, *, given: bool = False) -> bool:
    """Whether a capitalised word is a product by the company it keeps: "the Claude app", "Kraken API", "on Discord".

    Args:
        before_written: the text before the alias as written.
        plain: the folded text.
        end: offset behind the alias in `plain`.
        behind_written: the text behind it as written.
        given: whether people bear the name too ("lunch with Claude").

    >>> named_as_product("our team meets on ", "our team meets on zoom now", 22, " now")
    True
    """
    if _PRODUCT.match(plain, end):
        return True
    known = _ON if given else _WITH
    return bool(known.search(before_written)) and not re.match(r"['’]?s?[ -]+[A-Z0-9]|['’]s |-", behind_written)


def is_given(folded: str) -> bool:
    """Whether people bear this folded name too.

    >>> is_given("claude"), is_given("slack")
    (True, False)
    """
    return folded in _GIVEN


def person(written: str, before_written: str, behind_written: str) -> bool:
    """Whether first and last names make it a person: "Klaus Schwab", "Siri Hustvedt", "my cousin Siri".

    >>> person("Schwab", "then Klaus ", " spoke"), person("Schwab", "is ", " down")
    (True, False)
    """
    if not written[:1].isupper() or " " in written:
        return False
    last = before_written.rstrip(" ").rsplit(None, 1)[-1:] if before_written[-1:] == " " else []
    if last and last[0][:1].isupper() and last[0].casefold() in _FIRST and not last[0].isupper():
        return True
    if last and last[0].casefold() in _KIN:
        return True
    if written.casefold() in _GIVEN and not written.isupper():
        found = _SURNAME.match(behind_written)
        return found is not None and not _NOT_SURNAME.fullmatch(found[1].casefold())
    return False


def person_or_compound(plain: str, start: int, end: int) -> bool:
    """Whether a hyphen, an infinitive, a title or a relation makes it part of a word, a verb or somebody's name.

    >>> person_or_compound("jean-claude is down", 5, 11), person_or_compound("my uncle claude is down", 9, 15)
    (True, True)
    """
    if start and plain[start - 1] == "-" and start > 1 and plain[start - 2].isalnum():
        return True
    if plain[end : end + 1] == "-" and plain[end + 1 : end + 2].isalpha():
        return not _PART_OF_IT.match(plain, end)
    found = _LAST_WORD.search(plain, max(0, start - 40), start)
    if found is None or found[2].strip() != "":
        return False
    if found[1] == "to":
        return _INFINITIVE.search(plain[max(0, start - 14) : start]) is not None
    return found[1].strip(".") in _PERSON


def noun_phrase(written: str, before_written: str, plain: str, start: int, end: int, *, strict: bool) -> bool:
    """Whether the alias can stand as a name here: not behind an article, and at the start of a phrase if `strict`.

    Args:
        written: the alias as written; a capital inside a sentence makes it a name.
        before_written: the text before it as written.
        plain: the folded text, of which `plain[start:end]` is the alias.
        strict: also ask that the word before it opens a phrase ("is", "and", a full stop), as a subject needs.

    >>> noun_phrase("teams", "our sales ", "our sales teams are down", 10, 15, strict=True)
    False
    """
    found = _LAST_WORD.search(plain, max(0, start - 40), start)
    if not found:
        return True
    word, gap = found[1], found[2]
    if word.endswith((".", "-")) or gap.strip(" ") != "":
        return True
    if word == "of" and strict:
        return written[:1].isupper()
    if word in _QUANTIFIERS and not strict and written[:1].isupper():
        return True
    if word in _DETERMINERS and not (strict and word in _CLAUSE_STARTS):
        return bool(_APP_BEHIND.match(plain, end))
    if not strict:
        return True
    if word in _CLAUSE_STARTS:
        return True
    last = before_written.split()[-1:] or [""]
    return written[:1].isupper() and not any(char.isupper() for char in last[0])


_APP_BEHIND = re.compile(
    r"(?:'s)? (?:apps?|meetings?|calls?|chats?|api|apis|servers?|site|website|web|client|desktop|outage|outages|login|"
    r"mobile|service|status|cli|editor|cameras?|attack|ddos|incident|crash|workspace|channel|bot|dashboard|"
    r"store|launcher|widget|reader|desktop|bots?|maintenance|migration|breach|hack|subscription|accounts?|extension|"
    r"plugin|integration)\b"
)
