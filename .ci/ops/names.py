"""Asserts that every metric, and every label of it, that a dashboard or a rule names is there in a live Prometheus.

The names are taken out of the expressions by a parser of PromQL. Every expression is run, and every panel shows
something.
"""

import json
import re
import urllib.parse
import urllib.request

import promql_parser as promql
import yaml

# What Prometheus makes itself.
OF_PROMETHEUS = {"ALERTS"}
# What scrapes of a cluster bring, in the one file of rules that says so.
OF_THE_CLUSTER = re.compile(r"(container|kube)_")
# Labels that Prometheus adds to what it scrapes.
ADDED = {"job", "instance", "le", "__name__"}


def of_dashboard(path):
    """Returns the expressions of a dashboard, by where they stand."""
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    found = []
    for panel in document["panels"]:
        found += [(f"panel {panel['title']!r}", target["expr"]) for target in panel.get("targets", [])]
    found += [(f"annotation {one['name']!r}", one["expr"]) for one in document["annotations"]["list"] if "expr" in one]
    for variable in document["templating"]["list"]:
        if variable["type"] == "query":
            selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"]).groups()
            found.append((f"variable {variable['name']!r}", f"count by ({label}) ({selector})"))
    return [(where, plain(expression)) for where, expression in found]


def plain(expression):
    """Puts values in the place of Grafana's variables."""
    expression = re.sub(r"\$__(rate_)?interval|\$__range", "5m", expression)
    return re.sub(r"\$(job|instance)\b", ".*", expression)


def of_rules(path):
    """Returns the expressions of a file of rules, and the names that it records."""
    with open(path, encoding="utf-8") as file:
        rules = [rule for group in yaml.safe_load(file)["groups"] for rule in group["rules"]]
    names = {rule["record"] for rule in rules if "record" in rule}
    return [(f"rule {rule.get('record') or rule['alert']}", rule["expr"]) for rule in rules], names


def of_page(path):
    """Returns the expressions of a page: each line of its blocks of PromQL that is no comment."""
    with open(path, encoding="utf-8") as file:
        blocks = re.findall(r"^```promql\n(.*?)^```$", file.read(), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line and not line.startswith("#")]
    return [(f"page {path}", line) for line in lines]


def selectors(expression):
    """Returns the metrics that an expression reads, each with the labels that it is chosen or grouped by."""
    found = []

    def of(node):
        names = {}

        def visit(inner):
            if isinstance(inner, promql.VectorSelector):
                names.setdefault(inner.name, set()).update(one.name for one in inner.matchers.matchers)

        promql.walk(node, visit)
        return names

    tree = promql.parse(expression)
    found = of(tree)
    groups = []

    def group(node):
        if isinstance(node, promql.AggregateExpr) and node.modifier:
            groups.append((list(of(node.expr)), node.modifier.labels))

    promql.walk(tree, group)
    return found, groups


class Live:
    """A Prometheus that has scraped the application."""

    def __init__(self, base):
        self.base = base
        self.known = {}

    def get(self, path, **query):
        with urllib.request.urlopen(f"{self.base}/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=10) as answer:
            return json.load(answer)["data"]

    def names(self):
        return set(self.get("label/__name__/values"))

    def labels(self, name):
        if name not in self.known:
            self.known[name] = {label for one in self.get("series", **{"match[]": name}) for label in one}
        return self.known[name]


def check(live, expressions, recorded):
    """Returns what is wrong: metrics and labels that are not there, expressions that fail, panels that show nothing."""
    there, problems, seen = live.names(), [], set()
    for where, expression in expressions:
        found, groups = selectors(expression)
        for name, labels in found.items():
            if name in recorded or name in OF_PROMETHEUS or OF_THE_CLUSTER.match(name):
                continue
            seen.add(name)
            if name not in there:
                problems.append(f"{where}: no metric is called {name}")
                continue
            missing = labels - ADDED - live.labels(name)
            if missing:
                problems.append(f"{where}: {name} has no label {', '.join(sorted(missing))}")
        for names, labels in groups:
            of_ours = [name for name in names if name in there and name not in recorded]
            known = ADDED.union(*map(live.labels, of_ours))
            if len(of_ours) == len(names) and not known.issuperset(labels):
                problems.append(f"{where}: {', '.join(names)} has no label {', '.join(sorted(set(labels) - known))}")
        try:
            if not live.get("query", query=expression)["result"] and where.startswith("panel"):
                problems.append(f"{where}: shows nothing: {expression}")
        except urllib.error.HTTPError as error:
            problems.append(f"{where}: {error.read().decode()}")
    return problems, seen, there
