// SPDX-License-Identifier: BSD-2-Clause
/* What if an interface were a network card? A library to preload into a program (LD_PRELOAD), whose questions by
 * ethtool's ioctl it answers as the driver of a card would that has $CARD: lro, gro or striding. */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool card_has(const char *what)
{
	const char *card = getenv("CARD");

	return card && !strcmp(card, what);
}

/* The one string that a set of strings has; NULL: it is the kernel's to say. */
static const char *string_of(__u32 set)
{
	if (set == ETH_SS_PRIV_FLAGS && card_has("striding"))
		return "rx_striding_rq";
	return set == ETH_SS_FEATURES && card_has("gro") ? "rx-gro-hw" : NULL;
}

static bool count_strings(struct ethtool_sset_info *info)
{
	if (!string_of(__builtin_ctzll(info->sset_mask)))
		return false;
	info->data[0] = 1;
	return true;
}

static bool give_strings(struct ethtool_gstrings *strings)
{
	const char *string = string_of(strings->string_set);

	if (!string)
		return false;
	memcpy(strings->data, string, strlen(string) + 1);
	return true;
}

/* Whether it has answered. */
static bool answer(void *data)
{
	struct ethtool_gfeatures *features = data;
	struct ethtool_value *value = data;

	switch (value->cmd) {
	case ETHTOOL_GFLAGS:
		value->data = ETH_FLAG_LRO;
		return card_has("lro");
	case ETHTOOL_GSSET_INFO:
		return count_strings(data);
	case ETHTOOL_GSTRINGS:
		return give_strings(data);
	case ETHTOOL_GPFLAGS:
		value->data = 1;
		return card_has("striding");
	case ETHTOOL_GFEATURES:
		features->features[0].active = 1;
		return card_has("gro");
	}
	return false;
}

int ioctl(int fd, unsigned long request, ...);

int ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	void *data;

	va_start(arguments, request);
	data = va_arg(arguments, void *);
	va_end(arguments);
	if (request == SIOCETHTOOL && answer(((struct ifreq *)data)->ifr_data))
		return 0;
	return (int)syscall(SYS_ioctl, fd, request, data);
}
