"""The OpenAPI 3.1 document of the JSON, generated from `shapes`, so that it cannot drift from the code."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from detector import __version__
from detector.web import series, shapes

_REFERENCE = "#/components/schemas/{model}"
_SLUG = {"name": "slug", "in": "path", "required": True, "schema": {"type": "string"}, "description": "The service."}
_KEY = {"name": "key", "in": "path", "required": True, "schema": {"type": "string"}, "description": "The alert."}


def _query(name: str, values: list[str], about: str) -> dict[str, Any]:
    schema = {"type": "string", **({"enum": values} if values else {})}
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": about}


# Path, what it is, the shape of its answer, its parameters, what else it may answer.
READS: tuple[tuple[str, str, Any, list[dict[str, Any]], tuple[int, ...]], ...] = (
    ("/api/board", "Every watched service, outages first", shapes.Board, [], ()),
    ("/api/services/{slug}", "One service in detail", shapes.ServiceLook, [_SLUG], (404,)),
    (
        "/api/services/{slug}/series",
        "People against expectation",
        shapes.Series,
        [_SLUG, _query("range", list(series.RANGES), "How far back; 24h if not said.")],
        (400, 404),
    ),
    (
        "/api/alerts",
        "Alerts, newest first, at most 200",
        shapes.AlertList,
        [_query("state", ["firing", "resolved"], "Only these."), _query("service", [], "Only of this service.")],
        (400,),
    ),
    ("/api/alerts/{key}", "One alert in detail", shapes.AlertLook, [_KEY], (404,)),
    ("/api/proof", "Our own record", shapes.Proof, [], ()),
    ("/api/sources", "Health of every source", shapes.Sources, [], ()),
    ("/status.json", "The state of every service, for programs that fail over", shapes.Status, [], ()),
)
_WRITES = (
    (
        "/api/alerts/{key}/feedback",
        "Say whether an alert was true",
        _KEY,
        {"real": {"type": "boolean"}, "comment": {"type": "string", "maxLength": 500}},
        ["real"],
    ),
    (
        "/api/services/{slug}/silence",
        "Tell nobody about a service for a while",
        _SLUG,
        {"span": {"enum": ["1h", "4h", "1d", "1w"]}, "comment": {"type": "string", "maxLength": 500}},
        ["span"],
    ),
)
_REFUSALS = {
    400: "A parameter is wrong",
    401: "A token is needed",
    403: "The token is missing or wrong",
    404: "There is no such thing",
    409: "Read-only here, or the writer refused",
    413: "The body is too large",
    503: "The database cannot be read at the moment",
}


def document() -> dict[str, Any]:
    """The whole document.

    >>> document()["openapi"]
    '3.1.0'
    """
    mode: JsonSchemaMode = "serialization"
    models = [*(read[2] for read in READS), shapes.Problem, shapes.Done]
    adapters = [(model.__name__, mode, TypeAdapter(model)) for model in models]
    references, definitions = TypeAdapter.json_schemas(adapters, ref_template=_REFERENCE)
    schemas = definitions.get("$defs", {})
    paths: dict[str, Any] = {}
    for path, about, model, parameters, refusals in READS:
        paths[path] = {
            "get": {
                "summary": about,
                "parameters": parameters,
                "responses": {
                    "200": _response(about, references[model.__name__, mode]),
                    **_refusals(*refusals, 401, 503),
                },
            }
        }
    for path, about, parameter, properties, required in _WRITES:
        body = {"type": "object", "properties": properties, "required": required}
        paths[path] = {
            "post": {
                "summary": about,
                "parameters": [parameter],
                "security": [{"bearer": []}],
                "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
                "responses": {
                    "202": _response("Taken in", {"$ref": _REFERENCE.format(model="Done")}),
                    **_refusals(400, 401, 403, 404, 409, 413, 503),
                },
            }
        }
    paths["/metrics"] = {"get": {"summary": "Prometheus' text format", "responses": {"200": _plain("text/plain")}}}
    for path, kind in (("atom", "atom+xml"), ("rss", "rss+xml"), ("json", "feed+json")):
        paths[f"/feed.{path}"] = {
            "get": {
                "summary": "Alerts as a feed",
                "parameters": [_query("service", [], "Only of this service.")],
                "responses": {"200": _plain(f"application/{kind}"), **_refusals(401, 404, 503)},
            }
        }
    paths["/events"] = {
        "get": {
            "summary": "The board's changes as server-sent events; resumes after Last-Event-ID",
            "parameters": [_query("service", [], "Only of this service."), _query("since", [], "An event's id.")],
            "responses": {"200": _plain("text/event-stream")},
        }
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "detector",
            "version": __version__,
            "description": "Which services are failing, by what people say. All times are UTC.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _response(about: str, schema: Any) -> dict[str, Any]:
    return {"description": about, "content": {"application/json": {"schema": schema}}}


def _plain(kind: str) -> dict[str, Any]:
    return {"description": "The text", "content": {kind: {"schema": {"type": "string"}}}}


def _refusals(*statuses: int) -> dict[str, Any]:
    problem = {"$ref": _REFERENCE.format(model="Problem")}
    return {str(status): _response(_REFUSALS[status], problem) for status in statuses}
