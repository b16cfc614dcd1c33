"""Fine-tune a sentence-transformers encoder on labelled posts. Training time only: torch is loaded inside.

Two objectives. `classification`: mean-pooled token vectors under a linear layer, cross-entropy with label smoothing,
encoder and layer trained together. `contrastive`: posts of one label are drawn together and others pushed apart
(batch-all triplet loss, Schroff et al., 2015), then a logistic regression on the vectors, as SetFit does (Tunstall et
al., 2022). Several runs with different seeds can be averaged weight by weight into one model (a model soup, Wortsman
et al., 2022), which costs nothing when it runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from detector.classify.distil import SPOKEN
from detector.errors import ArtifactError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How to fine-tune.

    Attributes:
        rate: peak learning rate of the encoder; the layer on top learns twenty times as fast.
        smoothing: share of each target spread over all labels.
        balance: 0 weighs every post alike, 1 every label alike.
        tokens: word pieces read of a post, the two at its ends included.
        bare: share of the times a post is shown with its service's name left in.
        souped: runs averaged into one, with seeds `seed`, `seed + 1`, ...
    """

    objective: Literal["classification", "contrastive"] = "classification"
    epochs: int = 3
    batch: int = 32
    rate: float = 8e-5
    smoothing: float = 0.05
    balance: float = 0.3
    tokens: int = 96
    bare: float = 0.33
    souped: int = 1
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Shown:
    """Training posts: with the service masked, as they stand, and (n, 5) target probabilities with their weights."""

    masked: Sequence[str]
    bare: Sequence[str]
    targets: F32
    weights: F32

    @classmethod
    def of(cls, masked: Sequence[str], bare: Sequence[str], labels: I64, tuning: Tuning) -> Shown:
        """Hard labels, smoothed and balanced as `tuning` says."""
        targets = np.full((len(labels), 5), tuning.smoothing / 5, dtype=np.float32)
        targets[np.arange(len(labels)), labels] += 1 - tuning.smoothing
        share = np.bincount(labels, minlength=5).clip(min=1) / len(labels)
        weights = share[labels] ** -tuning.balance
        return cls(masked, bare, targets, (weights / weights.mean()).astype(np.float32))


class Tuned:
    """An encoder with its layer, in torch: what `export` turns into the shipped file."""

    def __init__(self, encoder: Any, layer: Any, tokenizer: Tokenizer) -> None:
        self.encoder, self.layer, self.tokenizer = encoder, layer, tokenizer

    def vectors(self, texts: Sequence[str], *, batch: int = 64) -> F32:
        """(n, D) mean-pooled token vectors."""
        import torch

        self.encoder.eval()
        encoded = self.tokenizer.encode_batch_fast(list(texts))
        order = np.argsort([len(e.ids) for e in encoded], kind="stable")
        found: list[F32] = [np.zeros(0, dtype=np.float32)] * len(texts)
        with torch.no_grad(), _half(self.encoder):
            for at in range(0, len(order), batch):
                rows = order[at : at + batch]
                for row, vector in zip(rows, _pooled(self.encoder, [encoded[r].ids for r in rows]).cpu(), strict=True):
                    found[row] = vector.float().numpy()
        return np.stack(found)

    def scores(self, texts: Sequence[str]) -> F32:
        """(n, 5) scores before calibration."""
        import torch

        with torch.no_grad():
            vectors = torch.from_numpy(self.vectors(texts)).to(self.layer.weight.device)
            found: F32 = self.layer(vectors).cpu().numpy()
        return found


def our_tokenizer(folder: Path, tokens: int) -> Tokenizer:
    """The encoder's tokenizer, our tokens in it (in places that the vocabulary keeps unused), no padding.

    Raises:
        ArtifactError: it is no WordPiece tokenizer with unused places.
    """
    from tokenizers import Tokenizer

    try:
        stored = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        vocabulary = stored["model"]["vocab"]
        for number, ours in enumerate(SPOKEN):
            vocabulary[ours] = vocabulary.pop(f"[unused{number}]")
        stored["padding"] = None
        stored["truncation"] = {"max_length": tokens, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
        return Tokenizer.from_str(json.dumps(stored))
    except (OSError, KeyError, ValueError) as error:
        raise ArtifactError(
            f"{folder}: its tokenizer cannot take our tokens ({error!r}); use a BERT encoder"
        ) from error


def finetune(shown: Shown, tuning: Tuning, *, teacher: Path) -> Tuned:
    """An encoder from `teacher` (a sentence-transformers folder) fitted to the posts; on a GPU where there is one.

    Same data, machine and thread count: same weights. Elsewhere sums round differently, and held-out average
    precision moves by about .01 (the spread over seeds).
    """
    runs = [_run(shown, tuning, teacher, tuning.seed + n) for n in range(tuning.souped)]
    first = runs[0]
    if len(runs) > 1:
        for part in ("encoder", "layer"):
            states = [getattr(run, part).state_dict() for run in runs]
            mean = {
                key: sum(s[key] for s in states) / len(states) if value.is_floating_point() else value
                for key, value in states[0].items()
            }
            getattr(first, part).load_state_dict(mean)
    return first


def _run(shown: Shown, tuning: Tuning, teacher: Path, seed: int) -> Tuned:
    import torch
    from sentence_transformers import SentenceTransformer

    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    encoder: Any = SentenceTransformer(str(teacher), device=device)
    tokenizer = our_tokenizer(teacher, tuning.tokens)
    _introduce(encoder, tokenizer)
    # All runs of a soup start from one layer: averaging needs them to stay in one valley.
    layer = torch.nn.Linear(encoder.get_embedding_dimension(), 5).to(device)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    tuned = Tuned(encoder, layer, tokenizer)
    encoder.train()
    # Half of all weights are word vectors; most words of a live stream are not in our few labels, so they stay.
    encoder[0].auto_model.get_input_embeddings().weight.requires_grad_(False)
    groups = _groups(encoder, layer, tuning.rate)
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01, fused=True)
    steps = tuning.epochs * -(-len(shown.masked) // tuning.batch)
    plan = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        [group["lr"] for group in groups],
        total_steps=steps + 1,
        pct_start=max(0.1, min(0.5, 2 / steps)),  # the library divides by zero where the first phase has one step
        anneal_strategy="linear",
    )
    for _ in range(tuning.epochs):
        for rows, ids in _batches(shown, tokenizer, tuning, random):
            with _half(encoder):
                pooled = _pooled(encoder, ids).float()
            target = torch.from_numpy(shown.targets[rows]).to(device)
            weight = torch.from_numpy(shown.weights[rows]).to(device)
            if tuning.objective == "contrastive":
                loss = _triplets(pooled, target.argmax(dim=1))
            else:
                scores = layer(pooled)
                each = -(target * torch.log_softmax(scores, dim=1)).sum(dim=1)
                loss = (weight * each).mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            plan.step()
    if tuning.objective == "contrastive":
        _fit_layer(tuned, shown, seed)
    encoder.eval()
    return tuned


