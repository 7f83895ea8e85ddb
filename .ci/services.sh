# Sourced by `run`: makes sure that a PostgreSQL answers, says where in BUNBASE_TEST_POSTGRES_URL, and that PgBouncer is installed.

: "${BUNBASE_TEST_POSTGRES_URL:=postgres://$(id -un)@127.0.0.1:5432/postgres}"
export BUNBASE_TEST_POSTGRES_URL

postgres_answers() { psql "$BUNBASE_TEST_POSTGRES_URL" -Atc 'SELECT 1' >/dev/null 2>&1; }

install_postgres() {
  if command -v apt-get >/dev/null; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql >/dev/null
  elif command -v dnf >/dev/null; then
    dnf install -y -q postgresql-server postgresql
  elif command -v brew >/dev/null; then
    brew install --quiet postgresql@16
  else
    echo 'PostgreSQL is not installed, and no known package manager is here' >&2
    return 1
  fi
}

install_pgbouncer() {
  if command -v apt-get >/dev/null; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq pgbouncer >/dev/null
  elif command -v dnf >/dev/null; then
    dnf install -y -q pgbouncer
  elif command -v brew >/dev/null; then
    brew install --quiet pgbouncer
  else
    echo 'PgBouncer is not installed, and no known package manager is here' >&2
    return 1
  fi
}

# A server of our own: a fresh cluster in a temporary folder, on a free port, gone at the end.
start_postgres() {
  local bin data port owner=()
  bin=$(ls -d /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin 2>/dev/null | sort -V | tail -n 1)
  [ -n "$bin" ] || bin=$(dirname "$(command -v initdb)")
  data=$(mktemp -d)
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  # PostgreSQL refuses to run as root.
  if [ "$(id -u)" = 0 ]; then
    chown postgres "$data"
    owner=(setpriv --reuid=postgres --regid=postgres --clear-groups)
  fi
  "${owner[@]}" "$bin/initdb" -D "$data/cluster" -U bunbase --auth=trust >/dev/null
  "${owner[@]}" "$bin/pg_ctl" -D "$data/cluster" -o "-p $port -k $data -c listen_addresses=127.0.0.1" -w start >/dev/null
  # shellcheck disable=SC2064  # the values of now are meant
  trap "${owner[*]} '$bin/pg_ctl' -D '$data/cluster' -m immediate stop >/dev/null 2>&1; rm -rf '$data'" EXIT
  export BUNBASE_TEST_POSTGRES_URL="postgres://bunbase@127.0.0.1:$port/postgres"
}

if ! { command -v psql >/dev/null && postgres_answers; }; then
  command -v psql >/dev/null || install_postgres
  postgres_answers || start_postgres
  postgres_answers || { echo "no PostgreSQL answers at $BUNBASE_TEST_POSTGRES_URL" >&2; exit 1; }
fi
# Tests start one of their own before the server.
[ -x /usr/sbin/pgbouncer ] || [ -x /usr/local/bin/pgbouncer ] || [ -x /opt/homebrew/bin/pgbouncer ] || install_pgbouncer
echo "PostgreSQL $(psql "$BUNBASE_TEST_POSTGRES_URL" -Atc 'SHOW server_version')"
