#!/bin/sh
# Remove what install.sh installed (the same PREFIX and DESTDIR). Ledger, books and settings stay, and it says where.
set -eu
destdir=${DESTDIR-} prefix=${PREFIX:-/opt/wattledger}
prefix=${prefix%/}
list=$destdir$prefix/share/installed

if [ ! -f "$list" ] && [ ! -f "$list.new" ]; then # .new: of an installation that was broken off
  printf 'Nothing of wattledger is installed in %s. Another folder? PREFIX=… %s\n' "$destdir$prefix" "$0"
  exit 0
fi
if [ -z "$destdir" ]; then
  [ "$(id -u)" = 0 ] || { printf 'uninstall.sh: root is needed.\n' >&2; exit 2; }
  if [ -d /run/systemd/system ]; then
    # The daemon books what it read last and ends.
    systemctl disable --now wattledger.service wattledger-ship.timer wattledger-ship.service wattledger-serve.service || true
  fi
fi
cat "$list" "$list.new" 2> /dev/null | while read -r file; do
  rm -f "$destdir$file"
done
rmdir "$destdir/usr/local/lib/systemd/system/wattledger.service.d" 2> /dev/null || true
# By name: whatever else lies there is somebody's, such as books.
for part in bin include lib lib64 pyvenv.cfg share; do rm -rf "$destdir$prefix/$part"; done
rmdir "$destdir$prefix" 2> /dev/null || true
rm -rf "$destdir/var/cache/wattledger" "$destdir/var/cache/wattledger-portal" # CacheDirectory= of the units
if [ -z "$destdir" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi

printf 'wattledger is removed. These stay:\n'
for kept in "$prefix" /var/lib/wattledger /var/lib/wattledger-portal /etc/wattledger /etc/wattledger-portal /var/log/wattledger \
  /etc/systemd/system/wattledger.service.d /etc/systemd/system/wattledger-ship.service.d \
  /etc/systemd/system/wattledger-serve.service.d; do
  [ ! -e "$destdir$kept" ] || printf '  %s\n' "$kept"
done
cat << 'END'
/var/lib/wattledger holds the ledger: the only record of hours that were not shipped to the books. Once they are, what is
left goes with: rm -rf /var/lib/wattledger /etc/wattledger && userdel wattledger
and the portal's with: rm -rf /var/lib/wattledger-portal /etc/wattledger-portal && userdel wattledger-portal
END
