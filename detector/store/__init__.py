"""What is kept, in one SQLite file: values in, values out, one writer, and tables that read like documentation."""

from detector.store.outbox import Outbox
from detector.store.reader import Reader
from detector.store.values import AlertChange, Checkpoint, Feedback, Forgotten, HourTotal, SourceCounts
from detector.store.writer import Store, open_reader

__all__ = [
    "AlertChange",
    "Checkpoint",
    "Feedback",
    "Forgotten",
    "HourTotal",
    "Outbox",
    "Reader",
    "SourceCounts",
    "Store",
    "open_reader",
]
