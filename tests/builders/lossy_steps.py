"""How much of a drawn chain of post-processing loses fine traces."""

from __future__ import annotations

from framejury.augmentation.post_processing import PostProcessing


def lossy_steps(chain: PostProcessing) -> int:
    """Return the number of steps that weaken fine traces; each video generation counts."""
    steps = (
        *(chain.smoothing, chain.small_ratio, chain.upscaling, chain.screen, chain.blur_sigma_px),
        *(chain.noise_sigma, chain.grain, chain.jpeg_quality),
    )
    return sum(step is not None for step in steps) + len(chain.videos)
