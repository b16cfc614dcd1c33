"""A trained model on disk: safetensors and a JSON manifest that pins every byte of them. No pickle, no code."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.classify.head import COUNTS, Head
from detector.classify.keyword import RULES_HASH
from detector.classify.words import TextVectors, WordTable
from detector.domain import LABELS
from detector.errors import ArtifactError

FORMAT = 1
MANIFEST, HEAD, WORDS = "manifest.json", "head.safetensors", "words.safetensors"
LARGEST = 256 * 1024 * 1024
AGAIN = "run `detector train` or reinstall"

Tensors = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Artifact:
    """A verified model: what it weighs, what it is called, the share of *now* in its labels, its manifest."""

    head: Head
    table: TextVectors
    name: str
    prior: float
    manifest: dict[str, Any]


def read_artifact(folder: Path) -> Artifact:
    """Load and verify a static artifact.

    Raises:
        ArtifactError: a file is missing or truncated, a hash differs, or it was made for another version.
    """
    manifest = read_manifest(folder)
    kind = manifest.get("kind")
    if kind != "static":
        raise ArtifactError(f"{folder}: is a {kind!r} model, not a static one; name another folder")
    head, words = head_of(folder, manifest), verified(folder, manifest, WORDS)
    try:
        table = _table(words)
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise ArtifactError(f"{folder}: the weights do not have the expected form ({error}); {AGAIN}") from error
    return Artifact(head, table, f"static@{fingerprint(manifest)}", prior_of(folder, manifest), manifest)


def head_of(folder: Path, manifest: dict[str, Any]) -> Head:
    """The head of an artifact whose labels, counts and rules are this program's.

    Raises:
        ArtifactError: they are not, or the file is missing or changed.
    """
    features = manifest.get("features", {})
    for key, ours in (("labels", list(LABELS)), ("counts", list(COUNTS)), ("rules", RULES_HASH)):
        if features.get(key) != ours:
            raise ArtifactError(f"{folder / MANIFEST}: made for other {key} than this program's; {AGAIN}")
    stored = verified(folder, manifest, HEAD)
    try:
        return _head(stored)
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise ArtifactError(f"{folder}: the weights do not have the expected form ({error}); {AGAIN}") from error


def prior_of(folder: Path, manifest: dict[str, Any]) -> float:
    """The share of *now* among the labels.

    Raises:
        ArtifactError: the manifest states none that is one.
    """
    try:
        prior = float(manifest["prior"]["complaint"]) + float(manifest["prior"]["report"])
    except (KeyError, ValueError, TypeError) as error:
        raise ArtifactError(f"{folder / MANIFEST}: states no prior ({error!r}); {AGAIN}") from error
    if not 0 < prior < 1:
        raise ArtifactError(f"{folder / MANIFEST}: states a prior of {prior}; {AGAIN}")
    return prior


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of an artifact folder, its format checked.

    Raises:
        ArtifactError: missing, unreadable, or of another format version.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ArtifactError(f"{path}: there is no model here; {AGAIN}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: cannot be read ({error}); {AGAIN}") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise ArtifactError(f"{path}: is no manifest; {AGAIN}")
    if manifest.get("format") != FORMAT:
        raise ArtifactError(f"{path}: format version {manifest.get('format')!r}, this program reads {FORMAT}; {AGAIN}")
    return manifest


def verified(folder: Path, manifest: dict[str, Any], name: str) -> Tensors:
    """The tensors of one file whose size and sha256 agree with the manifest.

    Raises:
        ArtifactError: it is missing, truncated, changed or no safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors: Tensors = load(content_of(folder, manifest, name))
    except (SafetensorError, ValueError) as error:
        raise ArtifactError(f"{folder / name}: is no safetensors file ({error}); {AGAIN}") from error
    return tensors


