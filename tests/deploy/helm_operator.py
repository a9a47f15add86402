"""JSON schemas of the Prometheus operator's objects, the fields this chart may use and no others.

After the API reference of prometheus-operator, monitoring.coreos.com/v1 (docs/api-reference/api.md). Written by hand:
the operator's own definitions cannot be had from a Python package.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_TEXTS: Schema = {"type": "object", "additionalProperties": _TEXT}
_DURATION: Schema = {
    "type": "string",
    "pattern": r"^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$",
}
_NAME: Schema = {"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 253}


def closed(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    """An object with these properties and no others."""
    return {"type": "object", "required": [*required], "properties": properties, "additionalProperties": False}


def _object(kind: str, spec: Schema) -> Schema:
    metadata = closed(("name",), name=_NAME, namespace=_NAME, labels=_TEXTS, annotations=_TEXTS)
    return closed(
        ("apiVersion", "kind", "metadata", "spec"),
        apiVersion={"const": "monitoring.coreos.com/v1"},
        kind={"const": kind},
        metadata=metadata,
        spec=spec,
    )


_ACTIONS = ["replace", "keep", "drop", "hashmod", "labelmap", "labeldrop", "labelkeep", "lowercase", "uppercase"]
_RELABEL = closed(
    action={"enum": _ACTIONS},
    sourceLabels={"type": "array", "items": {"type": "string", "pattern": "^[a-zA-Z_][a-zA-Z0-9_]*$"}},
    separator=_TEXT,
    targetLabel=_TEXT,
    regex=_TEXT,
    modulus={"type": "integer"},
    replacement=_TEXT,
)
_ENDPOINT = closed(
    ("port",),
    port=_TEXT,
    path=_TEXT,
    scheme={"enum": ["http", "https"]},
    interval=_DURATION,
    scrapeTimeout=_DURATION,
    honorLabels={"type": "boolean"},
    honorTimestamps={"type": "boolean"},
    relabelings={"type": "array", "items": _RELABEL},
    metricRelabelings={"type": "array", "items": _RELABEL},
    tlsConfig={"type": "object"},
    basicAuth={"type": "object"},
    authorization={"type": "object"},
    bearerTokenSecret={"type": "object"},
)
_SELECTOR = closed(matchLabels=_TEXTS, matchExpressions={"type": "array"})
_NAMESPACES = closed(any={"type": "boolean"}, matchNames={"type": "array", "items": _NAME})
_RULE = closed(
    ("expr",),
    record={"type": "string", "pattern": "^[a-zA-Z_:][a-zA-Z0-9_:]*$"},
    alert=_TEXT,
    expr=_TEXT,
    labels=_TEXTS,
    annotations=_TEXTS,
    keep_firing_for=_DURATION,
    **{"for": _DURATION},
)
_GROUP = closed(
    ("name", "rules"),
    name={"type": "string", "minLength": 1},
    interval=_DURATION,
    limit={"type": "integer"},
    labels=_TEXTS,
    rules={"type": "array", "minItems": 1, "items": _RULE},
)

SCHEMAS: dict[str, Schema] = {
    "ServiceMonitor": _object(
        "ServiceMonitor",
        closed(
            ("selector", "endpoints"),
            jobLabel=_TEXT,
            selector=_SELECTOR,
            namespaceSelector=_NAMESPACES,
            endpoints={"type": "array", "minItems": 1, "items": _ENDPOINT},
        ),
    ),
    "PodMonitor": _object(
        "PodMonitor",
        closed(
            ("selector", "podMetricsEndpoints"),
            jobLabel=_TEXT,
            selector=_SELECTOR,
            namespaceSelector=_NAMESPACES,
            podMetricsEndpoints={"type": "array", "minItems": 1, "items": _ENDPOINT},
        ),
    ),
    "PrometheusRule": _object("PrometheusRule", closed(groups={"type": "array", "minItems": 1, "items": _GROUP})),
}
