#!/bin/sh
# Slurm task prolog (slurm.conf: TaskProlog=): tells a job's programs where runs are declared, and, if that is wanted, tells
# its user that they can be.
#
# Runs as the user, before every task. slurmd reads what it prints: "export NAME=value", "print text" (slurm.conf(5)). Asks
# nobody, waits for nothing, always exits 0. Settings: /etc/wattledger/slurm.env, see README.md.

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
chosen=${WATTLEDGER_SOCKET-} # by the user: it stays
unset WATTLEDGER_SOCKET
# Tried out first: what ends a shell (a quote that is missing, any exit) costs the settings, not the task.
tried=$(exec 2> /dev/null; . /etc/wattledger/slurm.env > /dev/null; echo read)
if [ -r /etc/wattledger/slurm.env ] && [ "$tried" = read ]; then
  . /etc/wattledger/slurm.env > /dev/null 2>&1
  set +eu
fi
socket=${WATTLEDGER_SOCKET:-/run/wattledger/declare.sock}

[ -S "$socket" ] && [ -w "$socket" ] || exit 0 # no daemon, no word
[ -n "$chosen" ] || printf 'export WATTLEDGER_SOCKET=%s\n' "$socket"
# Once a job: in its batch script, which has no number of a step (22.05) or this one (slurm.h: SLURM_BATCH_SCRIPT).
case ${WATTLEDGER_HINT-}/${SLURM_STEP_ID-} in
  yes/ | yes/4294967291)
    printf 'print wattledger measures this job. A part of it by name: wattledger exec --phase evaluation -- COMMAND\n'
    ;;
esac
exit 0
