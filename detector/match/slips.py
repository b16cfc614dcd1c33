"""Slips of the finger in names: "cluade is down", "gihub wont load", "instagarm is not loading".

A slip counts only where the words around say that something fails, as an ambiguous name does; made are letters left
out, doubled and exchanged, in longer names a wrong vowel, the wrong letter doubled, or the neighbour on the keyboard.
What is a word of its own, or a slip of two services, is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from detector.match.typos import slips


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Shorter names lie too near to words: of them only letters exchanged or doubled.
_LONG, _LONGEST_NAME = 6, 14
# From here on a neighbouring key is far from every other word.
_VERY_LONG = 7
_LEAST = 5
_VOWELS = "aeiou"
_NEAR = {
    "q": "wa", "w": "qes", "e": "wrd", "r": "etf", "t": "ryg", "y": "tuh", "u": "yij", "i": "uok", "o": "ipl",
    "p": "ol", "a": "qsz", "s": "adwx", "d": "sfec", "f": "dgrv", "g": "fhtb", "h": "gjyn", "j": "hkum",
    "k": "jlio", "l": "kop", "z": "xa", "x": "zcs", "c": "xvd", "v": "cbf", "b": "vng", "n": "bmh", "m": "nj",
}  # fmt: skip
# Slips that are words, names or marks of their own; found by looking each up in 900,000 posts.
_WORDS = _words(
    """
    appel barclay clade claud code codium curso decker dicker discard ducker goggle grind hangout lamda
    liner lloyd nation packet papal picket potus relit revolt roger sonet sons squire stalling staring
    starring sterling stirpe strip tames team tello temas thread titter traviss treads venom witter
    """
)


def slips_of(names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Each slip with the name it is meant for; worked out once for the same names.

    Args:
        names: folded; only plain words of five letters and more have slips.

    >>> sorted(dict(slips_of(["gmail"])))
    ['gamil', 'ggmail', 'gmaail', 'gmaiil', 'gmaill', 'gmali', 'gmial', 'gmmail', 'mgail']
    >>> dict(slips_of(["github", "facebook"]))["gihub"]
    'github'
    """
    return _table(frozenset(names))


@lru_cache(maxsize=4)
def _table(known: frozenset[str]) -> tuple[tuple[str, str], ...]:
    meant: dict[str, set[str]] = {}
    for name in sorted(known):
        if _LEAST <= len(name) <= _LONGEST_NAME and name.isascii() and name.isalpha():
            for slip in _made(name) - known - _WORDS:
                meant.setdefault(slip, set()).add(name)
    return tuple((slip, next(iter(of))) for slip, of in meant.items() if len(of) == 1)


def _made(name: str) -> set[str]:
    made = slips(name)
    if len(name) < _LONG:
        return {slip for slip in made if len(slip) >= len(name)}
    made |= {name[:i] + vowel + name[i + 1 :] for i in range(1, len(name)) if name[i] in _VOWELS for vowel in _VOWELS}
    # The wrong letter doubled: "twiiter", "facebbok".
    made |= {name[:i] + name[near] + name[i + 1 :] for i in range(1, len(name) - 1) for near in (i - 1, i + 1)}
    if len(name) >= _VERY_LONG:
        made |= {name[:i] + near + name[i + 1 :] for i in range(1, len(name)) for near in _NEAR[name[i]]}
    return made
