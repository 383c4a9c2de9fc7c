/* SPDX-License-Identifier: BSD-2-Clause */
/* Is every lbd.json refused in plain words, or one whose every value is within its limits? The
 * input stands for a hash seed as well, since both are text. */
#include "../../bpf/abi.h"
#include "../../lbd/host/config.h"
#include "fuzz.h"

static void check_path(const char *path, size_t size)
{
	FUZZ_CHECK(memchr(path, 0, size));
	FUZZ_CHECK(path[0] == '/');
}

static void check_interfaces(const struct config *config)
{
	FUZZ_CHECK(config->interface_count >= 1 && config->interface_count <= LB_INTERFACES_MAX);
	for (size_t i = 0; i < config->interface_count; i++) {
		FUZZ_CHECK(config->interfaces[i][0]);
		FUZZ_CHECK(memchr(config->interfaces[i], 0, IF_NAMESIZE));
		for (size_t j = 0; j < i; j++)
			FUZZ_CHECK(strcmp(config->interfaces[i], config->interfaces[j]));
	}
}

static void check_source(const struct lb_prefix *prefix, int family)
{
	const int length = prefix->length;

	if (!prefix->address.family)
		return;
	FUZZ_CHECK(prefix->address.family == family);
	FUZZ_CHECK(length >= (family == 4 ? 8 : 96) && length <= (family == 4 ? 32 : 128));
}

static void check_config(const struct config *config)
{
	check_interfaces(config);
	check_path(config->control_path, sizeof(config->control_path));
	check_path(config->state_dir, sizeof(config->state_dir));
	check_path(config->pin_dir, sizeof(config->pin_dir));
	FUZZ_CHECK(memchr(config->control_group, 0, sizeof(config->control_group)));
	check_source(&config->source4, 4);
	check_source(&config->source6, 6);
	FUZZ_CHECK(config->xdp_mode >= XDP_MODE_AUTO && config->xdp_mode <= XDP_MODE_GENERIC);
	FUZZ_CHECK(config->vips >= 1 && config->vips <= LB_VIPS_MAX);
	FUZZ_CHECK(config->members >= 1 && config->members <= LB_MEMBERS_MAX);
	FUZZ_CHECK(config->slots >= LB_TABLE_SIZE_MIN && config->slots <= LB_SLOTS_MAX);
	FUZZ_CHECK(config->flows >= 1 && config->flows <= LB_FLOWS_MAX);
	FUZZ_CHECK(!config->seed_configured || config->seed[0] || config->seed[1]);
}

static void as_document(const uint8_t *data, size_t size)
{
	json_t *document = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	struct config config;
	struct lb_err err = {0};

	if (!document)
		return;
	if (schema_read(&config_schema, document, &config, &err))
		fuzz_check_err(&err);
	else
		check_config(&config);
	json_decref(document);
}

static void as_seed(const uint8_t *data, size_t size)
{
	uint64_t seed[2] = {0};
	char *text = malloc(size + 1);

	FUZZ_CHECK(text);
	memcpy(text, data, size);
	text[size] = '\0';
	if (!config_parse_seed(text, seed))
		FUZZ_CHECK(seed[0] || seed[1]);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	as_document(data, size);
	as_seed(data, size);
	return 0;
}
