# Updates one node after the other, once it is told to begin.
set -eu
version=$1
until kubectl --namespace naive get configmap begin >/dev/null 2>&1; do sleep 1; done
for node in $(kubectl get nodes --selector naive.example/update=true --output name); do
  kubectl drain "$node" --ignore-daemonsets --delete-emptydir-data
  kubectl annotate "$node" "naive.example/version=$version"
  until kubectl get "$node" --output 'jsonpath={.status.nodeInfo.osImage}' | grep -q "OS $version "; do sleep 1; done
  kubectl wait "$node" --for=condition=Ready --timeout=5m
  kubectl uncordon "$node"
done
exec sleep 86400
