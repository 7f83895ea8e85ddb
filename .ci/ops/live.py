"""Runs what docs/ops describes: three instances and a worker behind nginx and HAProxy, scraped by Prometheus.

Arguments: the folder of the examples' binaries, a folder for everything that is written, two databases, and Redis.
"""

import calendar
import glob
import http.client
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import names
import yaml
from processes import fail, free_port, get, kill, start, stop, stop_all, wait
from proxies import Fake, Proxy, certificate, what_is_let_in, what_is_not_repeated

BINARIES, FOLDER, DATABASE, SECOND, REDIS = sys.argv[1:6]
JOBS, CATALOG = f"{BINARIES}/jobs", f"{BINARIES}/catalog"
TOKEN = secrets.token_hex(32)
# It takes what it is sent.
COLLECTOR = Fake(answers=True)
began = time.monotonic()


def step(text):
    print(f"-- {text} ({time.monotonic() - began:.1f} s)", flush=True)


def written(name, text):
    path = Path(FOLDER, name)
    # Once: somebody may be reading it.
    if not path.exists():
        path.write_text(text)
    return str(path)


def environment(database, **more):
    """What an instance is told, in the variables that docs/ops uses."""
    return {
        "BUNBASE_ENV": "production",
        "BUNBASE__HTTP__HOST": "127.0.0.1",
        "BUNBASE__HTTP__TRUSTED_PROXIES": "127.0.0.1",
        "BUNBASE__HTTP__WORKERS": "1",
        "BUNBASE__LOG__LEVEL": "warn",
        "BUNBASE__DATABASE__MAX_CONNECTIONS": "5",
        "BUNBASE__DATABASE__MIGRATE_ON_START": "false",
        "DATABASE_URL_FILE": written(f"url-{database.rsplit('/', 1)[1].split('?')[0]}", database),
        "REDIS_URL_FILE": written("redis-url", REDIS),
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{COLLECTOR.port}",
        "BUNBASE_SECRET_FILE": written("secret", TOKEN),
        "BUNBASE_METRICS_TOKEN_FILE": written("metrics-token", TOKEN),
        **more,
    }


