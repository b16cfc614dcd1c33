"""Which services does a post name: names and handles, plain words only where they mean the service."""

from detector.match.folding import Folded, fold, squeeze
from detector.match.matcher import TEXT_LIMIT, NameMatcher

__all__ = ["TEXT_LIMIT", "Folded", "NameMatcher", "fold", "squeeze"]
