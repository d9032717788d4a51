"""What the server did, in the format of Prometheus. Nothing here names a caller, a key, an argument or a record."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from ...audit import CallRecord
from ...definitions import Tool

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_MOST_CODES = 200


class Metrics:
    """Counts of one process, fed with the records of calls and with the HTTP requests around them.

    Where prometheus_client shares values in a folder (PROMETHEUS_MULTIPROC_DIR, set for workers), the page of each process
    shows what all have done. Labels come from the catalogue or are bounded: agents choose names of tools, the API chooses codes.
    """

    def __init__(self, tools: Mapping[str, Tool]) -> None:
        self._tools = tools
        self._codes: set[str] = set()
        registry = CollectorRegistry()
        self._shown = registry
        if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            self._shown = CollectorRegistry()
            MultiProcessCollector(self._shown, folder)  # type: ignore[no-untyped-call]
            self._shown.register(_Workers(Path(folder)))
        else:
            ProcessCollector(registry=registry)
        calls = ("tool", "effect", "outcome")
        self._calls = Counter("trustpager_calls", "Calls of tools by how they ended.", calls, registry=registry)
        self._failures = Counter("trustpager_call_failures", "Calls that ended in an error.", ["code"], registry=registry)
        self._seconds = Histogram(
            "trustpager_call_seconds", "Time of calls, in seconds.", ["effect"], buckets=_SECONDS, registry=registry
        )
        self._upstream = Histogram(
            "trustpager_upstream_seconds",
            "The API's part, retries included.",
            ["effect"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._retries = Counter("trustpager_retries", "Requests to the API after a call's first.", registry=registry)
        self._joined = Counter("trustpager_joined_calls", "Writes answered from the same write of before.", registry=registry)
        self._tokens = Counter("trustpager_result_tokens", "Tokens of results given to agents, estimated.", registry=registry)
        self._credits = Counter("trustpager_credits", "Credits that calls cost, where known.", registry=registry)
        self._refused = Counter("trustpager_requests_refused", "HTTP requests refused, by status.", ["status"], registry=registry)
        self.in_flight = Gauge(
            "trustpager_requests_in_flight", "MCP requests being handled.", multiprocess_mode="livesum", registry=registry
        )
        serving = Gauge("trustpager_workers", "Processes that serve.", multiprocess_mode="livesum", registry=registry)
        serving.set(1)

    def observe(self, call: CallRecord) -> None:
        """Count one call that has ended."""
        tool = self._tools.get(call.tool)
        effect = tool.effect if tool else "unknown"
        self._calls.labels(tool.name if tool else "unknown", effect, call.outcome).inc()
        if call.code:
            self._failures.labels(self._bounded(call.code)).inc()
        self._seconds.labels(effect).observe(call.duration_ms / 1000)
        if call.upstream_ms:
            self._upstream.labels(effect).observe(call.upstream_ms / 1000)
        if call.joined:
            self._joined.inc()
        elif call.attempts > 1:
            self._retries.inc(call.attempts - 1)
        self._tokens.inc(call.tokens)
        if call.credits:
            self._credits.inc(call.credits)

    def answered(self, status: int) -> None:
        """Count the status of an HTTP answer to an MCP request."""
        if status >= 400:
            self._refused.labels(str(status)).inc()

    def page(self) -> bytes:
        """The page that Prometheus reads."""
        return generate_latest(self._shown)

    def _bounded(self, code: str) -> str:
        if code in self._codes:
            return code
        if len(self._codes) >= _MOST_CODES or not _CODE.fullmatch(code):
            return "other"
        self._codes.add(code)
        return code


class _Workers(Collector):
    """Memory, time and open files of the workers that live, each by its process id."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        found: dict[str, Metric] = {}
        # One file a worker, which goes when it ends.
        for gauges in self._folder.glob("gauge_livesum_*.db"):
            pid = gauges.stem.rpartition("_")[2]
            for metric in ProcessCollector(pid=partial(str, pid), registry=None).collect():
                kept = found.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
                for sample in metric.samples:
                    kept.add_sample(sample.name, {"worker": pid}, sample.value)
        yield from found.values()
