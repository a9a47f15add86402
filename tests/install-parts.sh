#!/bin/sh
# Install the Debian packages that the tests use as real parts. As root on Debian or Ubuntu it installs what is missing; otherwise
# it changes nothing, and each test that lacks its part is skipped by name and says why.
set -eu
packages="gcc libc6-dev prometheus victoria-metrics chromium fonts-dejavu-core util-linux systemd libseccomp2 slurmctld slurmd slurm-client munge podman runc buildah docker-compose libreoffice-calc-nogui python3-venv"
# Grafana's front end comes from npm. A Node.js from elsewhere brings its own npm, and Debian's would not go with it.
command -v npm >/dev/null || packages="$packages nodejs npm"
have() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'; }

command -v dpkg-query >/dev/null || exit 0
missing=""
for package in $packages; do have "$package" || missing="$missing $package"; done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
  printf 'not root: tests that need these packages will be skipped:%s\n' "$missing" >&2
  exit 0
fi
printf 'installing%s\n' "$missing" >&2
apt-get update -qq
# Package scripts must not start services here.
DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $missing >/dev/null
