#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A lab with traffic, and a Prometheus that reads its lbd, until Ctrl-C: sudo make demo-monitoring
#
#   demo.sh [SECONDS]     PORT_LBD, PORT_PROMETHEUS: where they can be reached on this machine's loopback
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/lib/check.sh
. tests/lib/check.sh
# shellcheck source=tests/lib/lab.sh
. tests/lib/lab.sh
# shellcheck source=examples/monitoring/lab.sh
. examples/monitoring/lab.sh

PORT_LBD=${PORT_LBD:-9110}
PORT_PROMETHEUS=${PORT_PROMETHEUS:-9090}
# shellcheck disable=SC2034 # lab.sh reads it
SECONDS_OF=10

# What comes to a port of this machine goes on in the balancer's namespace.
forward() {
	socat "TCP-LISTEN:$1,bind=127.0.0.1,fork,reuseaddr" \
		"EXEC:nsenter --net=/run/netns/$LAB_ID-balancer socat STDIO TCP\:127.0.0.1\:$2" 2>/dev/null &
	LAB_PIDS+=($!)
}

if ! output=$(mktemp) || ! { monitoring_up '{}' && monitoring_prometheus 127.0.0.1:9110; } >"$output" 2>&1; then
	cat "$output"
	rm -f "$output"
	exit 1
fi
rm -f "$output"
forward "$PORT_LBD" 9110
forward "$PORT_PROMETHEUS" 9090
cat <<-EOF2
	A VIP with three backends and traffic, in network namespaces $LAB_ID-*, until Ctrl-C:

	    metrics       http://127.0.0.1:$PORT_LBD/metrics
	    Prometheus    http://127.0.0.1:$PORT_PROMETHEUS/alerts    (alerts fire after $SECONDS_OF s here)
	    dashboard     import examples/monitoring/dashboard.json into a Grafana that reads this Prometheus
	    lbctl         $LBCTL --socket $LAB_DIR/lbd.sock status

	Stop a backend, and look again in ten seconds:  kill $B3_PID
EOF2
trap 'exit 0' INT TERM
sleep "${1:-infinity}" &
LAB_PIDS+=($!)
wait $!