def content_of(folder: Path, manifest: dict[str, Any], name: str) -> bytes:
    """The bytes of one file whose size and sha256 agree with the manifest.

    Raises:
        ArtifactError: it is missing, truncated or changed.
    """
    path = folder / name
    stated = manifest["files"].get(name)
    if not isinstance(stated, dict):
        raise ArtifactError(f"{folder / MANIFEST}: does not list {name}; {AGAIN}")
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise ArtifactError(f"{path}: {size} bytes, more than a model may have ({LARGEST}); {AGAIN}")
        content = path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror}); {AGAIN}") from error
    if len(content) != stated.get("bytes"):
        raise ArtifactError(f"{path}: {len(content)} bytes instead of {stated.get('bytes')}, it is cut; {AGAIN}")
    if hashlib.sha256(content).hexdigest() != stated.get("sha256"):
        raise ArtifactError(f"{path}: its sha256 is not the manifest's, it was changed; {AGAIN}")
    return content


def fingerprint(manifest: dict[str, Any]) -> str:
    """Twelve hex digits that change with any weight.

    >>> fingerprint({"files": {"a": {"sha256": "00"}}})
    'fa19ed45c62e'
    """
    sums = "\n".join(f"{name} {stated.get('sha256')}" for name, stated in sorted(manifest["files"].items()))
    return hashlib.sha256(sums.encode()).hexdigest()[:12]


def write_artifact(folder: Path, head: Head, table: TextVectors, about: dict[str, Any]) -> dict[str, Any]:
    """Write weights and manifest; returns the manifest.

    Word vectors are written too; of another source of vectors only the name that `about` gives is kept.

    `about` gives the kind, data, metrics, prior, command and versions; files, format and features are added here.
    """
    from safetensors.numpy import save

    folder.mkdir(parents=True, exist_ok=True)
    contents = {HEAD: save(_stored(head))}
    if isinstance(table, WordTable):
        contents[WORDS] = save(_words(table))
    manifest = {
        "format": FORMAT,
        "kind": "static",
        "features": {"labels": list(LABELS), "counts": list(COUNTS), "rules": RULES_HASH, "bits": head.bits},
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for name, content in contents.items()
        },
        **about,
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return manifest


def rounded(head: Head) -> Head:
    """The head as it will be after writing and reading: half precision where half precision is stored."""
    return _head(_stored(head))


def _stored(head: Head) -> Tensors:
    used = np.flatnonzero(head.idf)
    return {
        "bits": np.array([head.bits], dtype=np.int32),
        "columns": used.astype(np.uint32),
        "idf": head.idf[used].astype(np.float16),
        "hashed": head.hashed[used].astype(np.float16),
        "vector": head.vector,
        "plain": head.plain,
        "bias": head.bias,
        "scale": head.scale,
        "shift": head.shift,
    }


def _head(stored: Tensors) -> Head:
    bits = int(stored["bits"][0])
    if not 8 <= bits <= 24:
        raise ValueError(f"2^{bits} columns")
    columns = stored["columns"].astype(np.int64)
    idf = np.zeros(1 << bits, dtype=np.float32)
    hashed = np.zeros((1 << bits, len(LABELS)), dtype=np.float32)
    idf[columns] = stored["idf"]
    hashed[columns] = stored["hashed"]
    plain = stored["plain"]
    if plain.shape != (len(COUNTS), len(LABELS)):
        raise ValueError(f"plain weights of shape {plain.shape}")
    return Head(bits, idf, hashed, stored["vector"], plain, *(stored[key] for key in ("bias", "scale", "shift")))


def _words(table: WordTable) -> Tensors:
    return {"keys": table.keys, "vectors": table.vectors, "scales": table.scales, "weights": table.weights}


def _table(stored: Tensors) -> WordTable:
    table = WordTable(stored["keys"], stored["vectors"], stored["scales"], stored["weights"])
    if not len(table.keys) == len(table.vectors) == len(table.scales) or not len(table.keys):
        raise ValueError("word keys and vectors differ in number")
    return table


def read_words(folder: Path) -> WordTable:
    """The word table of an artifact, to train another head on it.

    Raises:
        ArtifactError: as `read_artifact`.
    """
    return _table(verified(folder, read_manifest(folder), WORDS))
