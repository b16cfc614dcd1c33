"""What is kept, in one SQLite file: values in, values out, one writer, and tables that read like documentation."""

from detector.store.copy import check_copy, copy_database, damaged, move_aside
from detector.store.outbox import Outbox
from detector.store.reader import Reader
from detector.store.upkeep import scrub_state
from detector.store.values import AlertChange, Checkpoint, Feedback, Forgotten, HourTotal, Rehearsal, SourceCounts
from detector.store.writer import Store, open_reader

__all__ = [
    "AlertChange",
    "Checkpoint",
    "Feedback",
    "Forgotten",
    "HourTotal",
    "Outbox",
    "Reader",
    "Rehearsal",
    "SourceCounts",
    "Store",
    "check_copy",
    "copy_database",
    "damaged",
    "move_aside",
    "open_reader",
    "scrub_state",
]
