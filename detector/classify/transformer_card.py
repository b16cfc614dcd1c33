"""The model card of the transformer and the cascade, written from the manifests alone."""

from __future__ import annotations

from typing import Any

from detector.classify.card import LIMITS, measures_table


def transformer_card(manifest: dict[str, Any]) -> str:
    """The card as Markdown; every figure is held out and was computed by the command it names."""
    data, files, recipe = manifest["data"], manifest["files"], manifest["recipe"]
    counted = ", ".join(f"{label} {count:,}" for label, count in data["labels"].items())
    sizes = ", ".join(f"`{name}` {stated['bytes'] / 1e6:.1f} MB" for name, stated in sorted(files.items()))
    prior = ", ".join(f"{label} {share:.3f}" for label, share in manifest["prior"].items())
    chosen = ", ".join(f"{name} {value}" for name, value in recipe.items())
    lines = [
        "# The transformer classifier",
        "",
        "all-MiniLM-L6-v2 (Apache-2.0, weights pinned by sha256) fine-tuned through sentence-transformers on labelled",
        "posts, in eight bits, run post by post by onnxruntime and tokenizers without torch. The cascade asks it about",
        "the mentions of which the static classifier is unsure and blends both.",
        "",
        f"Files: {sizes}. Recipe: {chosen}. Made by:",
        "",
        "```",
        str(manifest["command"]),
        "```",
        "",
        "The same data, machine and thread count give the same weights; elsewhere sums round differently and held-out",
        "average precision moves by about .01.",
        "",
        "## Data",
        "",
        f"{data['posts']:,} labelled posts ({counted}); {data['left_out_near_measured']} left out as they resemble",
        f"a post of the sets that are only measured ({', '.join(data['measured_only']) or 'none'}).",
        f"Prior of the probabilities: {prior}.",
        "",
        "## Held-out figures (*now* = complaint or report)",
        "",
        "`later 30 %`: trained on earlier posts of every source without near-duplicates of them, calibrated and",
        "blended for each fifth on the other four. `shipped files`: posts never trained on, judged by the files here.",
        "",
        *measures_table(manifest["metrics"]),
        "",
        "## Limits",
        "",
        LIMITS.rstrip(),
    ]
    return "\n".join(lines) + "\n"
