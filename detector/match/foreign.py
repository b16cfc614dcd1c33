"""Ways of saying that something fails in languages other than English.

Phrases stand as people write them and are folded like the text they are looked for in.
"""

from __future__ import annotations

import re

from detector.match.folding import fold

# Spanish, Portuguese, French, Italian, German, Dutch, Scandinavian, Polish, Czech, Turkish, Indonesian, Hindi,
# Russian, Ukrainian.
_SPACED = """no funciona|no me funciona|no carga|no me carga|no abre|no me abre|no anda|no conecta|no sirve|no responde|
no me deja|no va bien|caído|caída|se cayó|se ha caído|se cayo|anda mal|está fallando|sigue fallando|falla|fallando|
petado|não funciona|nao funciona|não abre|não carrega|nao abre|não está funcionando|tá fora|fora do ar|caiu|bugado|
bugada|bugou|travando|tá bugado|instável|ne marche pas|ne marche plus|marche pas|marche plus|ne fonctionne pas|
ne fonctionne plus|fonctionne pas|ne répond pas|ne répond plus|ne charge pas|ne charge plus|ne s'ouvre pas|en panne|
hors service|hors ligne|est down|a planté|plante|rame|buggé|bug encore|non funziona|non va|non carica|non si apre|
non risponde|è giù|in down|è down|funktioniert nicht|geht nicht|geht nix|geht gerade nicht|geht bei mir nicht|
lädt nicht|startet nicht|reagiert nicht|verbindet nicht|ist down|ist tot|ist kaputt|ist offline|ausgefallen|ausfall|
gestört|störung|spinnt|hängt|nicht erreichbar|werkt niet|doet het niet|ligt eruit|ligt plat|ligt eraf|storing|
laadt niet|ligger nere|funkar inte|fungerar inte|är nere|er nede|virker ikke|funker ikke|fungerer ikke|ei toimi|
nie działa|nie dziala|padł|leży|nefunguje|nejde|spadl|çöktü|çalışmıyor|açılmıyor|gitti|tidak bisa dibuka|
gak bisa|ga bisa|gabisa|tidak bisa|lagi error|lagi down|lemot|nggak bisa|nahi chal raha|nhi chal rha|nahi chal rha|
band hai|не работает|не грузит|не грузится|не открывается|не отвечает|лежит|упал|упала|сломался|сдох|глючит|
не працює|впав|не вантажиться|tidak berfungsi|hindi gumagana|ayaw gumana"""
# Chinese, Japanese, Korean, Arabic, Hebrew, Thai: no space need stand before them.
_UNSPACED = """挂了|崩了|宕机|打不开|用不了|登不上|连不上|瘫痪|落ち|障害|繋がらない|つながらない|開けない|開かない|重い|
ダウン|使えない|動かない|不具合|
안돼|안되|안됨|안 돼|안 됨|장애|터졌|터짐|먹통|접속이|لا يعمل|معطل|متوقف|לא עובד|נפל|ล่ม|ใช้ไม่ได้|เข้าไม่ได้"""


def _either(phrases: str) -> str:
    return "|".join(
        re.escape(fold(phrase.strip()).plain) for phrase in sorted(phrases.replace("\n", "").split("|"), key=len)[::-1]
    )


_SPLIT = (
    r"(?:geht|funktioniert|laedt|ladt|startet|reagiert|verbindet|offnet|lauft|tut)(?: \w+){0,3} (?:nicht|nix)|"
    r"ne (?:marche|fonctionne|repond|charge|s'ouvre|demarre|se lance|se connecte)(?: \w+)? (?:pas|plus)|"
    r"(?:werkt|laadt|start|opent|reageert)(?: \w+){0,3} niet"
)
# Behind a name: a word or two may stand between ("Discord est en panne", "Slack hoje caiu").
_FAILS = re.compile(
    rf"(?:'s)?(?:[ ,:]+(?:[^\W\d]+ ){{0,2}}?(?:{_either(_SPACED)}|{_SPLIT})(?!\w)"
    rf"|[^\x00-\u0dff]{{0,6}} ?(?:{_either(_UNSPACED)}))"
)
_FIRST = frozenset(
    re.split(r"[ ']", fold(phrase.strip()).plain)[0] for phrase in _SPACED.replace("\n", "").split("|")
) | frozenset(
    {"geht", "funktioniert", "ladt", "startet", "reagiert", "verbindet", "offnet", "lauft", "tut"}
    | {"ne", "werkt", "laadt", "start", "opent", "reageert"}
)
_WORD = re.compile(r"[a-z]+")


def fails_abroad(after: str) -> bool:
    """Whether the folded words right behind a name say that it fails, in a language other than English.

    >>> fails_abroad(" est en panne"), fails_abroad(" is fine")
    (True, False)
    """
    if after.isascii() and _FIRST.isdisjoint(_WORD.findall(after[:60])):
        return False
    return _FAILS.match(after) is not None
