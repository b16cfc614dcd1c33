"""From a fine-tuned encoder in torch to the shipped ONNX file in eight bits. Training time only.

The network is written out again for one post without padding: sixty lines that onnxruntime fuses well, instead of the
library's general graph. Word vectors of scripts that are answered `other` unread are dropped; the rest are kept in
eight bits, each with its own scale. Matrices are quantised by output column, to seven bits, because processors without
VNNI would saturate at eight.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from detector.classify.artifact import FORMAT, MANIFEST
from detector.classify.finetune import Tuned
from detector.classify.transformer import KIND, MODEL, TOKENIZER
from detector.domain import LABELS

if TYPE_CHECKING:
    from tokenizers import Tokenizer

LAST_LATIN = 0x24F


def _served(tuned: Tuned, kept: list[int], tokens: int) -> Any:
    """A torch module from (T,) token numbers of the kept vocabulary to (5,) scores."""
    import torch
    from torch import nn

    bert = tuned.encoder[0].auto_model
    heads = bert.config.num_attention_heads
    embeddings, layers = bert.embeddings, bert.encoder.layer

    class Served(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            words = embeddings.word_embeddings.weight.detach()[kept]
            scales = (words.abs().amax(dim=1, keepdim=True) / 127).clamp(min=1e-12)
            self.words = nn.Parameter((words / scales).round().to(torch.int8), requires_grad=False)
            self.scales = nn.Parameter(scales, requires_grad=False)
            places = embeddings.position_embeddings.weight.detach()[:tokens]
            places = places + embeddings.token_type_embeddings.weight.detach()[0]
            self.places = nn.Parameter(places, requires_grad=False)
            self.first = embeddings.LayerNorm
            self.qkv, self.out, self.norm, self.wide, self.narrow, self.last = (nn.ModuleList() for _ in range(6))
            for layer in layers:
                three = [getattr(layer.attention.self, part) for part in ("query", "key", "value")]
                joined = nn.Linear(three[0].in_features, 3 * three[0].out_features)
                joined.weight.data = torch.cat([part.weight.detach() for part in three])
                joined.bias.data = torch.cat([part.bias.detach() for part in three])
                self.qkv.append(joined)
                self.out.append(layer.attention.output.dense)
                self.norm.append(layer.attention.output.LayerNorm)
                self.wide.append(layer.intermediate.dense)
                self.narrow.append(layer.output.dense)
                self.last.append(layer.output.LayerNorm)
            self.layer = tuned.layer

        def forward(self, ids: Any) -> Any:
            count = ids.shape[0]
            x = self.words[ids].float() * self.scales[ids] + self.places[:count]
            x = self.first(x)
            width = x.shape[1] // heads
            for qkv, out, norm, wide, narrow, last in zip(
                self.qkv, self.out, self.norm, self.wide, self.narrow, self.last, strict=True
            ):
                q, k, v = qkv(x).reshape(-1, 3, heads, width).permute(1, 2, 0, 3).unbind(0)
                share = torch.softmax(q @ k.transpose(1, 2) * width**-0.5, dim=-1)
                x = norm(x + out((share @ v).transpose(0, 1).reshape(-1, heads * width)))
                x = last(x + narrow(nn.functional.gelu(wide(x))))
            # Not a product of matrices, so that the last step is not rounded to eight bits.
            return (self.layer.weight * x.mean(dim=0)).sum(dim=1) + self.layer.bias

    return Served().eval()


def smaller_tokenizer(tokenizer: Tokenizer) -> tuple[str, list[int]]:
    """The tokenizer without pieces of other scripts and without unused places, and the kept pieces' old numbers."""
    stored = json.loads(tokenizer.to_str())
    vocabulary: dict[str, int] = stored["model"]["vocab"]
    kept = sorted((old, piece) for piece, old in vocabulary.items() if _worth(piece))
    new = {piece: number for number, (_, piece) in enumerate(kept)}
    stored["model"]["vocab"] = new
    for token in stored["added_tokens"]:
        token["id"] = new[token["content"]]
    for name, special in stored["post_processor"]["special_tokens"].items():
        special["ids"] = [new[name]]
    return json.dumps(stored, ensure_ascii=False, separators=(",", ":")), [old for old, _ in kept]


def _worth(piece: str) -> bool:
    """Whether a word piece is kept.

    >>> _worth("##down"), _worth("é"), _worth("[unused9]"), _worth("落")
    (True, True, False, False)
    """
    if piece.startswith("[unused"):
        return False
    return all(ord(letter) <= LAST_LATIN or 0x2000 <= ord(letter) < 0x2C00 for letter in piece)


def export(tuned: Tuned, folder: Path, *, tokens: int, about: dict[str, Any]) -> dict[str, Any]:
    """Write the ONNX file, the tokenizer and the manifest; returns the manifest.

    `about` gives data, metrics, prior, calibration, command and versions.
    """
    text, kept = smaller_tokenizer(tuned.tokenizer)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TOKENIZER).write_text(text, encoding="utf-8")
    write_onnx(tuned, folder / MODEL, kept, tokens=tokens)
    manifest = {
        "format": FORMAT,
        "kind": KIND,
        "features": {"labels": list(LABELS), "tokens": tokens, "pieces": len(kept)},
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for name in (MODEL, TOKENIZER)
            for content in [(folder / name).read_bytes()]
        },
        **about,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return manifest


def write_onnx(tuned: Tuned, path: Path, kept: list[int], *, tokens: int, quantise: bool = True) -> None:
    """The network as one ONNX file, in eight bits unless told otherwise."""
    import torch

    served = _served(tuned, kept, tokens).to("cpu")
    example = torch.from_numpy(np.arange(12, dtype=np.int64))
    with tempfile.TemporaryDirectory() as scratch:
        plain = Path(scratch) / "plain.onnx"
        with torch.no_grad():
            torch.onnx.export(
                served,
                (example,),
                str(plain),
                input_names=["ids"],
                output_names=["scores"],
                dynamic_axes={"ids": {0: "pieces"}},
                opset_version=20,
                dynamo=False,
            )
        if not quantise:
            path.write_bytes(plain.read_bytes())
            return
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(
            str(plain),
            str(path),
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            op_types_to_quantize=["MatMul", "Gemm"],
        )
