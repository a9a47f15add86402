#!/bin/sh
# Install wattledger as systemd services. Safe to repeat; an upgrade is the same command from a newer checkout.
#
#   PREFIX   a folder of its own [/opt/wattledger]
#   DESTDIR  put in front of every path, for packages; the running system is left alone then
#   PYTHON   Python 3.11 or newer [python3]
#   WHEELS   a folder of wheels, for machines without a network (deploy/README.md)
#   COMMAND  a wattledger that is installed already: no environment is made, PREFIX/bin/wattledger is a link to it
#
# Existing settings are never touched, but for the group of a file that its service may not read. What is installed is
# listed in PREFIX/share/installed; uninstall.sh goes by that.
set -eu
destdir=${DESTDIR-} prefix=${PREFIX:-/opt/wattledger}
prefix=${prefix%/} python=${PYTHON:-python3} wheels=${WHEELS-} command=${COMMAND-}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$here")
list=$destdir$prefix/share/installed
lib=/usr/local/lib

fail() { printf 'install.sh: %s\n' "$*" >&2; exit 2; }

# put MODE SOURCE TARGET: the unit's paths are those of PREFIX.
put() {
  mkdir -p "$destdir${3%/*}"
  sed -e "s,/opt/wattledger/,$prefix/,g" -e "s,:-/opt/wattledger},:-$prefix}," "$2" > "$destdir$3.new"
  chmod "$1" "$destdir$3.new"
  mv -f "$destdir$3.new" "$destdir$3"
  printf '%s\n' "$3" >> "$list.new"
}

# A file of settings: the user's, once it is there.
settle() {
  [ -e "$destdir$2" ] && return
  mkdir -p "$destdir${2%/*}"
  cp "$1" "$destdir$2"
  chmod 0640 "$destdir$2"
}

environment() {
  if [ -n "$command" ]; then
    case $command in /*) ;; *) command=$PWD/$command ;; esac
    [ -x "$command" ] || fail "COMMAND=$command is no program."
    mkdir -p "$destdir$prefix/bin"
    ln -sfn "$command" "$destdir$prefix/bin/wattledger"
    return
  fi
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "Python 3.11 or newer is needed; '$python' is not. Name another: PYTHON=python3.12"
  interpreter=$("$python" -c 'import os, sys; print(os.path.realpath(sys.executable))')
  case $interpreter in # the services' user may not enter them, and ProtectHome= hides them
    ~root/* | /home/*) fail "$interpreter is in a home folder, which the services cannot see. Give the system's: PYTHON=/usr/bin/python3" ;;
  esac
  # An interrupted run, or an upgrade of the system's Python, leaves half an environment: begin anew.
  if ! "$destdir$prefix/bin/python" -m pip --version > /dev/null 2>&1; then
    for part in bin include lib lib64 pyvenv.cfg; do rm -rf "$destdir$prefix/$part"; done
    "$python" -m venv "$destdir$prefix" ||
      fail "Python's venv module is missing. Install it: apt-get install python3-venv"
  fi
  set -- "$destdir$prefix/bin/python" -m pip install --quiet --disable-pip-version-check --no-warn-script-location
  "$@" ${wheels:+--no-index --find-links "$wheels"} --require-hashes -r "$root/requirements/run.txt"
  "$@" --no-deps --no-build-isolation --force-reinstall "$root"
  [ -z "$destdir" ] || relocate
}

# Scripts and settings of an environment name the place where it was made, and so do compiled files: not in a package.
relocate() {
  "$destdir$prefix/bin/python" - "$destdir" "$prefix" << 'END'
import pathlib, sys
destdir, prefix = sys.argv[1:]
staged = pathlib.Path(destdir + prefix)
for path in (*staged.glob("bin/*"), staged / "pyvenv.cfg"):
    if path.is_file() and not path.is_symlink():
        content = path.read_bytes()
        path.write_bytes(content.replace(f"{destdir}{prefix}".encode(), prefix.encode()))
END
  "$destdir$prefix/bin/python" -m compileall -q -f -s "$destdir" -p / "$destdir$prefix/lib" > /dev/null || true
}

files() {
  for unit in wattledger.service wattledger-ship.service wattledger-ship.timer wattledger-serve.service; do
    put 0644 "$here/systemd/$unit" "$lib/systemd/system/$unit"
  done
  put 0644 "$here/systemd/wattledger.service.d/gpu.conf" "$lib/systemd/system/wattledger.service.d/gpu.conf"
  put 0644 "$here/systemd/wattledger.sysusers.conf" "$lib/sysusers.d/wattledger.conf"
  put 0644 "$here/systemd/wattledger.tmpfiles.conf" "$lib/tmpfiles.d/wattledger.conf"
  put 0644 "$here/systemd/60-wattledger-rapl.rules" /etc/udev/rules.d/60-wattledger-rapl.rules
  for each in "$here"/systemd/drop-ins/*.conf; do put 0644 "$each" "$prefix/share/drop-ins/${each##*/}"; done
  for each in "$here"/slurm/*.sh; do put 0755 "$each" "$prefix/share/slurm/${each##*/}"; done
  put 0644 "$here/README.md" "$prefix/share/doc/README.md"
  put 0755 "$here/uninstall.sh" "$prefix/share/uninstall.sh"
  mkdir -p "$destdir/usr/local/bin"
  ln -sfn "$prefix/bin/wattledger" "$destdir/usr/local/bin/wattledger"
  printf '%s\n' /usr/local/bin/wattledger >> "$list.new"
  settle "$here/systemd/config.toml" /etc/wattledger/config.toml
  settle "$here/systemd/portal.toml" /etc/wattledger-portal/config.toml
}

