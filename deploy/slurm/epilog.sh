#!/bin/sh
# Slurm epilog (slurm.conf: Epilog=): marks the job's file as ended and has its energy written where its user finds it.
#
# Marking is a rename. The report is made in the background, because the last energy is booked up to ten seconds after
# the job: the node is free at once. Always exits 0: a failing epilog would drain the node. Settings:
# /etc/wattledger/slurm.env, see README.md.

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH # slurmd gives its scripts none
umask 022
node=${SLURMD_NODENAME-}
host=$(uname -n)

# Settings, tried out first: what ends a shell (a quote that is missing, any exit) costs the settings, not the node.
settings() {
  tried=$(exec 2> /dev/null; . /etc/wattledger/slurm.env > /dev/null; echo read)
  if [ -r /etc/wattledger/slurm.env ] && [ "$tried" = read ]; then
    . /etc/wattledger/slurm.env
    set +eu
  fi
  jobs=${WATTLEDGER_JOBS_DIR:-/run/wattledger/jobs}
  reports=${WATTLEDGER_REPORT_DIR-/var/log/wattledger/jobs}
  wattledger=${WATTLEDGER_COMMAND:-wattledger}
}

# <reports>/<job>.json and a line in <reports>/jobs.csv; "%n" in the folder's name is the node's name.
report() {
  settings
  case $reports in *%n*) reports=${reports%%\%n*}${node:-$host}${reports#*%n} ;; esac
  mkdir -p "$reports"
  line=$("$wattledger" job "$SLURM_JOB_ID" ${1:+--since "$1"} --wait 30 --write "$reports" --brief) || return
  [ "${WATTLEDGER_ADMIN_COMMENT-}" = yes ] || return
  # A job that is over can be changed in the accounting database only (sacctmgr(1), SPECIFICATIONS FOR JOB).
  timeout 20 sacctmgr -i -Q modify job where jobid="$SLURM_JOB_ID" ${SLURM_CLUSTER_NAME:+cluster="$SLURM_CLUSTER_NAME"} \
    set AdminComment="$line"
}

main() {
  settings
  case ${SLURM_JOB_ID-} in '' | *[!0-9]*) return ;; esac
  case $node in
    '' | "$host" | "${host%%.*}") file=$jobs/$SLURM_JOB_ID.json ;;
    *) file=$jobs/$SLURM_JOB_ID.$node.json ;;
  esac
  since=
  if [ -f "$file" ]; then
    # Job numbers come round again one day: only what was booked since this run began. All runs of a requeued job.
    case ${SLURM_JOB_RESTART_COUNT:-0} in
      0) since=$(sed -n 's/^{"version":1,"started":\([0-9]*\),.*/\1/p' "$file") ;;
    esac
    touch "$file" && mv -f "$file" "$file.ended"
  fi
  # The daemon has seen these; and what a killed prolog left.
  find "$jobs" -maxdepth 1 -type f \( -name '*.ended' -o -name '.[0-9]*' \) -mmin +5 -exec rm -f {} +
  if [ -n "$reports" ] && command -v "$wattledger"; then
    # A session of its own, before we end: slurmd kills what its scripts leave in theirs.
    setsid sh -c '"$0" report "$1" &' "$0" "$since" < /dev/null > /dev/null 2>&1
  fi
}

if [ "${1-}" = report ]; then
  (report "${2-}") < /dev/null > /dev/null 2>&1
else
  (main) < /dev/null > /dev/null 2>&1
fi
exit 0
