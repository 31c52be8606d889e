#!/bin/sh
# Ends what a bed has started once the bed's own process is gone, however it went: this script's stdin is a pipe from it.
#   group PID     a process group to kill at the end        gone PID      it has ended by itself
#   folder PATH   a folder to remove at the end
trap '' INT TERM HUP
groups=' '
while read -r verb argument; do
  case $verb in
    group) groups="$groups$argument " ;;
    gone) groups="${groups%% "$argument" *} ${groups#* "$argument" }" ;;
    folder) folder=$argument ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
[ -z "$folder" ] || rm -rf -- "$folder"