def one_line(program, arguments, variables):
    done = subprocess.run(
        [program, *arguments],
        cwd=FOLDER,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.returncode:
        fail(f"{os.path.basename(program)} {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done.stdout


def what_is_written_can_be_read():
    """Has the application read every variable and command of docs/ops: a name that it does not know is an error."""
    secret = written("any", TOKEN)
    url = written("any-url", "sqlite::memory:")

    def in_file(name, value):
        return (url if "URL" in name else secret) if name.endswith("_FILE") else str(value)

    sets, commands = {}, []
    text = Path("docs/ops/systemd/bunbase@.service").read_text()
    sets["systemd"] = dict(
        line.split("=", 1) for line in re.findall(r"^Environment=(.+)$", text.replace("%i", "3000"), re.MULTILINE)
    )
    commands += [line.split()[1:] for line in re.findall(r"^ExecStart=(.+)$", text, re.MULTILINE)]
    for path in sorted(glob.glob("docs/ops/kubernetes/*.yaml")):
        for document in yaml.safe_load_all(Path(path).read_text()):
            if document["kind"] == "ConfigMap":
                sets["kubernetes"] = document["data"]
            for container in document.get("spec", {}).get("template", {}).get("spec", {}).get("containers", []):
                commands.append(container["args"])
    services = yaml.safe_load(Path("docs/ops/docker/compose.yaml").read_text())["services"]
    for service in services.values():
        if service["image"] == "bunbase-app":
            sets["compose"] = service["environment"]
            commands.append(service["command"])
    for name, variables in sets.items():
        one_line(
            JOBS,
            ["--version"],
            {key: in_file(key, value) for key, value in variables.items() if key != "REDIS_URL_FILE"},
        )
        print(f"   {name}: {len(variables)} variables")
    for command in commands:
        one_line(JOBS, [*command, "--help"], {})
    print(f"   {len(commands)} command lines")


def health_command():
    """Returns what the Dockerfile's HEALTHCHECK runs."""
    text = Path("docs/ops/docker/Dockerfile").read_text().replace("\\\n", "")
    return json.loads(re.search(r"^HEALTHCHECK .*? CMD (\[.*\])$", text, re.MULTILINE)[1])


def traffic(base, catalog):
    """Makes something of everything that is measured."""
    for key, sku in [("a", "tea"), ("b", "flaky"), ("c", "broken")]:
        post(f"{base}/orders", {"key": key, "items": [{"sku": sku, "quantity": 1}]}, 201)
    post(f"{base}/orders", {"key": "", "items": []}, 422)
    # The carrier answers at the second attempt, within the one request.
    get(f"{base}/orders/b/parcel")
    get(f"{base}/orders/nobody")
    for _ in range(3):
        get(f"{catalog}/catalog/tea-green")
    for _ in range(55):
        post(f"{catalog}/catalog/quote", {"sku": "tea-green", "quantity": 1})
    post(f"{catalog}/catalog/tea-green", {"name": "x", "price_cents": 1}, 401, "PUT")


def post(url, body, expected=None, method="POST"):
    host, path = re.fullmatch(r"http://([^/]+)(/.*)", url).groups()
    client = http.client.HTTPConnection(host, timeout=10)
    client.request(method, path, json.dumps(body), {"content-type": "application/json"})
    answer = client.getresponse()
    text = answer.read().decode()
    client.close()
    if expected and answer.status != expected:
        fail(f"{method} {url}: {answer.status} {text}")
    return answer.status


def one_is_killed(proxies, victim, ports):
    """Reads go on while an instance is killed, and all of them are answered; then every write is, and is done once."""
    failures, count, done = [], [0], threading.Event()

    def read(proxy):
        client = proxy.client()
        while not done.is_set():
            try:
                status, text = proxy.ask("GET", "/orders/summary", connection=client)
            except OSError as error:
                status, text = 0, repr(error)
                client.close()
            count[0] += 1
            if status != 200:
                failures.append(f"{proxy.name}: {status} {text}")

    threads = [threading.Thread(target=read, args=(proxy,)) for proxy in proxies for _ in range(2)]
    for thread in threads:
        thread.start()
    wait("reads", lambda: count[0] > 100)
    kill(victim)
    at_kill = count[0]
    wait("reads after the kill", lambda: count[0] > at_kill + 300)
    done.set()
    for thread in threads:
        thread.join(20)
    if failures:
        fail(f"{len(failures)} of {count[0]} reads failed when an instance was killed: {failures[:3]}")
    before = json.loads(proxies[0].ask("GET", "/orders/summary")[1])["total"]
    for proxy in proxies:
        client = proxy.client()
        for number in range(50):
            order = {"key": f"{proxy.name}-{number}", "items": [{"sku": "tea", "quantity": 1}]}
            status, text = proxy.ask("POST", "/orders", body=order, connection=client)
            if status != 201:
                fail(f"{proxy.name}: a write with one instance of {len(ports)} dead: {status} {text}")
    summary = json.loads(proxies[0].ask("GET", "/orders/summary")[1])
    if summary["total"] != before + 50 * len(proxies) or summary["duplicate_effects"]:
        fail(f"{before} orders and {50 * len(proxies)} more are {summary}")
    print(f"   {count[0]} reads around a kill and {50 * len(proxies)} writes after it, all answered; each write once")


def one_is_taken_out(proxy, instance):
    """Writes go on through HAProxy while an instance is taken out and then stopped, and none of them is lost."""
    failures, count, done = [], [0], threading.Event()

    def write(number):
        client = proxy.client()
        while not done.is_set():
            order = {"key": f"{number}-{count[0]}-{secrets.token_hex(8)}", "items": [{"sku": "tea", "quantity": 1}]}
            try:
                status, text = proxy.ask("POST", "/orders", body=order, connection=client)
            except OSError as error:
                status, text = 0, repr(error)
            count[0] += 1
            if status != 201:
                failures.append(f"{status} {text}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    wait("writes", lambda: count[0] > 20)
    if answer := proxy.say("set server bunbase/two state drain"):
        fail(f"HAProxy says {answer}")
    wait("no request being there", lambda: proxy.requests_at("two") == 0)
    code = stop(instance, 40)
    at_stop = count[0]
    wait("writes after the stop", lambda: count[0] > at_stop + 50)
    done.set()
    for thread in threads:
        thread.join(20)
    if code or failures:
        fail(f"the instance ended with {code}; {len(failures)} of {count[0]} writes failed: {failures[:3]}")
    print(f"   {count[0]} writes while an instance was taken out and stopped, all answered")


def prometheus(targets):
    """Starts Prometheus with the configuration of docs/ops."""
    text = Path("docs/ops/prometheus/prometheus.yml").read_text()
    listed = re.search(r"^ +- targets: (\[\"10\.0\.1\.10:3000\".*\])$", text, re.MULTILINE)[1]
    for old, new in [
        (listed, json.dumps(targets)),
        ("/etc/prometheus/bunbase-metrics-token", f"{FOLDER}/metrics-token"),
        ("_interval: 15s", "_interval: 1s"),
    ]:
        text = text.replace(old, new)
    text = re.sub(r"(\w+)\.rules\.yml", lambda found: f"{os.getcwd()}/docs/ops/prometheus/{found[0]}", text)
    config, port = written("prometheus.yml", text), free_port()
    one_line("promtool", ["check", "config", config], {})
    start(
        "prometheus",
        [
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={FOLDER}/tsdb",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ],
        FOLDER,
    )
    live = names.Live(f"http://127.0.0.1:{port}")

    def all_are_up():
        return [one["value"][1] for one in live.get("query", query='up{job="bunbase"}')["result"]] == ["1"] * len(
            targets
        )

    wait("all instances being scraped", all_are_up, 30)
    return live


def what_is_named_is_there(live, base):
    """Every metric of the dashboard, the rules and the page, and every label that they choose or group by; and no rule fails."""
    expressions, recorded = names.of_dashboard("docs/ops/grafana/dashboard.json"), set()
    expressions += names.of_page("docs/performance.md")
    for path in sorted(glob.glob("docs/ops/prometheus/*.rules.yml")):
        more, records = names.of_rules(path)
        expressions += more
        recorded |= records
    # A schedule's first tick takes its time, and a rate two scrapes with something between them.
    until = time.monotonic() + 30
    while True:
        post(f"{base}/orders", {"key": secrets.token_hex(8), "items": [{"sku": "broken", "quantity": 1}]}, 201)
        problems, seen, there = names.check(live, expressions, recorded)
        if not problems or time.monotonic() > until:
            break
        time.sleep(1)
    sent = {path for _, path, _ in COLLECTOR.seen}
    if "/v1/traces" not in sent:
        problems.append(f"the collector was sent {sent or 'nothing'}, and no traces")
    for rule in [rule for group in live.get("rules")["groups"] for rule in group["rules"]]:
        if rule["health"] == "err":
            problems.append(f"rule {rule['name']}: {rule['lastError']}")
    print(f"   {len(expressions)} expressions name {len(seen)} metrics")
    ours = {re.sub("_(bucket|sum|count)$", "", name) for name in there if name.startswith("bunbase_")}
    if unseen := sorted(ours - {re.sub("_(bucket|sum|count)$", "", name) for name in seen}):
        print(f"   on no panel and in no rule: {', '.join(unseen)}")
    if problems:
        fail("\n".join(problems))


def lint(text):
    """Has promtool look at a scrape."""
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    # The names are those of the reference guide, in milliseconds. It reads the older format, in which the type of a
    # counter has its `_total` too.
    known = re.compile(
        r"(metric names should not contain abbreviated units|counter metrics should have \"_total\" suffix|no help text"
        r"|non-counter metrics should not have \"_total\" suffix)$"
    )
    lines = [line for line in done.stderr.splitlines() if line and not known.search(line)]
    if lines or done.returncode not in (0, 3):
        fail(f"promtool check metrics: {done.stderr}")


def main():
    step("variables and command lines")
    what_is_written_can_be_read()

    step("migrations, three instances, a worker, and a second application")
    certificate(FOLDER)
    one_line(JOBS, ["migrate", "up"], environment(DATABASE))
    one_line(CATALOG, ["migrate", "up"], environment(SECOND))
    ports = [free_port() for _ in range(3)]
    instances = [
        start(f"instance-{port}", [JOBS, "serve", "--roles", "http"], FOLDER, environment(DATABASE, PORT=str(port)))
        for port in ports
    ]
    admin, other = free_port(), free_port()
    worker = start(
        "worker",
        [JOBS, "serve", "--roles", "worker,scheduler"],
        FOLDER,
        environment(DATABASE, BUNBASE__ADMIN__ADDR=f"127.0.0.1:{admin}"),
    )
    catalog = start("catalog", [CATALOG, "serve"], FOLDER, environment(SECOND, PORT=str(other)))
    for port in [*ports, other, admin]:
        for path in ("/_health/live", "/_health/ready"):
            wait(f"{path} at {port}", lambda port=port, path=path: get(f"http://127.0.0.1:{port}{path}")[0] == 200)
    checked = subprocess.run(health_command(), env={**os.environ, "PORT": str(ports[0])}, check=False)
    down = subprocess.run(
        health_command(), env={**os.environ, "PORT": str(free_port())}, check=False, stderr=subprocess.DEVNULL
    )
    if checked.returncode or not down.returncode:
        fail("the Dockerfile's HEALTHCHECK does not tell an instance from none")
    if (status := get(f"http://127.0.0.1:{ports[0]}/_metrics")[0]) != 401:
        fail(f"/_metrics without its token is {status}")

    step("Prometheus")
    bases = [f"127.0.0.1:{port}" for port in [*ports, admin, other]]
    live = prometheus(bases)
    traffic(f"http://{bases[0]}", f"http://{bases[4]}")
    # The order that cannot be fulfilled is given up after its last attempt.
    wait("a dead letter", lambda: json.loads(get(f"http://{bases[1]}/orders/summary")[1])["failed"] == 1, 30)
    time_of_that = time.time()
    wait(
        "scrapes after that",
        lambda: all(
            one["lastError"] == "" and scraped(one) > time_of_that for one in live.get("targets")["activeTargets"]
        ),
    )
    token = {"Authorization": f"Bearer {TOKEN}"}
    for base in bases:
        lint(get(f"http://{base}/_metrics", token)[1])

    step("nginx and HAProxy: what is repeated, and what the instances are told")
    for name in ("nginx", "haproxy"):
        stop(what_is_not_repeated(name, FOLDER).process)

    step("nginx and HAProxy in front of the instances")
    proxies = [Proxy(name, FOLDER, ports, "instances") for name in ("nginx", "haproxy")]
    for proxy in proxies:
        wait(f"{proxy.name} to see its instances", lambda proxy=proxy: proxy.ask("GET", "/orders/summary")[0] == 200)
        what_is_let_in(proxy)
    one_is_killed(proxies, instances[0], ports)
    one_is_taken_out(proxies[1], instances[1])

    step("metrics and labels that the dashboard and the rules name")
    what_is_named_is_there(live, f"http://{bases[2]}")

    step("the end")
    for proxy in proxies:
        stop(proxy.process)
    for process in [instances[2], worker, catalog]:
        if code := stop(process, 40):
            fail(f"{process.name} ended with {code}")
    stop_all()
    step("done")


def scraped(target):
    """When a target was scraped last."""
    return calendar.timegm(time.strptime(target["lastScrape"][:19], "%Y-%m-%dT%H:%M:%S"))


def out_of_time(*_):
    fail("it took too long")


signal.signal(signal.SIGALRM, out_of_time)
signal.alarm(170)
try:
    main()
finally:
    stop_all()
