"""Any sentence-transformers encoder under our own head: hashed features, counts and the encoder's vector together.

For a model that we do not ship, by folder or hub name. `detector train --encoder NAME` fits the head and writes it with
the encoder's name, not its weights; judging loads the encoder when the first mention comes, on a GPU where there is
one. This needs sentence-transformers and torch, and is slower than the shipped cascade.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detector.classify.artifact import AGAIN, Artifact, fingerprint, head_of, prior_of, read_manifest
from detector.classify.distil import SPOKEN
from detector.classify.static import StaticClassifier
from detector.errors import ArtifactError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from detector.classify.features import Grams

F32 = NDArray[np.float32]

KIND = "encoder"
LONGEST = 600
"""Characters shown to the encoder: as many as its 128 or so word pieces can hold, and a bound on the time of one."""

REMEMBERED = 50_000
"""Vectors kept while training, so that no text is encoded once a fold."""

_OURS = re.compile("|".join(map(re.escape, sorted(SPOKEN, key=len, reverse=True))))


class EncoderVectors:
    """The vectors of an encoder, loaded at first use.

    Vectors are rounded to three decimals: what a text is batched with moves the fourth and later ones.
    """

    def __init__(self, name: str, *, dim: int | None = None, remember: int = 0) -> None:
        self.name = name
        self._dim, self._remember = dim, remember
        self._encoder: SentenceTransformer | None = None
        self._known: OrderedDict[str, F32] = OrderedDict()
        self._loading = threading.Lock()

    @property
    def dim(self) -> int:
        """Numbers a text.

        Raises:
            ArtifactError: it has to be loaded for that, and cannot be.
        """
        if self._dim is None:
            self._dim = int(self.encoder.get_embedding_dimension() or 0)
        return self._dim

    @property
    def encoder(self) -> SentenceTransformer:
        """The model in memory.

        Raises:
            ArtifactError: not installed, not found, not reachable, or of another width than the head was fitted for.
        """
        with self._loading:
            if self._encoder is None:
                loaded = _loaded(self.name)
                width = loaded.get_embedding_dimension()
                if self._dim not in (None, width):
                    wrong = f"gives {width} numbers a text, its head was fitted for {self._dim}"
                    raise ArtifactError(f"encoder {self.name!r} {wrong}; {AGAIN}")
                self._encoder = loaded  # only now: the next call must be refused too
            return self._encoder

    def embed(self, texts: Sequence[str], grams: Grams) -> F32:  # noqa: ARG002 - of the protocol
        """(n, dim) vectors of length 1; `grams` are not needed."""
        fresh = list(dict.fromkeys(text for text in texts if text not in self._known))
        found: dict[str, F32] = {}
        if fresh:
            shown = [as_spoken(text) for text in fresh]
            made = self.encoder.encode(shown, batch_size=32, normalize_embeddings=True, show_progress_bar=False)
            found = dict(zip(fresh, np.round(np.asarray(made, dtype=np.float32), 3), strict=True))
        rows = [found[text] if text in found else self._known[text] for text in texts]
        if self._remember:
            self._known.update(found)
            while len(self._known) > self._remember:
                self._known.popitem(last=False)
        return np.stack(rows) if rows else np.zeros((0, self.dim), dtype=np.float32)


def as_spoken(text: str) -> str:
    """A normalised text as an encoder is shown it: our tokens as the words that say the same.

    >>> as_spoken("is xsvcx down again?")
    'is the service down again?'
    """
    return _OURS.sub(lambda found: SPOKEN[found.group()], text[:LONGEST])


def _loaded(name: str) -> SentenceTransformer:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise ArtifactError(
            "an encoder needs sentence-transformers and torch; pip install sentence-transformers 'torch>=2.2,<2.14'"
        ) from error
    try:
        return SentenceTransformer(name)
    except Exception as error:  # the hub, torch and transformers raise all sorts
        what = str(error).strip().split("\n")[0][:200] or type(error).__name__
        kind = "folder" if Path(name).exists() else "folder here, and the hub gave none"
        raise ArtifactError(
            f"encoder {name!r}: no usable sentence-transformers {kind} ({what}); name a folder that holds one, "
            "or a hub name on a machine that reaches the hub"
        ) from error


def read_encoder(folder: Path) -> Artifact:
    """Load and verify the head; the encoder itself is not touched.

    Raises:
        ArtifactError: as `read_artifact`, or the manifest names no encoder.
    """
    manifest = read_manifest(folder)
    stated: Any = manifest.get("encoder")
    if manifest.get("kind") != KIND or not isinstance(stated, dict) or not isinstance(stated.get("name"), str):
        raise ArtifactError(f"{folder}: is no model over an encoder; {AGAIN}")
    head = head_of(folder, manifest)
    vectors = EncoderVectors(stated["name"], dim=int(head.vector.shape[0]))
    return Artifact(head, vectors, f"{KIND}@{fingerprint(manifest)}", prior_of(folder, manifest), manifest)


def build(path: Path | None = None) -> StaticClassifier:
    """The classifier of an artifact folder: the static one, over an encoder that is loaded when the first is judged.

    Raises:
        ArtifactError: the folder is missing, damaged or of another version; none is shipped.
    """
    if path is None:
        raise ArtifactError("no encoder model is shipped; make one with `detector train --encoder NAME --out FOLDER`")
    return StaticClassifier(read_encoder(path))
