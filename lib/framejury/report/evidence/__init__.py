"""The evidence page of one video: what its verdict is based on."""
