// The kinds of the Prometheus Operator, by which the chart's ServiceMonitor and PrometheusRule are checked. Nothing of it is built.
module lockkeeper.dev/e2e/tools/prometheus-operator

go 1.26.0

require github.com/prometheus-operator/prometheus-operator v0.86.1
