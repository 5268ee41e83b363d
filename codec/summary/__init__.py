"""What an input of updates is like, found in one pass: counts, extents, curves."""

from codec.summary.assets import Extent
from codec.summary.bins import Curve, Curves, Trace
from codec.summary.choice import Choice
from codec.summary.durations import Durations
from codec.summary.flow import Flow, Silence
from codec.summary.groups import key_of
from codec.summary.part import UNKNOWN_KIND, Part, whole_messages
from codec.summary.summary import MAX_ASSETS, Summary

__all__ = [
    "MAX_ASSETS",
    "UNKNOWN_KIND",
    "Choice",
    "Curve",
    "Curves",
    "Durations",
    "Extent",
    "Flow",
    "Part",
    "Silence",
    "Summary",
    "Trace",
    "key_of",
    "whole_messages",
]
