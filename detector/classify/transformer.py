"""The transformer classifier: a fine-tuned MiniLM in eight bits, run by onnxruntime and tokenizers alone. No torch.

Each post is run by itself, on one thread, so its probabilities are the same bits whatever else stands in the call and
however many cores there are: eight-bit activations are scaled over everything that is run together. Cores are filled
with posts side by side. Nothing is padded, so this is no slower than batches.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detector.classify.artifact import AGAIN, content_of, fingerprint, read_manifest
from detector.classify.head import calibrated
from detector.classify.keyword import names_of, spoken_for
from detector.classify.normalise import normalise
from detector.classify.static import UNREADABLE, readable
from detector.domain import LABELS, Judgement, Mention, Probabilities
from detector.errors import ArtifactError
from detector.resources import model_path

if TYPE_CHECKING:
    from tokenizers import Tokenizer

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

KIND = "minilm"
MODEL, TOKENIZER = "model.onnx", "tokenizer.json"


@dataclass(frozen=True, slots=True)
class Transformer:
    """A verified artifact: its files' bytes stay on disk until `Scorer` loads them."""

    folder: Path
    manifest: dict[str, Any]
    name: str
    prior: float
    scale: F32
    shift: F32


def read_transformer(folder: Path) -> Transformer:
    """Verify a transformer artifact without loading it into onnxruntime.

    Raises:
        ArtifactError: a file is missing, truncated or changed, or it was made for another version.
    """
    manifest = read_manifest(folder)
    if manifest.get("kind") != KIND:
        raise ArtifactError(f"{folder}: is a {manifest.get('kind')!r} model, not a {KIND} one; name another folder")
    for name in (MODEL, TOKENIZER):
        content_of(folder, manifest, name)
    try:
        if manifest["features"]["labels"] != list(LABELS):
            raise ArtifactError(f"{folder}: made for other labels than this program's; {AGAIN}")
        scale, shift = (np.array(manifest["calibration"][key], dtype=np.float32) for key in ("scale", "shift"))
        prior = float(manifest["prior"]["complaint"]) + float(manifest["prior"]["report"])
        if scale.shape != (5,) or shift.shape != (5,) or not 0 < prior < 1:
            raise ValueError(f"calibration of {scale.shape} and {shift.shape}, prior {prior}")
        if not (np.isfinite(scale).all() and np.isfinite(shift).all()):
            raise ValueError("a calibration that is no number")
    except (KeyError, ValueError, TypeError) as error:
        raise ArtifactError(f"{folder}: the manifest lacks what judging needs ({error!r}); {AGAIN}") from error
    return Transformer(folder, manifest, f"{KIND}@{fingerprint(manifest)}", prior, scale, shift)


class Scorer:
    """The network and its tokenizer in memory.

    Raises:
        ArtifactError: onnxruntime or tokenizers cannot use the files.
    """

    def __init__(self, found: Transformer, *, threads: int | None = None) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._tokenizer: Tokenizer = Tokenizer.from_str(
                content_of(found.folder, found.manifest, TOKENIZER).decode()
            )
            model = content_of(found.folder, found.manifest, MODEL)
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except ArtifactError:
            raise
        except Exception as error:  # both libraries raise bare Exceptions
            raise ArtifactError(f"{found.folder}: cannot be loaded ({error}); {AGAIN}") from error
        self._threads = threads or os.cpu_count() or 1

    def scores(self, texts: Sequence[str]) -> F64:
        """(n, 5) scores of normalised texts, before calibration; those of a text depend on nothing else."""
        if not texts:
            return np.zeros((0, 5))
        rows = [encoded.ids for encoded in self._tokenizer.encode_batch_fast(list(texts))]
        if self._threads == 1 or len(rows) == 1:
            return np.stack([self._one(row) for row in rows])
        with ThreadPoolExecutor(self._threads) as pool:
            return np.stack(list(pool.map(self._one, rows)))

    def _one(self, ids: list[int]) -> F64:
        found: F64 = self._session.run(None, {"ids": np.array(ids, dtype=np.int64)})[0].astype(np.float64)
        # A network that overflows must not poison a rate: five equal scores say nothing.
        return found if all(map(math.isfinite, found)) else np.zeros(5)


class TransformerClassifier:
    """Judges mentions by the transformer, which is loaded when the first is judged."""

    def __init__(self, found: Transformer, *, threads: int | None = None) -> None:
        self._found, self._threads = found, threads
        self._scorer: Scorer | None = None
        self._loading = threading.Lock()
        self.manifest = found.manifest

    @property
    def name(self) -> str:
        """`minilm@` and the start of the artifact's hash."""
        return self._found.name

    @property
    def prior(self) -> float:
        """Share of *now* among the labels, as the manifest states it."""
        return self._found.prior

    def judge(self, mentions: Sequence[Mention]) -> list[Judgement]:
        """One judgement a mention, in order."""
        rows = self.probabilities([normalise(m.post.text, *names_of(m)) for m in mentions])
        judged = []
        for mention, row in zip(mentions, rows.tolist(), strict=True):
            p = Probabilities(*row) if readable(mention.post.text) else UNREADABLE
            judged.append(Judgement(mention=mention, p=spoken_for(mention, p), classifier=self.name))
        return judged

    def probabilities(self, texts: Sequence[str]) -> F64:
        """(n, 5) calibrated probabilities of normalised texts, in the order of `LABELS`."""
        with self._loading:
            if self._scorer is None:
                self._scorer = Scorer(self._found, threads=self._threads)
        return calibrated(self._scorer.scores(texts), self._found.scale, self._found.shift)


def build(path: Path | None = None) -> TransformerClassifier:
    """The classifier of an artifact folder; None means the shipped one.

    Raises:
        ArtifactError: the artifact is missing, damaged, or of another version.
    """
    return TransformerClassifier(read_transformer(path or model_path(KIND)))
