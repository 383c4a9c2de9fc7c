#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Does a QUIC connection keep its backend where the ids are encrypted? All of quic_test.sh, with a key.
#
#	quic_key_test.sh
#
# Needs root and a build.
set -u
cd "$(dirname "$0")/../.." || exit
QUIC_KEY=8f95f09245765f80256934e50c66207f exec tests/net/quic_test.sh
