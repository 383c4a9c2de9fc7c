/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said of network cards that this machine does not have? sysfs and procfs are folders here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../lbd/plane/nic.h"

static char root[64];

/* A file below the root with its folders; a path that ends with / is a folder. */
static void put(const char *content, const char *format, ...)
{
	char path[256], full[512];
	va_list arguments;
	FILE *file;

	va_start(arguments, format);
	vsnprintf(path, sizeof(path), format, arguments);
	va_end(arguments);
	snprintf(full, sizeof(full), "%s/%s", root, path);
	for (char *at = full + strlen(root) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		mkdir(full, 0755);
		*at = '/';
	}
	if (full[strlen(full) - 1] == '/')
		return;
	file = fopen(full, "w");
	assert_non_null(file);
	fputs(content, file);
	fclose(file);
}

/* eth0 with so many queues, each with an interrupt, which go to so many processors; and two more. */
static void make_card(uint32_t queues, uint32_t cpus)
{
	put("0\n", "proc/sys/net/ipv4/conf/all/rp_filter");
	put("2\n", "proc/sys/net/ipv4/conf/eth0/rp_filter");
	put("", "sys/class/net/eth0/device/");
	for (uint32_t i = 0; i < queues; i++) {
		char cpu[16];

		put("", "sys/class/net/eth0/queues/rx-%u/", i);
		put("", "sys/class/net/eth0/queues/tx-%u/", i);
		put("msi", "sys/class/net/eth0/device/msi_irqs/%u", 40 + i);
		snprintf(cpu, sizeof(cpu), "%u\n", i % cpus);
		put(cpu, "proc/irq/%u/effective_affinity_list", 40 + i);
	}
	put("msi", "sys/class/net/eth0/device/msi_irqs/99"); /* of no processor */
}

static int setup(void **state)
{
	(void)state;
	strcpy(root, "/tmp/lbd-nic-XXXXXX");
	return !mkdtemp(root);
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

/* The only warning, or "". */
static const char *said(const struct nic *nic, uint32_t mtu, uint32_t cpus, bool several)
{
	static char text[512];
	json_auto_t *warnings = json_array();

	nic_warnings(nic, "eth0", mtu, cpus, several, warnings);
	assert_in_range(json_array_size(warnings), 0, 1);
	snprintf(text, sizeof(text), "%s",
		 json_array_size(warnings) ? json_string_value(json_array_get(warnings, 0)) : "");
	return text;
}

static void queues_and_interrupts_that_are_spread_are_no_news(void **state)
{
	struct nic nic;

	(void)state;
	make_card(8, 8);
	nic_look(root, "eth0", &nic);
	assert_true(nic.physical);
	assert_int_equal(nic.rx_queues, 8);
	assert_int_equal(nic.interrupts, 8);
	assert_int_equal(nic.irq_cpus, 8);
	assert_int_equal(nic.rp_filter, 2);
	assert_string_equal(said(&nic, 1600, 8, true), "");
	assert_string_equal(said(&nic, 1600, 15, true), "");
}

static void interrupts_at_few_processors_are_told(void **state)
{
	struct nic nic;

	(void)state;
	make_card(8, 1);
	nic_look(root, "eth0", &nic);
	assert_int_equal(nic.irq_cpus, 1);
	assert_non_null(strstr(said(&nic, 1600, 8, false),
			       "8 receive queues, go to 1 of 8 processors: spread them"));
	make_card(8, 4);
	nic_look(root, "eth0", &nic);
	assert_non_null(strstr(said(&nic, 1600, 8, false), "go to 4 of 8"));
	make_card(8, 5);
	nic_look(root, "eth0", &nic);
	assert_string_equal(said(&nic, 1600, 8, false), "");
	assert_string_equal(said(&nic, 1600, 1, false), ""); /* there is only one */
}

static void fewer_queues_than_processors_are_told(void **state)
{
	struct nic nic;

	(void)state;
	make_card(1, 1);
	nic_look(root, "eth0", &nic);
	assert_non_null(strstr(said(&nic, 1600, 8, false),
			       "1 receive queue for 8 processors, so that the others do nothing "
			       "for it: ethtool -L eth0 combined 8"));
	assert_string_equal(said(&nic, 1600, 1, false), "");
}

static void what_has_no_device_behind_it_has_no_queues_to_spread(void **state)
{
	struct nic nic;

	(void)state;
	put("", "sys/class/net/eth0/queues/rx-0/");
	nic_look(root, "eth0", &nic);
	assert_false(nic.physical);
	assert_string_equal(said(&nic, 9000, 64, true), "");
}

static void strict_rp_filter_is_told_where_there_are_several_interfaces(void **state)
{
	struct nic nic;

	(void)state;
	put("1\n", "proc/sys/net/ipv4/conf/all/rp_filter");
	put("0\n", "proc/sys/net/ipv4/conf/eth0/rp_filter");
	nic_look(root, "eth0", &nic);
	assert_int_equal(nic.rp_filter, 1);
	assert_string_equal(said(&nic, 1600, 8, false), "");
	assert_non_null(strstr(said(&nic, 1600, 8, true),
			       "rp_filter is strict at eth0: ")); /* and how that is changed */
	assert_non_null(
		strstr(said(&nic, 1600, 8, true), "sysctl -w net.ipv4.conf.eth0.rp_filter=2"));
	put("2\n", "proc/sys/net/ipv4/conf/eth0/rp_filter"); /* the kernel takes the larger one */
	nic_look(root, "eth0", &nic);
	assert_string_equal(said(&nic, 1600, 8, true), "");
}

static void shapes_that_xdp_does_not_like_are_told(void **state)
{
	struct nic nic = {.physical = true, .striding = true};

	(void)state;
	assert_string_equal(said(&nic, 1600, 8, false), "");
	assert_non_null(strstr(said(&nic, 9000, 8, false),
			       "ethtool --set-priv-flags eth0 rx_striding_rq off"));
	nic = (struct nic){.physical = true, .gro_hw = true};
	assert_non_null(strstr(said(&nic, 1600, 8, false), "ethtool -K eth0 rx-gro-hw off"));
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(queues_and_interrupts_that_are_spread_are_no_news),
		test(interrupts_at_few_processors_are_told),
		test(fewer_queues_than_processors_are_told),
		test(what_has_no_device_behind_it_has_no_queues_to_spread),
		test(strict_rp_filter_is_told_where_there_are_several_interfaces),
		test(shapes_that_xdp_does_not_like_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
