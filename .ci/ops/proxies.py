"""nginx and HAProxy with the configurations of docs/ops, in front of instances on free ports."""

import http.client
import http.server
import json
import os
import re
import socket
import ssl
import subprocess
import threading
from pathlib import Path

from processes import fail, free_port, start, wait

HOST = "app.example.com"
SERVERS = ["10.0.1.10:3000", "10.0.1.11:3000", "10.0.1.12:3000"]
NGINX = """daemon off;
{user}worker_processes 2;
pid nginx.pid;
error_log stderr;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy;
    fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    include {include};
    include {cache};
}}
"""


def replaced(text, changes):
    for old, new in changes:
        if old not in text:
            fail(f"the configuration has no {old!r}")
        text = text.replace(old, new)
    return text


def certificate(folder):
    """Makes a throw-away certificate."""
    key, crt = f"{folder}/tls.key", f"{folder}/tls.crt"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "1",
            "-subj",
            f"/CN={HOST}",
            "-addext",
            f"subjectAltName=DNS:{HOST}",
            "-keyout",
            key,
            "-out",
            crt,
        ],
        check=True,
        capture_output=True,
    )
    Path(f"{folder}/tls.pem").write_text(Path(crt).read_text() + Path(key).read_text())


class Proxy:
    """A running proxy."""

    def __init__(self, name, folder, servers, tag):
        self.name, self.folder, self.servers = name, os.path.join(folder, f"{name}-{tag}"), servers
        self.tls, self.plain = free_port(), free_port()
        os.mkdir(self.folder)
        self.context = ssl.create_default_context(cafile=f"{folder}/tls.crt")
        changes = [(old, f"127.0.0.1:{new}") for old, new in zip(SERVERS, servers)]
        command = getattr(self, name)(folder, changes)
        self.process = start(f"{name}-{tag}", command, self.folder)
        wait(f"{name} listening", lambda: socket.create_connection(("127.0.0.1", self.tls), 1))

    def nginx(self, folder, changes):
        text = replaced(
            Path("docs/ops/nginx/bunbase.conf").read_text(),
            changes
            + [
                ("listen 443 ", f"listen 127.0.0.1:{self.tls} "),
                ("listen 80", f"listen 127.0.0.1:{self.plain}"),
                (f"/etc/nginx/tls/{HOST}", f"{folder}/tls"),
            ],
        )
        include, main = f"{self.folder}/bunbase.conf", f"{self.folder}/nginx.conf"
        Path(include).write_text(text)
        cache = f"{self.folder}/cache.conf"
        kept = Path("docs/ops/nginx/cache.conf").read_text()
        Path(cache).write_text(replaced(kept, [("/var/cache/nginx/bunbase", f"{self.folder}/cache")]))
        # The workers of a root are somebody else, who may not enter a temporary folder.
        user = "user root;\n" if os.geteuid() == 0 else ""
        Path(main).write_text(NGINX.format(user=user, include=include, cache=cache))
        binary = "nginx" if not os.path.exists("/usr/sbin/nginx") else "/usr/sbin/nginx"
        command = [binary, "-p", self.folder, "-e", "stderr", "-c", main]
        tested(command + ["-t"])
        return command

    def haproxy(self, folder, changes):
        text = replaced(
            Path("docs/ops/haproxy/haproxy.cfg").read_text(),
            changes
            + [
                ("bind :443 ", f"bind 127.0.0.1:{self.tls} "),
                ("bind :80", f"bind 127.0.0.1:{self.plain}"),
                (f"/etc/haproxy/tls/{HOST}.pem", f"{folder}/tls.pem"),
                ("maxconn 20000", "maxconn 200"),
                ("/run/haproxy/admin.sock", f"{self.folder}/admin.sock"),
            ],
        )
        main = f"{self.folder}/haproxy.cfg"
        Path(main).write_text(text)
        binary = "haproxy" if not os.path.exists("/usr/sbin/haproxy") else "/usr/sbin/haproxy"
        tested([binary, "-c", "-f", main])
        return [binary, "-db", "-f", main]

    def client(self):
        """Returns a connection; one is used by one thread."""
        connection = http.client.HTTPSConnection(HOST, self.tls, context=self.context, timeout=20)
        connection._create_connection = lambda _, *rest, **more: socket.create_connection(("127.0.0.1", self.tls), 20)
        return connection

    def ask(self, method, path, body=None, headers=None, connection=None):
        """Returns status and body of an answer."""
        client = connection or self.client()
        content = {"content-type": "application/json"} if body is not None else {}
        client.request(
            method, path, body=json.dumps(body) if body is not None else None, headers={**content, **(headers or {})}
        )
        answer = client.getresponse()
        text = answer.read().decode()
        if not connection:
            client.close()
        return answer.status, text

    def say(self, text):
        """Tells HAProxy something at its socket, as an operator does, and returns its answer."""
        with socket.socket(socket.AF_UNIX) as admin:
            admin.connect(f"{self.folder}/admin.sock")
            admin.sendall(f"{text}\n".encode())
            return admin.makefile().read().strip()

    def requests_at(self, server):
        """Returns how many requests HAProxy has at an instance."""
        lines = [line.split(",") for line in self.say("show stat").removeprefix("# ").splitlines()]
        at = lines[0].index("scur")
        return next(int(line[at]) for line in lines if line[:2] == ["bunbase", server])

    def curl(self, *arguments):
        """Returns what curl prints."""
        resolve = ["--resolve", f"*:{self.tls}:127.0.0.1", "--resolve", f"*:{self.plain}:127.0.0.1"]
        command = [
            "curl",
            "-s",
            "--max-time",
            "10",
            "--cacert",
            os.path.join(os.path.dirname(self.folder), "tls.crt"),
            *resolve,
            *arguments,
        ]
        return subprocess.run(command, capture_output=True, text=True, check=False)


