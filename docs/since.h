/* SPDX-License-Identifier: BSD-2-Clause */
/* Which fields came with which release? What is in none of these lists is new in the version of the tree.
 *
 * A release adds its own: docs/fields prints them, as new. */
#ifndef LB_DOCS_SINCE_H
#define LB_DOCS_SINCE_H

static const struct release_fields {
	const char *version, *object, *names; /* with blanks around each name */
} came_with[] = {
	{"0.1.0", "service", " vips "},
	{"0.1.0", "vip",
	 " name address table table_size transition_s flow_idle_s encap hash fragments backends "
	 "health on_unhealthy when_all_unhealthy "},
	{"0.1.0", "backend", " address weight drain "},
	{"0.1.0", "health",
	 " type source port interval_ms timeout_ms rise fall jitter_percent method path host "
	 "status "
	 "body payload expect command "},
	{"0.1.0", "lbd.json",
	 " interfaces xdp_mode control control.path control.read_only_path control.group state_dir "
	 "pin_dir encap encap.source4 encap.source6 limits limits.vips limits.members limits.slots "
	 "limits.flows answer_rate hash_seed "},
};

#endif
