"""Checks the collector's configuration as far as that goes without a collector, which no registry of packages has.

Everything that a pipeline names is there, everything that is there is used, and processors are in the order that the
collector's own documentation asks for.

Prints the scrape configuration in it, as a file of Prometheus, for promtool.
"""

import sys

import yaml

with open(sys.argv[1], encoding="utf-8") as file:
    document = yaml.safe_load(file)
problems = []
KINDS = ("receivers", "processors", "exporters")

unknown = set(document) - {*KINDS, "connectors", "extensions", "service"}
if unknown:
    problems.append(f"there is no section {unknown}")
used = {kind: set() for kind in KINDS}
for name, pipeline in document["service"]["pipelines"].items():
    if name.split("/")[0] not in ("traces", "metrics", "logs"):
        problems.append(f"there is no kind of pipeline {name}")
    if set(pipeline) - set(KINDS):
        problems.append(f"{name}: there is no {set(pipeline) - set(KINDS)}")
    for kind in KINDS:
        used[kind].update(pipeline.get(kind, []))
    order = pipeline["processors"]
    if order[0] != "memory_limiter" or order[-1] != "batch":
        problems.append(f"{name}: memory_limiter comes first and batch last, not {order}")
for kind in KINDS:
    if used[kind] != set(document[kind]):
        problems.append(
            f"{kind}: {sorted(used[kind] ^ set(document[kind]))} is used and not there, or there and not used"
        )
if set(document["service"]["extensions"]) != set(document["extensions"]):
    problems.append("the extensions are not those of `service`")
for signal, receiver in (("traces", "otlp"), ("metrics", "prometheus"), ("logs", "otlp")):
    if receiver not in document["service"]["pipelines"][signal]["receivers"]:
        problems.append(f"{signal} do not come by {receiver}")
protocols = document["receivers"]["otlp"]["protocols"]
if {name: one["endpoint"].rsplit(":", 1)[1] for name, one in protocols.items()} != {"grpc": "4317", "http": "4318"}:
    problems.append("OTLP is at 4317 (gRPC) and 4318 (HTTP)")
for problem in problems:
    print(f"otel-collector.yaml: {problem}", file=sys.stderr)
print(yaml.safe_dump(document["receivers"]["prometheus"]["config"]))
sys.exit(bool(problems))
