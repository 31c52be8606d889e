#!/bin/sh
# prepare.sh FOLDER: fills FOLDER/root, a containerd's, with the images that FOLDER/images names, one `NAME ARCHIVE` a line.
set -e
cd "$1"
containerd --config containerd.toml &
runtime=$!
ctr() { command ctr --address "$PWD/containerd.sock" --namespace k8s.io "$@"; }
until ctr version > /dev/null 2>&1; do
  kill -0 "$runtime"
  sleep 0.05
done
while read -r name archive; do
  ctr images import "$archive"
  ctr images ls -q | grep -Fqx "$name" || { echo "$archive does not hold $name"; exit 1; }
done < images
kill "$runtime"
wait "$runtime" || true
