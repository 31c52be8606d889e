#!/bin/sh
# reaper.sh RECORD SCRATCH CGROUP...: takes back what a bed has left once this script's stdin ends, however the bed's own
# process went. What runs in the bed's cgroups is the bed's, and nothing else is.
trap '' INT TERM HUP
record=$1 scratch=$2
shift 2
cat > /dev/null
tries=0
while :; do
  left=
  for top; do
    [ -d "$top" ] || continue
    left=1
    find "$top" -name cgroup.procs -exec cat {} + 2> /dev/null | while read -r pid; do kill -s KILL "$pid" 2> /dev/null; done
    find "$top" -depth -type d -exec rmdir {} + 2> /dev/null
  done
  [ -n "$left" ] || break
  tries=$((tries + 1))
  # 30 seconds: the record stays, and the next bed tries again.
  [ "$tries" -lt 300 ] || exit 1
  sleep 0.1
done
rm -rf -- "$scratch"
rm -f -- "$record"
