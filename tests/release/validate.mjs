// SPDX-License-Identifier: BSD-2-Clause
// Is a bill of materials what the published schema of CycloneDX says?
//
//   node validate.mjs FILE.cdx.json      prints its version; exit 1 with the faults
import { readFileSync } from "node:fs";
import { Validation } from "@cyclonedx/cyclonedx-library";

const text = readFileSync(process.argv[2], "utf8");
const version = JSON.parse(text).specVersion;
const fault = await new Validation.JsonStrictValidator(version).validate(text);
if (fault !== null) {
	console.error(fault);
	process.exit(1);
}
console.log(`CycloneDX ${version}`);
