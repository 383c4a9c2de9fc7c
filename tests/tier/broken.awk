# SPDX-License-Identifier: BSD-2-Clause
# What broken_guest.sh reports, over all rounds. With -v table=1 as a table: who balances, and to which backends, a
# line; an event a column; with the interval (Wilson, 95 %) of the share. Else "EVENT KIND BROKEN ALIVE-BEFORE", and for
# the event "all" the sum over all but nodes that begin anew.
$1 == "broken" {
	if (!seen[$2]++)
		event[++events] = $2
	broken[$2, $3] += $4
	alive[$2, $3] += $5
	if ($2 != "new" && $2 != "told") {
		broken["all", $3] += $4
		alive["all", $3] += $5
	}
	kind[$3]
}

function digits(percent) {
	return sprintf(percent < 10 ? "%.1f" : "%.0f", percent)
}

function cell(b, n,	z, share, middle, half, low, high) {
	if (!n)
		return "-"
	z = 1.96
	share = b / n
	middle = (share + z * z / (2 * n)) / (1 + z * z / n)
	half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
	low = digits(100 * (middle - half))
	high = digits(100 * (middle + half))
	if (!b)
		return sprintf("0 of %d (< %s %%)", n, high)
	return sprintf("%d of %d (%s to %s %%)", b, n, low, high)
}

function line(name, words,	i, text) {
	text = "| " words " |"
	for (i = 1; i <= events; i++)
		text = text " " cell(broken[event[i], name], alive[event[i], name]) " |"
	print text
}

END {
	if (!table) {
		event[++events] = "all"
		for (i = 1; i <= events; i++)
			for (name in kind)
				print event[i], name, broken[event[i], name], alive[event[i], name]
		exit
	}
	words["changes"] = "a backend drains, one is added"
	words["lost"] = "a node is lost"
	words["back"] = "it comes back"
	words["hash"] = "the router's hash changes"
	words["told"] = "a node begins anew, given all documents"
	words["new"] = "a node begins anew, given the last"
	words["died"] = "the owner before has died"
	text = "| balancer, backends |"
	rule = "|---|"
	for (i = 1; i <= events; i++) {
		text = text " " words[event[i]] " |"
		rule = rule "---|"
	}
	print text
	print rule
	line("second", "lbd, `second_chance`")
	line("off", "lbd, the same without it")
	line("mixed_ipip", "lbd, half with it, half ipip devices")
	line("ipip", "lbd, ipip devices")
	line("mixed_gue", "lbd, half with it, half `fou gue`")
	line("gue", "lbd, `fou gue`")
	line("ipvs", "IPVS, ipip devices")
}
