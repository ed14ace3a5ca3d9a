"""The mask head: SAM2's mask decoder with a token per class (SARTM III-D, eq 9)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from samantic.models.encoders.encoder import Base, position_grid
from samantic.models.pyramid import Pyramid

CLASS_NOISE = 0.1
"""Noise on a class's copy of a SAM2 mask token and MLP, as a fraction of each tensor's standard
deviation."""


class MaskHead(nn.Module):
    """SAM2's mask decoder for semantic segmentation.

    The tokens are SAM2's object-score and IoU tokens, mask token 0 (unused), K class tokens and the
    empty prompt. The pre-trained attention expects the score and IoU tokens; the heads that read
    them are removed. The two-way transformer runs on the semantic map. Its output is upsampled with
    the finer maps to u2, and the logits of class k are MLP_k(token_k) . u2. No object-score gate is
    applied.

    Class j = 1..K starts from SAM2's mask token and MLP 1 + (j - 1) mod 3 with small noise.

    Args:
        base: SAM2 or another base, whose mask decoder and prompt encoder are copied.
        num_classes: Number of classes K.
        train_transformer: Whether the two-way transformer is trained; the paper freezes it.

    Shape: a pyramid to logits (N, K, H/4, W/4).
    """

    def __init__(self, base: Base, num_classes: int, *, train_transformer: bool = True) -> None:
        super().__init__()
        self.decoder = copy.deepcopy(base.mask_decoder)
        self.positional = copy.deepcopy(base.shared_image_embedding)
        prompt = base.prompt_encoder
        self.not_a_point = nn.Parameter(prompt.not_a_point_embed.weight.detach().clone())
        self.no_mask = nn.Parameter(prompt.no_mask_embed.weight.detach().clone())
        self._make_semantic(num_classes)
        self.decoder.transformer.requires_grad_(train_transformer)
        self.decoder.output_hypernetworks_mlps[0].requires_grad_(False)
        self.not_a_point.requires_grad_(False)
        self.no_mask.requires_grad_(False)

    @torch.no_grad()
    def _make_semantic(self, num_classes: int) -> None:
        decoder = self.decoder
        sources = [0] + [1 + j % decoder.num_multimask_outputs for j in range(num_classes)]
        tokens = nn.Embedding(num_classes + 1, decoder.hidden_size)
        tokens.weight.copy_(decoder.mask_tokens.weight[sources])
        mlps = [copy.deepcopy(decoder.output_hypernetworks_mlps[source]) for source in sources]
        for tensor in (tokens.weight[1:], *(p for mlp in mlps[1:] for p in mlp.parameters())):
            tensor += CLASS_NOISE * tensor.std() * torch.randn_like(tensor)
        decoder.mask_tokens = tokens
        decoder.output_hypernetworks_mlps = nn.ModuleList(mlps)
        decoder.num_multimask_outputs, decoder.num_mask_tokens = num_classes, num_classes + 1
        for unused in ("iou_prediction_head", "pred_obj_score_head"):
            setattr(decoder, unused, nn.Identity())

    def forward(self, features: Pyramid) -> Tensor:
        batch = features.semantic.shape[0]
        masks: Tensor = self.decoder(
            image_embeddings=features.semantic,
            image_positional_embeddings=position_grid(self.positional, features.semantic),
            sparse_prompt_embeddings=self.not_a_point.expand(batch, 1, 2, -1),
            dense_prompt_embeddings=self.no_mask[:, :, None, None],
            multimask_output=True,
            high_resolution_features=[features.fine, features.intermediate],
        )[0]
        return masks[:, 0]