def tested(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        fail(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    # Newer ones of nginx want `http2` in a line of its own, which older ones do not know.
    warnings = [
        line for line in done.stderr.splitlines() if re.search(r"\[(warn|WARNING)\]", line) and "http2" not in line
    ]
    if warnings:
        fail(f"{' '.join(command)} warns: {done.stderr}")


class Fake:
    """An instance that counts what it is asked, and may close the connection instead of answering."""

    def __init__(self, answers=False):
        self.seen, self.answers, self.lock = [], answers, threading.Lock()
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle_any(self):
                self.rfile.read(int(self.headers.get("content-length", 0)))
                if self.path != "/_health/ready":
                    with fake.lock:
                        fake.seen.append((self.command, self.path, self.headers))
                    if not fake.answers:
                        self.close_connection = True
                        return
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            do_GET = do_POST = do_PUT = do_HEAD = handle_any

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # Whoever closes a connection is not worth a word.
        self.server.handle_error = lambda *_: None
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def what_is_not_repeated(name, folder):
    """Asks instances that read a request and do not answer it: a POST must reach one of them, and no second one."""
    fakes = [Fake() for _ in SERVERS]
    proxy = Proxy(name, folder, [fake.port for fake in fakes], "fakes")

    def seen():
        return [one for fake in fakes for one in fake.seen]

    def count(method):
        for fake in fakes:
            fake.seen.clear()
        status, _ = proxy.ask(method, "/x", body={} if method == "POST" else None)
        return status, len(seen())

    wait(f"{name} to see its instances", lambda: count("GET")[1] > 0)
    status, times = count("POST")
    if (status, times) != (502, 1):
        fail(f"{name}: a POST that was not answered is {status}, and reached {times} instances")
    status, times = count("GET")
    if status != 502 or times < 2:
        fail(f"{name}: a GET that was not answered is {status}, and reached {times} instances")

    for fake in fakes:
        fake.answers = True
    for fake in fakes:
        fake.seen.clear()
    lies = {
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Proto": "gopher",
        "X-Forwarded-Host": "evil",
        "Forwarded": "for=6.6.6.6",
    }
    # nginx leaves those that failed out for a while, and takes them again when none is left.
    wait(f"{name} answering", lambda: proxy.ask("POST", "/x", body={}, headers=lies)[0] == 200, 15)
    headers = seen()[-1][2]
    for header, value in [
        ("Host", HOST),
        ("X-Forwarded-Host", HOST),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Proto", "https"),
        ("Forwarded", None),
    ]:
        said = headers.get_all(header)
        if said and header.endswith("ost"):
            said = [one.split(":")[0] for one in said]
        if said != ([value] if value else None):
            fail(f"{name}: {header} is {said}, not {value}")
    return proxy


def what_is_let_in(proxy):
    """Names, versions and paths."""
    base = f"https://{HOST}:{proxy.tls}"
    answer = proxy.curl(
        "-o", os.devnull, "-w", "%{http_version} %{http_code}", "--http2", f"{base}/orders/summary"
    ).stdout
    if answer != "2 200":
        fail(f"{proxy.name}: HTTP/2 is answered with {answer}")
    for path in ("/_metrics", "/_health", "/_health/ready"):
        if (status := proxy.ask("GET", path)[0]) != 404:
            fail(f"{proxy.name}: {path} is {status}")
    moved = proxy.curl(
        "-o", os.devnull, "-w", "%{http_code} %{redirect_url}", f"http://{HOST}:{proxy.plain}/a?b=c"
    ).stdout
    if not re.fullmatch(rf"308 https://{re.escape(HOST)}(:\d+)?/a\?b=c", moved):
        fail(f"{proxy.name}: without encryption is {moved}")
    stranger = proxy.curl(
        "-k", "-w", "%{http_code}", "-o", os.devnull, f"https://evil.example:{proxy.tls}/orders/summary"
    ).stdout
    if stranger not in ("000", "421"):
        fail(f"{proxy.name}: another name is answered with {stranger}")
