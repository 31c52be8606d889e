# Puts the chart's objects into the cluster, with pods that the bed does not take for its own.
set -eu
chart=../../../../charts/lockkeeper
kubectl apply --server-side --filename "$chart/crds"
kubectl wait --for=condition=Established --timeout=60s --filename "$chart/crds"
helm template lockkeeper "$chart" --namespace lockkeeper --no-hooks --values - <<VALUES | sed 's,app.kubernetes.io/part-of,contender.example/part-of,' | kubectl apply --server-side --filename -
controller: {nodeSelector: {bench.lockkeeper.dev/infra: "true"}}
defaultPolicy: {spec: {approval: Automatic, version: {refreshInterval: 5s}, rollout: {minReadySeconds: 0, maxUnavailable: $1}}}
VALUES
