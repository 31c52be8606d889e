#!/bin/sh
# enter.sh PROCS... -- COMMAND...: becomes a command that is counted in the cgroups with these cgroup.procs files.
while [ "$1" != -- ]; do
  echo $$ > "$1" || exit 70
  shift
done
shift
exec "$@"
