// SPDX-License-Identifier: BSD-2-Clause
// Are these manifests what the published schemas of Kubernetes and of the Prometheus operator say?
//
//   node validate.mjs FILE.yaml      prints one line an object; exit 1 with the faults
//
// Values by the schemas; names by the types made from them, since the schemas allow unknown ones.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { loadAll } from "js-yaml";

const models = (version) =>
	(version.startsWith("monitoring.") ? "@kubernetes-models/prometheus-operator/" : "kubernetes-models/") + version;
const objects = loadAll(readFileSync(process.argv[2], "utf8"));

function fail(fault) {
	console.error(fault);
	process.exit(1);
}

for (const object of objects) {
	try {
		new (await import(models(object.apiVersion)))[object.kind](object).validate();
	} catch (fault) {
		fail(`${object.kind} ${object.metadata?.name}: ${fault.message}`);
	}
}

writeFileSync("objects.mts", objects.map((object, i) =>
	`import type { I${object.kind} as T${i} } from ${JSON.stringify(models(object.apiVersion))};\n` +
	`export const o${i}: T${i} = ${JSON.stringify(object, null, 1)};\n`).join(""));
try {
	execFileSync("node_modules/.bin/tsc", ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--target",
		"es2022", "objects.mts"], { encoding: "utf8" });
} catch (fault) {
	fail(fault.stdout);
}
objects.forEach((object) => console.log(`${object.apiVersion} ${object.kind} ${object.metadata.name}`));
