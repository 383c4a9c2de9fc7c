# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Sourced after lab.sh by tests whose backends run lbd-backend.
#
#   backends_up VIPS BALANCER…   every backend of the lab runs it, or those with the numbers SECOND; for these VIPs, a list
#                                in JSON, and these balancers
#   plain_backends               they are plain hosts, on links that carry frames as a wire does
#   backend NODE VERB…           lbd-backend there, by $LAB_DIR/backend.json
#   counted COUNTER [NODE…]      what these count, all of those without a name

BACKEND=$O/lbd/lbd-backend
SECOND=()

backends_up() {
	local number
	[ ${#SECOND[@]} -gt 0 ] || SECOND=("${!LAB_BACKEND4[@]}")
	jq -n --argjson vips "$1" --arg balancers "${*:2}" '{interfaces: ["b0"], $vips, balancers: ($balancers / " "),
		backends: $ARGS.positional}' --args "${LAB_BACKEND4[@]}" "${LAB_BACKEND6[@]}" >"$LAB_DIR/backend.json"
	plain_backends || return
	for number in "${SECOND[@]}"; do
		backend "b$number" up || return
	done
}

# What the lab has given them, lbd-backend brings.
plain_backends() {
	local number
	for number in "${!LAB_BACKEND4[@]}"; do
		lab_in router ethtool -K "rb$number" tx off tso off gso off gro off >/dev/null
		lab_batch "b$number" <<-BATCH || return
			link set dev b0 xdpdrv off
			address del $LAB_VIP4/32 dev lo
			address del $LAB_VIP6/128 dev lo
		BATCH
	done
}

backend() {
	lab_in "$1" "$BACKEND" "${@:2}" --config "$LAB_DIR/backend.json" --state "$LAB_DIR/undo.$1"
}

counted() {
	local node nodes=("${@:2}")
	[ $# -gt 1 ] || mapfile -t nodes < <(printf 'b%s\n' "${SECOND[@]}")
	for node in "${nodes[@]}"; do
		backend "$node" show
	done | awk -v name="$1" '$1 == name { sum += $2 } END { print sum + 0 }'
}
