"""Settings that reduce a published recipe to a test."""

from __future__ import annotations

REDUCED = (
    *("--set", "training.weights=none"),  # published weights are a download
    *("--set", "training.head_epochs=0"),
    *("--set", "training.finetune_epochs=1"),
    *("--set", "training.input_px=48"),
    *("--set", "training.batch_size=32"),
    # Haar on 1080p takes a tenth of a second a frame.
    *("--set", "detection.frame_side_px=360"),
    *("--set", "detection.min_face_px=55"),
)
"""What tests change of every recipe; nothing else is."""
