// SPDX-License-Identifier: BSD-2-Clause
// Are these messages OTLP's, as OpenTelemetry's own package has them? otlp_proto.mjs FOLDER FILE…
//
// FOLDER has node_modules with @opentelemetry/otlp-transformer, whose root.js is made from the published .proto files. A message
// that is read from JSON, written as protobuf and read again must be the one that it was: what the protocol does not know, or
// knows as another type, gets lost on the way.
import {createRequire} from "node:module";
import {readFileSync} from "node:fs";
import {isDeepStrictEqual} from "node:util";

const [folder, ...files] = process.argv.slice(2);
const require = createRequire(folder + "/package.json");
const root = require("./node_modules/@opentelemetry/otlp-transformer/build/src/generated/root.js");
const Request = root.opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest;

// A list without elements is none, in protobuf.
function differs(ours, theirs, path) {
	if (Array.isArray(ours) && ours.length === 0)
		ours = undefined;
	if (typeof ours !== "object" || ours === null || typeof theirs !== "object" || theirs === null)
		return isDeepStrictEqual(ours, theirs) ? null : `${path}: ${JSON.stringify(ours)} becomes ${JSON.stringify(theirs)}`;
	for (const key of new Set([...Object.keys(ours), ...Object.keys(theirs)])) {
		const found = differs(ours[key], theirs[key], `${path}.${key}`);
		if (found)
			return found;
	}
	return null;
}

let wrong = 0;
for (const file of files) {
	const ours = JSON.parse(readFileSync(file));
	const message = Request.fromObject(ours);
	const theirs = Request.toObject(Request.decode(Request.encode(message).finish()), {longs: String, json: true});
	const fault = Request.verify(message) || differs(ours, JSON.parse(JSON.stringify(theirs)), "");
	if (fault) {
		console.log(`${file}: ${fault}`);
		wrong = 1;
	}
}
console.log(`${files.length} messages`);
process.exit(files.length ? wrong : 1);
