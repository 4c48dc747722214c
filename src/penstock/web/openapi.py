"""The description of the API, as OpenAPI 3.1, made from the declarations: structs, docstrings and return types."""

import re
from collections.abc import Iterable
from typing import Any, get_type_hints

import msgspec

from penstock.web.asked import fields
from penstock.web.declared import Action, Declared, Done, File, View

_PARAMETER = re.compile(r"{(\w+)(?::\w+)?}")
_REF = "#/components/schemas/{name}"


class Error(msgspec.Struct, frozen=True):
    """What went wrong, and what to do about it."""

    error: str
    do: str


def document(declared: Declared, server: str) -> dict[str, Any]:
    """The whole description. `server` is the path that the API's own paths go on from."""
    models = {view.path: get_type_hints(view.load)["return"] for view in declared.views}
    bodies = {action.path: _body(action) for action in declared.actions}
    kinds = [Error, Done, *models.values(), *filter(None, bodies.values())]
    everything: list[Any] = [*declared.views, *declared.files, *declared.actions]
    parameters = {kind: msgspec.json.schema_components([kind], ref_template=_REF)[1]
                  for kind in {each.asked for each in everything}}
    shared: dict[str, Any] = {}
    for kind, found in parameters.items():
        shared.update({name: schema for name, schema in found.items() if name != kind.__name__})
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    of = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, Any] = {}
    for view in declared.views:
        paths.setdefault(_plain(view.path), {})["get"] = _operation(
            view, parameters, {"application/json": {"schema": of[models[view.path]]}}, of[Error])
    for file in declared.files:
        paths.setdefault(_plain(file.path), {})["get"] = _operation(file, parameters, {file.media_type: {}}, of[Error])
    for action in declared.actions:
        operation = _operation(action, parameters, {"application/json": {"schema": of[Done]}}, of[Error])
        if (body := bodies[action.path]) is not None:
            operation["requestBody"] = {"content": {"application/json": {"schema": of[body]}}}
        paths.setdefault(_plain(action.path), {})["post"] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Penstock", "version": "1", "description": "What the dashboard shows and does."},
        "servers": [{"url": server}],
        "paths": paths,
        "components": {"schemas": {**shared, **components},
                       "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{"token": []}],
    }


def _operation(declared: View[Any, Any] | File[Any] | Action[Any], schemas: dict[type, dict[str, Any]],
               content: dict[str, Any], error: dict[str, Any]) -> dict[str, Any]:
    call = declared.do if isinstance(declared, Action) else declared.load
    in_path = _PARAMETER.findall(declared.path)
    names: Iterable[str] = in_path if isinstance(declared, Action) else [*in_path, *(
        name for name in fields(declared.asked) if name not in in_path)]
    properties = schemas[declared.asked][declared.asked.__name__]["properties"]
    kind = "post" if isinstance(declared, Action) else "get"
    return {
        "operationId": f"{kind}_" + (re.sub(r"\W+", "_", _plain(declared.path)).strip("_") or "overview"),
        "summary": (call.__doc__ or declared.path).strip().partition("\n")[0],
        "description": f"Needs the scope `{declared.scope}`.",
        "parameters": [{"name": name, "in": "path" if name in in_path else "query", "required": name in in_path,
                        "schema": {key: value for key, value in properties[name].items() if key != "default"}}
                       for name in names],
        "responses": {"200": {"description": "It is as asked for.", "content": content},
                      "default": {"description": "It is not.", "content": {"application/json": {"schema": error}}}},
    }


def _body(action: Action[Any]) -> type | None:
    """The fields of an action that are not in its path."""
    in_path = _PARAMETER.findall(action.path)
    left: list[Any] = []
    for each in msgspec.structs.fields(action.asked):
        if each.encode_name not in in_path:
            if each.default is not msgspec.NODEFAULT:
                left.append((each.encode_name, each.type, each.default))
            elif each.default_factory is not msgspec.NODEFAULT:
                left.append((each.encode_name, each.type, msgspec.field(default_factory=each.default_factory)))
            else:
                left.append((each.encode_name, each.type))
    if not left:
        return None
    name = "".join(word.title() for word in re.findall(r"\w+", _plain(action.path)))
    return msgspec.defstruct(f"{name}Body", left, kw_only=True)


def _plain(path: str) -> str:
    return _PARAMETER.sub(r"{\1}", path)
