"""The page: what is failing, since when, how sure we are and why; read-only HTML and JSON from the store."""

from detector.web.app import create_app
from detector.web.ports import Act, Memory, Surroundings
from detector.web.server import make_server

__all__ = ["Act", "Memory", "Surroundings", "create_app", "make_server"]
