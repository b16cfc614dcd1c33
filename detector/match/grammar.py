"""Does a plain word stand here as the subject of a failure, and can it be a service at all?

An alias such as "slack" or "claude" is a service where it fails ("slack is down", "can't log into teams"), and a verb,
a noun or a person elsewhere ("cut me some slack", "our teams are down", "my uncle Claude is down with a cold"). Two
sides are read: the words right behind the alias (`_AFTER`), and those right before it (`_BEFORE`, `noun_phrase`).
Everything works on folded text (`detector.match.folding`).
"""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NOUN = (
    r"apps?|application|web ?apps?|web|sites?|websites?|web ?site|pages?|homepage|apis?|servers?|services?|"
    r"desktop|mobile|"
    r"clients?|log ?ins?|sign ?ins?|sso|auth|authentication|chats?|calls?|calling|meetings?|messages?|messaging|"
    r"texts?|"
    r"notifications?|dms?|voice|videos?|audio|feeds?|search|dashboards?|console|platform|network|online|live|"
    r"store|cloud|"
    r"extension|plugin|bot|cli|ios|android|pc|payments?|checkout|transfers?|uploads?|downloads?|games?|webhooks?|"
    r"runners?|"
    r"builds?|deploys?|deployments?|integrations?|channels?|workspace|accounts?|profiles?|sync|streams?|streaming|"
    r"models?|"
    r"terminals?|registry|cards?|atms?|banking|internet|wifi|broadband|dns|cdn|music|tv|code|codex|mac ?os|mac|"
    r"windows|linux|oauth|e?mails?|"
    r"pro|free|plus|max|"
    r"opus|sonnet"
)
_DOMAIN = r"(?:\.(?:com|org|net|io|ai|us|tv|gg|co|app)(?:\.[a-z]{2})?)?"
_TAIL = rf"{_DOMAIN}(?:'s|s'|')?(?:[ -](?:{_NOUN})\b){{0,3}}(?: \([^)\n]{{0,30}}\))?"
_ADVERB = (
    r"just|totally|completely|all|fully|still|now|currently|also|again|like|really|so|super|very|extremely|partially|"
    r"mostly|basically|apparently|actually|always|constantly|literally|officially|definitely|probably|possibly|maybe|"
    r"today|suddenly|fucking|fuckin|freaking|bloody|damn|pretty|kinda|kind of|a bit|a little|intermittently|"
    r"globally|both|"
    r"being|right now|for me|for you|for anyone|for anyone else|for everyone|here|this morning|not|even|"
    r"once again|too|"
    r"randomly|continuously|consistently|currently|entirely|absolutely|running|going|only|ever"
)
_ADVERBS = rf"(?:(?:{_ADVERB})[ ,]+){{0,4}}"
_TROUBLE = (
    r"(?:issues?|problems?|troubles?|outages?|difficulties|downtime|hiccups?|errors?|disruptions?|a meltdown|"
    r"a bad (?:day|time)|a moment|connectivity|connection)"
)
# "down the street", "down to earth", "down 3 points" say nothing of a service.
_DOWN = (
    r"(?:down|offline)\b(?! (?:(?:the|to|with|by|from|under|there|syndrome|payment|his|her|their)\b|"
    r"[$#]?\d+(?! ?(?:h|m|min))|on (?:his|her|their|its) |"
    r"for (?:it|that|anything|whatever|some|a (?!while|few|bit|lot|second|minute)))|[- ]to[- ]earth)"
)
_BAD = (
    rf"(?:{_DOWN}|unavailable|broken|unresponsive|unreachable|unusable|inaccessible|crash(?:ing|ed|es)|failing|"
    rf"borked|"
    r"b0rked|hosed|busted|kaput|toast|degraded|slow|slower|sluggish|laggy|lagging|glitch(?:ing|y|ed)|bugg(?:y|ing|"
    r"ed)|"
    r"frozen|freezing|hanging|stuck|overloaded|throttling|timing out|timed out|erroring|messed up|screwed|fucked|"
    r"f[*]+d|"
    r"acting (?:up|weird|strange|funny)|struggling|spotty|flaky|wonky|on the fritz|under heavy load|at capacity|"
    rf"(?:having|experiencing|suffering|seeing|facing|reporting) (?:\S+ ){{0,4}}?{_TROUBLE}|"
    r"(?:giving|throwing|returning|showing|serving)(?: \S+){0,4}? (?:errors?|5\d\d|4\d\d)s?|"
    r"dead(?= *(?:$|[.!?,]|again|right|today|for|in))|refusing to (?:\w+)|"
    r"(?:dropping|disconnecting|buffering|spinning|rate.?limiting|logging (?:me|us|everyone|people) out|kicking)\b)"
)
_DONE = (
    r"(?:work|load|respond|open|connect|send|sync|play|stream|start|launch|updat|answer|function|process|accept|"
    r"log|deliver|"
    r"show|stay|complet|finish|upload|download|render|generat|boot|refresh|sav|run|sign)ing\b|available\b|"
    r"letting (?:me|us|anyone|people|you)\b|up\b"
)
_KEEPS = (
    r"(?:crash|fail|freez|disconnect|dropp|tim|buffer|lagg|hang|spinn|glitch|bugg|kick|logg|sign|stopp|load|"
    r"reload|restart|"
    r"error|giv|throw|return|say|show|ask|stutter|go|cutt|black|retry)ing\b"
)
_VERB = (
    r"(?:load|open|start|connect|respond|log|sign in|let (?:me|us|anyone|anybody|you|people|a single|my|"
    r"our)(?! sleep)|send|sync|update|"
    r"launch|play|"
    r"refresh|show|boot|run|process|accept|authenticate|deliver|download|install|upload|finish|complete|generate|"
    r"render|"
    r"stay (?:up|open|connected|logged)|reply|answer|go through|come up|function|save|"
    r"work(?! (?:here|there|at|with|on|in|under|out|mondays|weekends)\b|$)|work(?= *$))\b"
)
_END = (
    r"(?= *(?:$|[.,!?;:)(\]\"\n/|#@-]|[^\x00-\x7f]|(?:again|rn|now|today|tonight|atm|right|for|since|in|on|at|"
    r"here|this|"
    r"anyone|anybody|everyone|or|and|but|as|because|bc|with|lol|wtf|guys|please|pls|worldwide|globally|everywhere|"
    r"yet|too|"
    r"still|currently|all|every|when|while|after|due|is|has|are|across|bro|ugh|man|folks|people|just|what|why|how|"
    r"so|then|"
    r"i|we|it|can't|help|not|yesterday|last|i'm|im|ffs|smh|completely|reported|affecting|it's|its|nationwide|"
    r"continues?|hits?|impact(?:s|ed|ing)?|took|takes|causes?|caused|leaves?|fixed|resolved|update|postmortem|"
    r"explained)\b))"
)
_BARE = (
    rf"(?:{_DOWN}|outages?|downtime|(?:still |again )?not (?:working|loading|responding|opening|connecting|syncing|"
    rf"sending|"
    r"playing|starting)|unavailable|crash(?:ed|ing|es)|broken|down|(?:service|server|login|log ?in|connection|"
    r"connectivity|"
    r"sync|loading|network|internal server|api|sign ?in|performance|audio) (?:error|errors|issue|issues|problem|"
    r"problems|outage|"
    r"outages|disruption|disruptions|failure|failures|trouble)|(?:major|partial|global|massive|nationwide|"
    r"widespread|big|"
    r"huge|another|possible|potential) (?:outages?|disruptions?|downtime|issues|problems)|error (?:5\d\d|4\d\d|"
    r"message|code)|"
    r"5\d\d(?: errors?)?|(?:issues?|problems?|errors?)(?= *(?:$|[?!]|again|today|right now|rn|anyone|this morning|"
    r"since))|"
    r"(?:bad |internal )?gateway|timeouts?|timed out|service disruptions?|disruptions?|disconnecting|login loop|"
    r"acting (?:up|weird)|won't load|keeps crashing|just (?:died|crashed|went down)|is it just me|lagging|"
    r"status page)"
)
_AFTER = re.compile(
    rf"{_TAIL}(?:"
    rf"(?: (?:is|are|was|were|r)|'s|'re) {_ADVERBS}(?:{_BAD}|{_TROUBLE}-free)"
    rf"| (?:has|have|had|'s)(?: \w+)? (?:been|gone|went|had) {_ADVERBS}(?:{_BAD}|{_TROUBLE}|issues)"
    rf"| (?:seems|seem|appears|appear|looks|goes|went|going|gone|go|gets|got|getting|keeps|kept|feels)"
    rf"(?: to (?:be|have)| like it's| like its| like it is)? {_ADVERBS}(?:{_BAD})"
    rf"| (?:having|experiencing|suffering|hit by|facing|reporting) (?:\S+ ){{0,4}}?{_TROUBLE}"
    rf"| (?:has|have|had|reports|suffers|experiences|investigating|investigates|confirms) (?:\S+ ){{0,2}}?"
    rf"(?:outages?|issues|problems|downtime|disruptions?|connectivity issues)\b"
    rf"| (?:isn't|isnt|is not|ain't|aint|aren't|arent|are not|wasn't|wasnt|weren't|not|no longer|"
    rf"never) {_ADVERBS}(?:{_DONE})"
    rf"| (?:(?:has |have |just |suddenly )?(?:stopped|quit|stops)) {_ADVERBS}(?:{_DONE})"
    rf"| (?:keeps?|kept) (?:on )?{_ADVERBS}(?:{_KEEPS})"
    rf"| (?:won't|wont|will not|doesn't|doesnt|does not|don't|dont|can't|cant|cannot|can not|couldn't|couldnt|"
    rf"refuses to|"
    rf"refusing to|fails to|failed to|failing to|unable to|didn't|wouldn't|not able to) {_ADVERBS}(?:{_VERB})"
    rf"| (?:just |has |have |)(?:crashed|died|froze|shit the bed|went dark|imploded){_END}"
    rf"| (?:just |now |only )?(?:sits there|hangs|froze up|times out|errors out|gives up)\b"
    rf"| (?:shows|gives|throws|returns|says|displays)(?: \S+){{0,4}}? (?:\S*errors?|5\d\d)\b"
    rf"|(?: |: | - |, |\? | \| ){_ADVERBS}(?:{_BARE}){_END}"
    rf")"
)
# Behind "is slack ..." the verb is already said.
_ASKED = re.compile(
    rf"{_TAIL} {_ADVERBS}(?:{_BAD}|(?:{_DONE})(?= *(?:$|[?.!,)\n]|for\b|or\b|again|today|right|now|here|properly|"
    rf"normally|"
    rf"correctly|at all|atm|rn\b))|go(?:ne|ing)? down|been down|(?:work|load|open|crash|die)(?= *(?:$|[?]|"
    rf"for (?:you|any|me))))"
)
_ASKS = re.compile(
    r"(?:^|[^\w'])(?:is|are|was|were|isn't|aren't|did|does|has|have|why's|"
    r"is it just me or is) (?:the )?(?:https?://)?(?:www\.)?$"
)
_BEFORE = re.compile(
    r"(?:"
    r"(?:having|getting|seeing|experiencing|has|have|had|got|anyone|anybody|else|any|some|more|other|big|major|"
    r"massive|"
    r"serious|constant|connection|login|loading|server|sync|same|weird|know|of|the|^|[.!?\n]) ?"
    r"(?:issues?|problems?|troubles?|errors?|difficult(?:y|ies)|outages?) "
    r"(?:with|on|at|accessing|connecting (?:to|with)|logging (?:in|into|onto|in to|on to)|using|loading|opening|"
    r"signing (?:in|into|in to)|getting (?:on|into|onto|in)|reaching)"
    r"|(?:outages?|downtime|disruptions?) (?:at|on|of|for|with|affecting|hits|hitting|in|impacting)"
    r"|(?:can't|cant|cannot|can not|unable to|couldn't|couldnt|could not|won't let me|wont let me|not able to|"
    r"struggling to|"
    r"failing to|trouble|can anyone|anyone able to|is anyone able to|nobody can|no one can|trying to) "
    r"(?:even |still |currently |seem to |all |actually )*"
    r"(?:log ?in ?(?:to)?|log into|login to|log on(?: ?to)?|sign ?in ?(?:to)?|sign into|get (?:on|onto|into|on to|"
    r"in to|in)|access|"
    r"load|connect (?:to|with)|reach|send (?:\w+ ){0,2}(?:on|in|via|through|over)|join|push to|pull from|"
    r"reconnect to|"
    r"play (?:\w+ ){0,2}on|watch (?:\w+ ){0,3}on|stream (?:\w+ ){0,2}on|pay with|post (?:to|on|in)|"
    r"message (?:\w+ )?on|"
    r"accessing|connecting to|logging in ?to|logging into|signing in ?to)"
    r"|(?:kicked|logged|locked|signed|booted|thrown) (?:(?:me|us|everyone|everybody|people|you) )?(?:out of|"
    r"off of|off|from)"
    r"|(?:what's|whats|what is|something|anything) (?:wrong|going on|happening|up)(?: (?:is|right now))? with"
    r"|(?:fix|fixed) (?:your |the |ur )?(?:damn |fucking )?(?:servers?|app|shit)"
    r")(?: (?:my|our|via|through))? (?:@|#)?$"
)
_BEFORE_ENDS = re.compile(
    rf"{_TAIL} ?(?:$|[.,!?;:)(\]\"\n/-]|[^\x00-\x7f]|(?:again|rn|now|today|tonight|atm|right|for|since|at|here|"
    rf"this|anyone|or|"
    r"and|but|on|from|either|because|currently|all|it|is|keeps|are|was|lately|after|too|just|even|via|as|with|so|"
    r"what|i|"
    r"please|when|while|anymore|web|website|site|app|app's|twice|once|several|three|every|constantly|randomly|"
    r"yesterday|servers?|anyway|properly|though|still|until|"
    r"api)\b)"
)
_PERSON = _words(
    """uncle aunt auntie grandpa grandma grandfather grandmother cousin brother sister mr mrs ms dr st saint president
    king queen jean father mother friend boss dad mom son daughter husband wife sir prof professor monsieur
    madame coach neighbor neighbour colleague coworker named called actor artist painter author writer singer
    senator judge pierre marie van damme dog cat nephew niece roommate engineer mathematician buddy pal lord
    lady captain detective"""
)
_DETERMINERS = _words(
    """a an the these those this that each every both other another some any many few several two three four five all
    most no which what whose his her their its your of cut enough much more less little"""
)
_QUANTIFIERS = frozenset({"all", "some", "any", "no", "most", "of", "which", "what", "this", "that"})
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
    after = plain[end : end + 160]
    before = plain[max(0, start - 90) : start]
    if _BEFORE.search(before) and _BEFORE_ENDS.match(after):
        return True
    if _AFTER.match(after) or (_ASKS.search(before) and _ASKED.match(after)):
        return noun_phrase(written, before_written, plain, start, end, strict=True)
    return False


def person_or_compound(plain: str, start: int, end: int) -> bool:
    """Whether a hyphen, a title or a relation makes it part of another word or the name of a person.

    >>> person_or_compound("jean-claude is down", 5, 11), person_or_compound("my uncle claude is down", 9, 15)
    (True, True)
    """
    if start and plain[start - 1] == "-" and start > 1 and plain[start - 2].isalnum():
        return True
    if plain[end : end + 1] == "-" and plain[end + 1 : end + 2].isalpha():
        return True
    found = _LAST_WORD.search(plain, max(0, start - 40), start)
    return bool(found and found[2].strip() == "" and found[1].strip(".") in _PERSON)


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
    r"mobile|service|status|cli)\b"
)