def _batches(
    shown: Shown, tokenizer: Tokenizer, tuning: Tuning, random: np.random.Generator
) -> Iterator[tuple[I64, list[list[int]]]]:
    """One pass in random order; posts of similar length share a batch, so that little is padded."""
    order = random.permutation(len(shown.masked))
    named = random.random(len(order)) < tuning.bare
    texts = [(shown.bare if named[row] else shown.masked)[row] for row in order]
    ids = [found.ids for found in tokenizer.encode_batch_fast(texts)]
    batches = []
    for at in range(0, len(order), tuning.batch * 50):
        pool = sorted(range(at, min(at + tuning.batch * 50, len(order))), key=lambda i: len(ids[i]))
        batches += [pool[i : i + tuning.batch] for i in range(0, len(pool), tuning.batch)]
    for number in random.permutation(len(batches)):
        chosen = batches[number]
        yield order[chosen], [ids[i] for i in chosen]


def _pooled(encoder: Any, ids: Sequence[Sequence[int]]) -> Any:
    """(n, D) means over the token vectors of the encoder's first module."""
    import torch

    longest = max(map(len, ids))
    device = encoder.device
    padded = torch.tensor([[*row, *[0] * (longest - len(row))] for row in ids], device=device)
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in ids], device=device)
    states = encoder[0].auto_model(input_ids=padded, attention_mask=mask).last_hidden_state
    return (states * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)


def _half(encoder: Any) -> Any:
    """bfloat16 products where the processor multiplies them (AVX512-BF16, AMX, GPU): twice as fast, same quality."""
    import torch

    able = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    fast = encoder.device.type == "cuda" or able()
    return torch.autocast(encoder.device.type, dtype=torch.bfloat16, enabled=bool(fast))


def _introduce(encoder: Any, tokenizer: Tokenizer) -> None:
    """Our tokens start as the mean of the words that say the same."""
    import torch

    table = encoder[0].auto_model.get_input_embeddings().weight
    with torch.no_grad():
        for ours, words in SPOKEN.items():
            place = tokenizer.token_to_id(ours)
            table[place] = table[tokenizer.encode(words, add_special_tokens=False).ids].mean(dim=0)


def _groups(encoder: Any, layer: Any, rate: float) -> list[dict[str, Any]]:
    learning = [(name, p) for name, p in encoder.named_parameters() if p.requires_grad]
    plain = [p for name, p in learning if name.endswith("bias") or "LayerNorm" in name]
    rest = [p for name, p in learning if not (name.endswith("bias") or "LayerNorm" in name)]
    return [
        {"params": rest, "lr": rate},
        {"params": plain, "lr": rate, "weight_decay": 0.0},
        {"params": list(layer.parameters()), "lr": 20 * rate},
    ]


def _triplets(pooled: Any, labels: Any, *, margin: float = 0.5) -> Any:
    """Mean over all (anchor, same label, other label) of a batch that break the margin, by angle."""
    import torch

    directions = torch.nn.functional.normalize(pooled, dim=1)
    apart = (2 - 2 * directions @ directions.T).clamp(min=1e-6).sqrt()
    same = labels[:, None] == labels[None, :]
    pairs = same & ~torch.eye(len(labels), dtype=torch.bool, device=same.device)
    every = (apart[:, :, None] - apart[:, None, :] + margin).clamp(min=0)
    valid = pairs[:, :, None] & ~same[:, None, :]
    every = every * valid
    return every.sum() / (every > 1e-9).sum().clamp(min=1)


def _fit_layer(tuned: Tuned, shown: Shown, seed: int) -> None:
    """A logistic regression on the vectors, written into the layer."""
    import torch
    from sklearn.linear_model import LogisticRegression

    vectors = tuned.vectors(shown.masked)
    labels = shown.targets.argmax(axis=1)
    scale = float(np.sqrt((vectors**2).sum(axis=1)).mean())
    model = LogisticRegression(C=1.0, max_iter=500, random_state=seed)
    model.fit(vectors / scale, labels, sample_weight=shown.weights)
    with torch.no_grad():
        tuned.layer.bias.fill_(float(model.intercept_.mean()) - 10)
        for row, label in enumerate(model.classes_):
            tuned.layer.weight[label] = torch.from_numpy(model.coef_[row] / scale).float()
            tuned.layer.bias[label] = float(model.intercept_[row])
