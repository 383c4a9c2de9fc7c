# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Sourced after tests/lib/lab.sh: a lab whose lbd a Prometheus reads. Times in the rules are cut to seconds, with SECONDS_OF
# of them for each "for", so that alerts fire while somebody looks.
#
#   monitoring_up LBD-SETTINGS        web: three backends that are checked, with traffic from the client. BEFORE_LBD: a command
#                                     that is run before lbd. B3_PID: who serves at the third backend
#   monitoring_prometheus TARGET…     what it reads: 127.0.0.1:9110 is lbd
#   monitoring_ask PATH [NAME=VALUE…] what Prometheus' API answers

MONITORING=$LAB_ROOT/examples/monitoring
MONITORING_SETTINGS='{"http": {"listen": "127.0.0.1:9110"}}'

monitoring_traffic() {
	# shellcheck disable=SC2016 # expands there
	lab_background client bash -c 'while :; do "$0" --count 20 --parallel 4 --timeout-ms 1000 "$1" 80; sleep 0.2; done' \
		"$O/tests/lib/connect_tool" "$LAB_VIP4" >/dev/null 2>&1
}

monitoring_up() {
	lab_up one-armed 3 && lab_ip balancer link set lo up && lab_serve 80 || return
	# shellcheck disable=SC2034 # the scripts that source this use it
	B3_PID=$LAB_PID
	${BEFORE_LBD:-:} && lab_start_lbd "$(jq -n --argjson extra "$1" "$MONITORING_SETTINGS * \$extra")" &&
		lbctl vip add "$LAB_VIP4:80/tcp" --name web --health tcp --health-interval 200ms --transition 30s &&
		lbctl backend add web "${LAB_BACKEND4[1]}" --weight 10 && lbctl backend add web "${LAB_BACKEND4[2]}" --weight 10 &&
		lbctl backend add web "${LAB_BACKEND4[3]}" --weight 10 && lab_ready && monitoring_traffic
}

monitoring_configuration() {
	sed -e 's/_interval: 15s/_interval: 1s/' -e "s/targets: .*/targets: [$(printf '"%s",' "$@" |
		sed 's/,$//')]/" "$MONITORING/prometheus.yml" >"$LAB_DIR/prometheus.yml"
	sed -e "s/for: .*/for: ${SECONDS_OF:-2}s/" -e 's/\[5m\]/[5s]/' "$MONITORING/alerts.yml" >"$LAB_DIR/alerts.yml"
}

monitoring_prometheus() {
	monitoring_configuration "$@"
	lab_background balancer prometheus --config.file="$LAB_DIR/prometheus.yml" --storage.tsdb.path="$LAB_DIR/prometheus" \
		--web.listen-address=127.0.0.1:9090 --log.level=warn >"$LAB_DIR/prometheus.log" 2>&1
	wait_for 20 monitoring_ask query query='lbd_build_info' || {
		cat "$LAB_DIR/prometheus.log"
		return 1
	}
}

monitoring_ask() {
	local word words=()
	for word in "${@:2}"; do
		words+=(--data-urlencode "$word")
	done
	lab_in balancer curl -sfG --max-time 10 "http://127.0.0.1:9090/api/v1/$1" "${words[@]}"
}
