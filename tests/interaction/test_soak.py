"""A few seconds of the soak (bench/soak.py): in bad weather no write is done twice, lost, or denied and yet done."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_no_write_is_done_twice_or_lost_while_the_api_fails() -> None:
    words = [sys.executable, "bench/soak.py", "--seconds", "6", "--pause", "0.1", "--tenants", "4", "--replicas", "1", "--json"]
    ran = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    report = json.loads(ran.stdout)
    assert (report["duplicate_writes"], report["lost_writes"], report["writes_denied_and_yet_done"]) == (0, 0, 0)
    assert report["writes_done"] > 0
    assert sum(report["faults"].values()) > 0
