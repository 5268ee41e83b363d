"""Benchmarks of stork-codec: `python -m bench` runs them all."""
