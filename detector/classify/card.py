"""The model card, written from the manifest: what it was trained on, how good it is, where it ends."""

from __future__ import annotations

from typing import Any

LIMITS = """\
- English only. Text with hardly a Latin letter is answered `other` at .98; other Latin languages are judged badly.
- The text alone is read: a title, its words, its tense. Pictures, links and the thread around it are not.
- A failure of one person's device, told without naming the device, reads like a failure of the service.
- Old news quoted without a date reads like news.
- The labels were given by few readers under one guide, on posts chosen for being hard: rates among them are not the
  rates of a live stream, where complaints are 2 to 5 % of mentions. The shift to such a rate is the detector's.
- Word vectors come from all-MiniLM-L6-v2 (Apache-2.0); no text of any post is in the weights' files, only sums.
"""

_COLUMNS = (
    ("posts", "posts", "d"),
    ("now", "now", "d"),
    ("AP", "ap", ".3f"),
    ("F1 at .5", "f1", ".3f"),
    ("precision at 90 % recall", "precision_at_90", ".3f"),
    ("false per 1,000 others at 60 % recall", "false_at_60", ".1f"),
    ("ECE", "ece", ".3f"),
    ("right at .5", "right", ".3f"),
    ("five labels right", "accuracy", ".3f"),
)


def card(manifest: dict[str, Any]) -> str:
    """The card as Markdown; every figure in it is held out and was computed by the command it names."""
    data, files = manifest["data"], manifest["files"]
    counted = ", ".join(f"{label} {count:,}" for label, count in data["labels"].items())
    prior = ", ".join(f"{label} {share:.3f}" for label, share in manifest["prior"].items())
    sizes = ", ".join(f"`{name}` {stated['bytes'] / 1e6:.1f} MB" for name, stated in sorted(files.items()))
    sources = ", ".join(f"{name} {count:,}" for name, count in data["sources"].items())
    encoder = manifest.get("encoder")
    vectors = (
        f"vectors of the encoder `{encoder['name']}`" if encoder else "word vectors distilled from all-MiniLM-L6-v2"
    )
    lines = [
        "# The classifier over an encoder" if encoder else "# The static classifier",
        "",
        "Says of a post that names a service whether it is evidence that the service fails *now* (`complaint` by a",
        "user, `report` by somebody else), of a failure that is over (`past`), of one person's trouble (`solo`), or",
        f"`other`. Hashed words and character n-grams, {vectors} and the keyword",
        "rules under one multinomial logistic regression, calibrated on held-out folds.",
        "The encoder is not part of these files: it is loaded by its name." if encoder else "No torch at run time.",
        "",
        f"Files: {sizes}. Made by:",
        "",
        "```",
        str(manifest["command"]),
        "```",
        "",
        "## Data",
        "",
        f"{data['posts']:,} labelled posts in {data['clusters']:,} groups of near-duplicates ({counted}),",
        f"from {sources}.",
        *_words(manifest.get("words") or {}),
        "`own` posts are made up: trained on, never measured or calibrated on. Texts of others are not shipped.",
        f"Prior of the probabilities: {prior}.",
        "",
        "## Held-out figures (*now* = complaint or report)",
        "",
        "Written by the command above; `folds` keeps near-duplicates together and calibrates each fifth on the",
        "others; `later` tests on the last 30 % of each source by time; `never seen` leaves services or sources out.",
        "",
        *measures_table(manifest["metrics"]),
        "",
        "By source (folds):",
        "",
        *measures_table(manifest["metrics_by_source"]),
        "",
        "## Limits",
        "",
        LIMITS.rstrip(),
    ]
    if manifest["warnings"]:
        lines += ["", "## Warnings of the training", "", *(f"- {warning}" for warning in manifest["warnings"])]
    return "\n".join(lines) + "\n"


def _words(origin: dict[str, Any]) -> list[str]:
    if not origin:
        return []
    tuned = f"tuned on its vectors of {origin['sentences']:,} unlabelled texts of"
    return [
        f"{origin['words']:,} word vectors from {origin['teacher']},",
        tuned,
        f"{', '.join(origin['archives'])} (`--distil`, `--sentences {origin['sentences']}`).",
    ]


def measures_table(rows: dict[str, dict[str, Any]]) -> list[str]:
    """Figures by name as a Markdown table; - for what has no meaning."""
    lines = [
        "| | " + " | ".join(title for title, _, _ in _COLUMNS) + " |",
        "|---" * (len(_COLUMNS) + 1) + "|",
    ]
    for name, measures in rows.items():
        cells = ["-" if measures.get(key) is None else format(measures[key], form) for _, key, form in _COLUMNS]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines
