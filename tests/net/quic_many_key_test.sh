#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Do several hundred QUIC connections keep their servers where ids are encrypted? All of quic_many_test.sh, with a key.
#
#	quic_many_key_test.sh
#
# Needs root and a build.
set -u
cd "$(dirname "$0")/../.." || exit
QUIC_KEY=8f95f09245765f80256934e50c66207f exec tests/net/quic_many_test.sh
