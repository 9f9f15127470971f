"""The evidence page of one video: what its verdict rests on."""
