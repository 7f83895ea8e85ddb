"""Holds a dashboard against Grafana's own schema, by the types that Grafana makes from it (`grafana-foundation-sdk`).

They are read as they stand: their annotations say what each value must be, `to_json` how each field is spelt. What they do
not know is a mistake, except for a few fields that Grafana reads and the schema leaves out.
"""

import enum
import inspect
import json
import re
import sys
import typing

from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.models import common, dashboard, prometheus

# What Grafana's own exports have besides.
LEFT_OUT = {
    "VariableModel": {"id", "definition"},
    "AnnotationQuery": {"titleFormat", "textFormat", "step"},
}
problems = []


def wrong(where, text):
    problems.append(f"{where}: {text}")


def names(kind):
    """Returns how the fields of a type are spelt in JSON, and its attributes."""
    source = inspect.getsource(kind.to_json)
    pairs = re.findall(r'"([^"]+)": self\.(\w+)', source) + re.findall(r'payload\["([^"]+)"\] = self\.(\w+)', source)
    return dict(pairs)


def check_object(value, kind, where):
    if not isinstance(value, dict):
        wrong(where, f"must be an object ({kind.__name__}), is {json.dumps(value)}")
        return
    hints = typing.get_type_hints(kind)
    fields = names(kind)
    for name, inner in value.items():
        at = f"{where}.{name}"
        if name in LEFT_OUT.get(kind.__name__, ()):
            continue
        if name not in fields:
            wrong(at, f"{kind.__name__} has no such field")
        elif kind is dashboard.Panel and name in ("options", "fieldConfig", "targets"):
            check_panel(value, name, inner, at)
        elif name == "panels" and kind in (dashboard.Dashboard, dashboard.RowPanel):
            for index, panel in enumerate(inner):
                is_row = isinstance(panel, dict) and panel.get("type") == "row"
                title = panel.get("title", index) if isinstance(panel, dict) else index
                check_object(panel, dashboard.RowPanel if is_row else dashboard.Panel, f"{at}[{title}]")
        else:
            check(inner, hints[fields[name]], at)


def check_panel(panel, name, value, where):
    """Checks what depends on the kind of panel."""
    module = sys.modules.get(f"grafana_foundation_sdk.models.{panel['type'].replace('-', '')}")
    if module is None:
        wrong(where, f"there is no panel of type {panel['type']}")
        return
    if name == "targets":
        for index, target in enumerate(value):
            check_object(target, prometheus.Dataquery, f"{where}[{index}]")
    elif name == "options":
        check_object(value, module.Options, where)
    else:
        custom = value.get("defaults", {}).get("custom")
        if custom is not None:
            # Tables share theirs with others.
            check_object(custom, getattr(module, "FieldConfig", common.TableFieldOptions), f"{where}.defaults.custom")
        check_object(value, dashboard.FieldConfigSource, where)


def check(value, hint, where):
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint in (object, typing.Any):
        return
    if origin is typing.Union:
        if value is None and type(None) in inner:
            return
        kinds = [kind for kind in inner if kind is not type(None)]
        if len(kinds) == 1:
            check(value, kinds[0], where)
        elif not any(fits(value, kind, where) for kind in kinds):
            wrong(where, f"{json.dumps(value)} is none of {kinds}")
    elif origin is typing.Literal:
        if value not in inner:
            wrong(where, f"{json.dumps(value)} is none of {inner}")
    elif origin is list:
        if not isinstance(value, list):
            wrong(where, f"must be a list, is {json.dumps(value)}")
            return
        for index, item in enumerate(value):
            check(item, inner[0], f"{where}[{index}]")
    elif origin is dict:
        if not isinstance(value, dict):
            wrong(where, f"must be an object, is {json.dumps(value)}")
            return
        for name, item in value.items():
            check(item, inner[1], f"{where}.{name}")
    elif inspect.isclass(hint) and issubclass(hint, enum.Enum):
        if value not in [one.value for one in hint]:
            wrong(where, f"{json.dumps(value)} is none of {[one.value for one in hint]}")
    elif hasattr(hint, "to_json"):
        check_object(value, hint, where)
    elif hint is float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            wrong(where, f"must be a number, is {json.dumps(value)}")
    elif hint in (str, int, bool):
        if type(value) is not hint:
            wrong(where, f"must be {hint.__name__}, is {json.dumps(value)}")
    elif not inspect.isclass(hint):
        wrong(where, f"the type {hint} is not understood")


def fits(value, kind, where):
    """Returns whether a value is of a type, and what is wrong with it is nobody's problem."""
    global problems
    kept, problems = problems, []
    check(value, kind, where)
    is_fine, problems = not problems, kept
    return is_fine


def layout(panels):
    """What no type says: ids are given once, and no panel lies on another or beside the page."""
    ids = [panel["id"] for panel in panels]
    if len(ids) != len(set(ids)):
        wrong("panels", "an id is there twice")
    taken = {}
    for panel in panels:
        at = panel["gridPos"]
        if at["x"] + at["w"] > 24:
            wrong(panel["title"], "is wider than the page")
        for cell in ((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])):
            if taken.setdefault(cell, panel["title"]) != panel["title"]:
                wrong(panel["title"], f"lies on {taken[cell]}")
                break


def sources(value, where="dashboard"):
    """Every data source is the variable: else the import would ask for one that is not there."""
    if isinstance(value, dict):
        source = value.get("datasource")
        if source is not None and source != {"type": "prometheus", "uid": "${datasource}"}:
            wrong(where, f"its data source is {source}")
        for name, inner in value.items():
            sources(inner, f"{where}.{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            sources(inner, f"{where}[{index}]")


plugins.register_default_plugins()
with open(sys.argv[1], encoding="utf-8") as file:
    document = json.load(file)
check_object(document, dashboard.Dashboard, "dashboard")
sources(document)
if not problems:
    layout(document["panels"])
# It reads it, too, and has every query afterwards.
read = None if problems else dashboard.Dashboard.from_json(document)
if read and not all(panel.targets for panel in read.panels if isinstance(panel, dashboard.Panel)):
    wrong("dashboard", "a panel has no query")
for problem in problems:
    print(problem, file=sys.stderr)
count = sum(panel["type"] != "row" for panel in document["panels"])
print(f"dashboard: {count} panels in {len(document['panels']) - count} rows, {len(problems)} problems")
sys.exit(bool(problems))
