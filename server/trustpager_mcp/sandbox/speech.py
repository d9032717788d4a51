"""Speech without a voice: an MP3 of silence as long as the text would take, and the times at which its parts are said."""

from __future__ import annotations

import math
import re

from .store import Record

_CHARACTERS_PER_SECOND = 15.0
_FRAMES_PER_SECOND = 30
# An MPEG-1 Layer III frame of 128 kbit/s at 44.1 kHz: header, then side information and data that decode to silence.
_MP3_FRAME = b"\xff\xfb\x90\xc4" + bytes(413)
_SAMPLES_PER_FRAME, _SAMPLE_RATE = 1152, 44_100
_SPLITS = {"sentences": r"(?<=[.!?])\s+", "phrases": r"(?<=[.!?,;:])\s+", "words": r"\s+"}


def seconds(text: str) -> float:
    """How long the text takes to say."""
    return len(text) / _CHARACTERS_PER_SECOND


def mp3(text: str) -> bytes:
    """The silence, as an MP3 file."""
    return _MP3_FRAME * math.ceil(seconds(text) * _SAMPLE_RATE / _SAMPLES_PER_FRAME)


def timed(text: str, mode: str) -> list[Record]:
    """The parts of a text with start and end in seconds and in frames at 30 a second."""
    segments, at = [], 0.0
    for part in filter(None, re.split(_SPLITS[mode], text.strip())):
        end = at + (len(part) + 1) / _CHARACTERS_PER_SECOND
        frames = {"frame_start": round(at * _FRAMES_PER_SECOND), "frame_end": round(end * _FRAMES_PER_SECOND)}
        segments.append({"text": part, "start": round(at, 3), "end": round(end, 3), **frames})
        at = end
    return segments
