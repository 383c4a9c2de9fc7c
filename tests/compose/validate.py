#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Is this file what the published schema of Compose says?  validate.py SCHEMA FILE.yaml; exit 1 with the faults"""
import json
import sys

import jsonschema
import yaml

with open(sys.argv[1], encoding="utf-8") as file:
    validator = jsonschema.Draft7Validator(json.load(file))
with open(sys.argv[2], encoding="utf-8") as file:
    faults = list(validator.iter_errors(yaml.safe_load(file)))
for fault in faults:
    print("/".join(map(str, fault.absolute_path)) + ": " + fault.message)
sys.exit(bool(faults))