# What an older version installed and this one does not.
forget() {
  [ -f "$list" ] || return 0
  while read -r old; do
    grep -qxF "$old" "$list.new" || rm -f "$destdir$old"
  done < "$list"
}

# Users, folders, rights and units of the running system.
apply() {
  systemd-sysusers "$lib/sysusers.d/wattledger.conf"
  systemd-tmpfiles --create "$lib/tmpfiles.d/wattledger.conf" || true # /sys may be read-only; check says what that costs
  for user in wattledger wattledger-portal; do
    runuser -u "$user" -- test -r "/etc/$user/config.toml" || chgrp "$user" "/etc/$user/config.toml"
  done
  runuser -u wattledger -- "$prefix/bin/wattledger" --version > /dev/null 2>&1 ||
    fail "user wattledger may not run $prefix/bin/wattledger: look at the folders that it and its Python are in."
  [ -d /run/systemd/system ] || return 0
  if command -v udevadm > /dev/null; then udevadm control --reload && udevadm trigger --subsystem-match=powercap; fi
  systemctl daemon-reload
}

case $prefix in
  *[!A-Za-z0-9/._-]* | */../* | */..) fail "PREFIX=$prefix is no plain path." ;;
  /*/*) ;;
  *) fail "PREFIX=$prefix must be an absolute path, and a folder of its own." ;;
esac
if [ ! -f "$list" ] && [ ! -f "$list.new" ]; then
  for part in bin include lib lib64 pyvenv.cfg share; do # what uninstalling removes
    [ ! -e "$destdir$prefix/$part" ] || fail "PREFIX=$prefix holds something else: $part. Give a folder of its own."
  done
fi
if [ -z "$destdir" ] && [ "$(id -u)" != 0 ]; then fail "root is needed: sudo make install"; fi

umask 022
mkdir -p "$destdir$prefix/share"
: > "$list.new" # from here on the folder is ours
environment
files
forget
mv -f "$list.new" "$list"
[ -n "$destdir" ] || apply
cat << END
wattledger is installed in $prefix.
  1. Say where the node stands:  /etc/wattledger/config.toml
  2. See what can be measured:   sudo -u wattledger wattledger check
  3. Start it:                   systemctl enable --now wattledger
Remove it again: $prefix/share/uninstall.sh (the ledger stays).
END
