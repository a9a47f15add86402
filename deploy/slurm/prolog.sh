#!/bin/sh
# Slurm prolog (slurm.conf: Prolog=): tells wattledger who a job is and which GPUs it was given.
#
# Writes <jobs>/<job>.json with a rename, so that a reader sees all of it or nothing. Calls no Slurm command, waits for
# nothing but (where the driver hides UUIDs) three seconds for nvidia-smi, and always exits 0: a failing prolog would
# drain the node. Settings: /etc/wattledger/slurm.env, see README.md.

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH # slurmd gives its scripts none
umask 022
# Settings, tried out first: what ends a shell (a quote that is missing, any exit) costs the settings, not the node.
settings() {
  tried=$(exec 2> /dev/null; . /etc/wattledger/slurm.env > /dev/null; echo read)
  if [ -r /etc/wattledger/slurm.env ] && [ "$tried" = read ]; then
    . /etc/wattledger/slurm.env
    set +eu
  fi
  jobs=${WATTLEDGER_JOBS_DIR:-/run/wattledger/jobs}
  procfs=${WATTLEDGER_PROCFS:-/proc}
}

# A text as a JSON string: control characters become spaces, 256 bytes are enough. Of a letter that was cut nothing stays.
text() {
  value=$2
  case $value in
    *[!A-Za-z0-9._@:,+/-]*)
      last=$(printf '[\300-\377][\200-\277]*$') # a letter of several bytes, in UTF-8
      value=$(printf '%s' "$value" | LC_ALL=C tr '\001-\037\177' ' ' | LC_ALL=C cut -c1-256 |
        LC_ALL=C sed -e "/^.\{256\}$/s/$last//" -e 's/[\\"]/\\&/g')
      ;;
  esac
  [ -n "$value" ] && json="$json,\"$1\":\"$value\""
}

# "minor=UUID" of every GPU. The kernel module knows both; it shows "?" for the UUID of a GPU nobody has opened yet.
gpus() {
  hidden=
  for file in "$procfs"/driver/nvidia/gpus/*/information; do
    [ -r "$file" ] || continue
    minor= uuid=
    while read -r first second third _; do
      case "$first $second" in
        'GPU UUID:') uuid=$third ;;
        'Device Minor:') minor=$third ;;
      esac
    done < "$file"
    case $uuid in
      GPU-*\?*)
        [ -n "$hidden" ] || hidden=$(timeout 3 nvidia-smi --query-gpu=pci.bus_id,uuid --format=csv,noheader)
        hidden=${hidden:-none} # it is asked once
        bus=${file%/information}
        uuid=$(printf '%s\n' "$hidden" | sed -n "s/^[0-9A-Fa-f]*${bus##*/}, *\(GPU-[0-9a-f-]*\)\$/\1/Ip" | head -n 1)
        ;;
    esac
    [ -n "$minor" ] && [ -n "$uuid" ] && printf '%s=%s\n' "$minor" "$uuid"
  done
}

# The UUIDs of this job's GPUs, if all of them are known: MIG instances have names of their own, others a number.
devices() {
  case ${CUDA_VISIBLE_DEVICES-} in
    MIG-* | GPU-*) printf '%s' "$CUDA_VISIBLE_DEVICES" && return ;;
  esac
  known=$(gpus)
  found=
  IFS=,
  for number in $SLURM_JOB_GPUS; do
    uuid=
    IFS='
'
    for gpu in $known; do
      [ "${gpu%%=*}" = "$number" ] && uuid=${gpu#*=}
    done
    [ -n "$uuid" ] || return 0
    found=$found,$uuid
  done
  printf '%s' "${found#,}"
}

main() {
  settings
  case ${SLURM_JOB_ID-} in '' | *[!0-9]*) return ;; esac
  node=${SLURMD_NODENAME-}
  host=$(uname -n)
  case $node in
    '' | "$host" | "${host%%.*}") file=$jobs/$SLURM_JOB_ID.json ;;
    *[!A-Za-z0-9._-]*) return ;;
    *) file=$jobs/$SLURM_JOB_ID.$node.json ;; # several slurmd may run on this host
  esac
  json="{\"version\":1,\"started\":$(date +%s),\"job\":\"$SLURM_JOB_ID\""
  text sluid "${SLURM_JOB_SLUID-}"
  text node "$node"
  text user "${SLURM_JOB_USER-}"
  text account "${SLURM_JOB_ACCOUNT-}"
  text partition "${SLURM_JOB_PARTITION-}"
  text qos "${SLURM_JOB_QOS-}"
  text name "${SLURM_JOB_NAME-}"
  text array_job "${SLURM_ARRAY_JOB_ID-}"
  text array_task "${SLURM_ARRAY_TASK_ID-}"
  text het_job "${SLURM_HET_JOB_ID-}"
  text restart "${SLURM_JOB_RESTART_COUNT-}"
  text gpus "${SLURM_JOB_GPUS-}"
  if [ -n "${SLURM_JOB_GPUS-}" ]; then
    uuids=$(devices)
    case $uuids in
      '' | *[!A-Za-z0-9,/-]*) ;;
      *) json="$json,\"devices\":[\"$(printf '%s' "$uuids" | sed 's/,/","/g')\"]" ;;
    esac
  fi
  [ -d "$jobs" ] || mkdir -p "$jobs"
  [ -L "$jobs" ] && return # somebody else's idea
  rm -f "$file.ended"
  printf '%s}\n' "$json" > "$jobs/.$SLURM_JOB_ID.$$" && mv -f "$jobs/.$SLURM_JOB_ID.$$" "$file"
}

(main) < /dev/null > /dev/null 2>&1
exit 0
