# Sourced by `run`: makes sure that a PostgreSQL and a Redis answer, says where in BUNBASE_TEST_POSTGRES_URL and
# BUNBASE_TEST_REDIS_URL, and that PgBouncer is installed. Tests that stop a server, or empty one, start one of their own.

: "${BUNBASE_TEST_POSTGRES_URL:=postgres://$(id -un)@127.0.0.1:5432/postgres}"
export BUNBASE_TEST_POSTGRES_URL

# What is started here is ended with the script that sources this, all of it.
ended_at_exit=
at_exit() {
  ended_at_exit="$1; $ended_at_exit"
  # shellcheck disable=SC2064  # the value of now is meant
  trap "$ended_at_exit" EXIT
}

postgres_answers() { psql "$BUNBASE_TEST_POSTGRES_URL" -Atc 'SELECT 1' >/dev/null 2>&1; }

# install_package NAME PACKAGES-OF-APT PACKAGES-OF-DNF PACKAGES-OF-BREW
install_package() {
  # shellcheck disable=SC2086  # several packages are several words
  if command -v apt-get >/dev/null; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $2 >/dev/null
  elif command -v dnf >/dev/null; then
    dnf install -y -q $3
  elif command -v brew >/dev/null; then
    brew install --quiet $4
  else
    echo "$1 is not installed, and no known package manager is here" >&2
    return 1
  fi
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# A server of our own: a fresh cluster in a temporary folder, on a free port, gone at the end.
start_postgres() {
  local bin data port owner=()
  bin=$(ls -d /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin 2>/dev/null | sort -V | tail -n 1)
  [ -n "$bin" ] || bin=$(dirname "$(command -v initdb)")
  data=$(mktemp -d)
  port=$(free_port)
  # PostgreSQL refuses to run as root.
  if [ "$(id -u)" = 0 ]; then
    chown postgres "$data"
    owner=(setpriv --reuid=postgres --regid=postgres --clear-groups)
  fi
  "${owner[@]}" "$bin/initdb" -D "$data/cluster" -U bunbase --auth=trust >/dev/null
  "${owner[@]}" "$bin/pg_ctl" -D "$data/cluster" -o "-p $port -k $data -c listen_addresses=127.0.0.1" -w start >/dev/null
  at_exit "${owner[*]} '$bin/pg_ctl' -D '$data/cluster' -m immediate stop >/dev/null 2>&1; rm -rf '$data'"
  export BUNBASE_TEST_POSTGRES_URL="postgres://bunbase@127.0.0.1:$port/postgres"
}

if ! { command -v psql >/dev/null && postgres_answers; }; then
  command -v psql >/dev/null || install_package PostgreSQL postgresql 'postgresql-server postgresql' postgresql@16
  postgres_answers || start_postgres
  postgres_answers || { echo "no PostgreSQL answers at $BUNBASE_TEST_POSTGRES_URL" >&2; exit 1; }
fi
# Tests start one of their own before the server.
[ -x /usr/sbin/pgbouncer ] || [ -x /usr/local/bin/pgbouncer ] || [ -x /opt/homebrew/bin/pgbouncer ] || install_package PgBouncer pgbouncer pgbouncer pgbouncer
[ -x /usr/sbin/nginx ] || command -v nginx >/dev/null || install_package nginx nginx nginx nginx
command -v openssl >/dev/null || install_package OpenSSL openssl openssl openssl
echo "PostgreSQL $(psql "$BUNBASE_TEST_POSTGRES_URL" -Atc 'SHOW server_version')"

: "${BUNBASE_TEST_REDIS_URL:=redis://127.0.0.1:6379}"
export BUNBASE_TEST_REDIS_URL

redis_answers() { [ "$(redis-cli -u "$BUNBASE_TEST_REDIS_URL" ping 2>/dev/null)" = PONG ]; }

# A server of our own: on a free port, without a file, gone at the end.
start_redis() {
  local port pid
  port=$(free_port)
  redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no >/dev/null &
  pid=$!
  at_exit "kill $pid 2>/dev/null"
  export BUNBASE_TEST_REDIS_URL="redis://127.0.0.1:$port"
  for _ in $(seq 100); do
    ! redis_answers || return 0
    sleep 0.1
  done
}

if ! { command -v redis-server >/dev/null && command -v redis-cli >/dev/null && redis_answers; }; then
  { command -v redis-server && command -v redis-cli; } >/dev/null || install_package Redis redis-server redis redis
  redis_answers || start_redis
  redis_answers || { echo "no Redis answers at $BUNBASE_TEST_REDIS_URL" >&2; exit 1; }
fi
echo "Redis $(redis-cli -u "$BUNBASE_TEST_REDIS_URL" info server | sed -n 's/^redis_version:\([^[:space:]]*\).*/\1/p')"
