"""The families behind `/metrics`. Counted where things happen, rendered by `sofiia_site.status`."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)

disable_created_metrics()  # type: ignore[no-untyped-call]  # a gauge beside every counter helps nobody
REGISTRY = CollectorRegistry()

_SHORT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

HTTP_REQUESTS = Counter(
    "sofiia_http_requests", "Requests answered", ["method", "status"], registry=REGISTRY
)
HTTP_SECONDS = Histogram(
    "sofiia_http_request_seconds",
    "Time to the end of the answer",
    buckets=_SHORT,
    registry=REGISTRY,
)
PROBES = Counter("sofiia_probes", "Probes ended", ["outcome"], registry=REGISTRY)
PROBE_SECONDS = Histogram(
    "sofiia_probe_seconds", "Latency of answered probes", buckets=_SHORT, registry=REGISTRY
)
PROBE_LAG = Histogram(
    "sofiia_probe_start_lag_seconds", "How late probes started", buckets=_SHORT, registry=REGISTRY
)
OUTBOUND_REFUSED = Counter(
    "sofiia_outbound_refused",
    "Connections that the network policy refused",
    ["purpose"],
    registry=REGISTRY,
)
EVENTS_APPENDED = Counter("sofiia_events_appended", "Events written", ["type"], registry=REGISTRY)
EVENTS_DELIVERED = Counter(
    "sofiia_events_delivered", "Frames handed to stream clients", registry=REGISTRY
)
STREAM_CLIENTS = Gauge("sofiia_stream_clients", "Open event streams", ["kind"], registry=REGISTRY)
STREAM_DROPPED = Counter(
    "sofiia_stream_dropped", "Streams closed by the console", ["reason"], registry=REGISTRY
)
THROTTLED = Counter("sofiia_throttled", "Refusals by the throttle", ["kind"], registry=REGISTRY)
