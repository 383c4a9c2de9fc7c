# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# Sourced after lab.sh by tests that have a second balancer, with the configuration of the first one, beside it.
#
#   standby_link                 its node, standby, and link l0; before lab_start_lbd
#   start_standby                its lbd; after lab_start_lbd, whose configuration names a hash_seed
#   standby ARGS…                lbctl there
#   standby_ready                every next hop is resolved there
#   moves_to ADDRESS             the network sends the VIPs' packets there from now on
#   end_standby                  before lab_down

# shellcheck source=tests/lib/balancers.sh
. tests/lib/balancers.sh

# shellcheck disable=SC2034 # for who sources this
STANDBY4=${BALANCER4[2]}

standby_link() {
	balancer_link 2
}

start_standby() {
	start_balancer 2
}

end_standby() {
	end_balancer 2
}

standby() {
	balancer 2 "$@"
}

standby_ready() {
	balancer_ready 2
}

moves_to() {
	lab_ip router route replace 192.0.2.0/24 via "$1"
}
