"""Where the real payloads and messages lie, if they are there."""

from pathlib import Path

VECTORS = Path(__file__).parents[2] / "shared" / "vectors"
