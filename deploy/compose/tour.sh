#!/bin/sh
# The five-minute tour. Usage: tour.sh [demo|real|down|wipe|env]
#   demo  a simulated node of eight GPUs (the default)     real  this machine; ZONE=DE says where it stands
#   down  stop                                             wipe  stop and delete the tour's data
#   env   only write .env and secrets/; demo and real do that too, once
set -eu
umask 077
cd "$(dirname "$0")"
what=${1:-demo}

fail() { printf 'wattledger: %s\n' "$*" >&2; exit 2; }
secret() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

write_env() {
  [ -f .env ] || printf 'COMPOSE_PROJECT_NAME=wattledger-tour\nGRAFANA_PASSWORD=%s\n' "$(secret)" > .env
  [ -f secrets/portal.token ] || {
    mkdir -p secrets
    printf '%s  # the tour\n' "$(secret)" > secrets/portal.token
    chmod 0444 secrets/portal.token # in the container another user reads it; here the folder keeps everybody out
  }
}

compose() {
  if docker compose version >/dev/null 2>&1 && docker info >/dev/null 2>&1; then # a client needs a server
    docker compose "$@"
  elif command -v docker-compose >/dev/null; then
    docker-compose "$@"
  elif command -v podman >/dev/null && podman compose version >/dev/null 2>&1; then
    podman compose "$@"
  else
    fail "There is no docker compose with a server that answers here. Install it: https://docs.docker.com/compose/install/"
  fi
}

remember() { # the files of the last start, for down and for every "docker compose" in this folder
  grep -v '^\(COMPOSE_FILE\|ZONE\)=' .env > .env.new || true
  printf 'COMPOSE_FILE=%s\nZONE=%s\n' "$1" "$2" >> .env.new
  mv .env.new .env
}

case $what in
  env) write_env; exit 0 ;;
  down) compose down; exit 0 ;;
  wipe) compose down --volumes; exit 0 ;;
  demo) write_env; remember compose.yaml "${ZONE:-FR}" ;;
  real)
    [ -n "${ZONE:-}" ] || fail "Where does this machine stand? Say it, such as: make tour NODE=real ZONE=DE"
    files=compose.yaml:real.yaml
    [ ! -e /dev/nvidiactl ] || files=$files:gpu.yaml
    write_env
    remember "$files" "$ZONE"
    ;;
  *) fail "'$what' is none of demo, real, down, wipe, env." ;;
esac

[ -n "${WATTLEDGER_IMAGE:-}" ] || grep -q '^WATTLEDGER_IMAGE=.' .env || ../container/build.sh
compose up --detach
port() { sed -n "s/^$1=//p" .env | grep . || echo "$2"; }
cat <<TEXT

Node page   http://127.0.0.1:$(port AGENT_PORT 9837)/
Grafana     http://127.0.0.1:$(port GRAFANA_PORT 3000)/    user admin, password: GRAFANA_PASSWORD in deploy/compose/.env
Prometheus  http://127.0.0.1:$(port PROMETHEUS_PORT 9090)/
Portal      http://127.0.0.1:$(port PORTAL_PORT 9838)/    user token, password in deploy/compose/secrets/portal.token; the first
            month appears when an hour is over and was shipped
Stop with   deploy/compose/tour.sh down      (wipe: and delete what was recorded)
TEXT
