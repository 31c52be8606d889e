# Whether all agents have told of their hosts.
set -eu
reported=$(kubectl get nodehosts --output 'jsonpath={range .items[*]}{.status.available}{"\n"}{end}' | grep -c '^\[')
[ "$reported" -eq "$1" ]
