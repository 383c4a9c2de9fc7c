/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is at the other end of a Unix socket? */
#include "peer.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct peer peer_of(int socket)
{
	struct ucred ucred;
	socklen_t length = sizeof(ucred);

	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &ucred, &length))
		return (struct peer){.uid = PEER_UNKNOWN};
	return (struct peer){.uid = ucred.uid, .pid = ucred.pid};
}

char *peer_name(const char *file, uid_t uid)
{
	FILE *in = fopen(file, "re");
	const struct passwd *entry;
	char *name = NULL;

	if (!in)
		return NULL;
	while (!name && (entry = fgetpwent(in)))
		if (entry->pw_uid == uid)
			name = strdup(entry->pw_name);
	fclose(in);
	return name;
}

json_t *peer_sign(json_t *event, const struct peer *peer)
{
	char *name;

	if (!event || !peer || peer->uid == PEER_UNKNOWN)
		return event;
	json_object_set_new(event, "uid", json_integer(peer->uid));
	if (peer->pid > 0)
		json_object_set_new(event, "pid", json_integer(peer->pid));
	name = peer_name("/etc/passwd", peer->uid);
	if (name) /* one that is not UTF-8 is left out */
		json_object_set_new(event, "user", json_string(name));
	free(name);
	return event;
}
