# Updates and reboots its host, once its Node is annotated with the version.
set -eu
node=$1
version=$2
wanted() { kubectl get node "$node" --output 'jsonpath={.metadata.annotations.naive\.example/version}'; }
until [ "$(wanted)" = "$version" ]; do sleep 1; done
if apiclient raw -u /os | grep -q "\"version_id\":\"$version\""; then exec sleep 86400; fi
for action in refresh-updates prepare-update activate-update; do
  apiclient raw -m POST -u "/actions/$action"
  until apiclient raw -u /updates/status >/dev/null; do sleep 1; done
done
apiclient reboot
exec sleep 86400
