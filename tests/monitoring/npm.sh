# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# What tests of monitoring have from npm. To be sourced.

NPM=$(realpath -m "$O/tests/monitoring") # in the build; the lock file has digests

install_npm() {
	mkdir -p "$NPM" && cp tests/monitoring/package.json tests/monitoring/package-lock.json "$NPM" &&
		timeout 100 npm ci --prefix "$NPM" --ignore-scripts --no-audit --no-fund >/dev/null 2>&1
}
