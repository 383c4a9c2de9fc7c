# SPDX-License-Identifier: BSD-2-Clause
# Is the whole of one file somewhere in another?     has.py FILE PART
import sys

file, part = (open(name, "rb").read() for name in sys.argv[1:])
sys.exit(not part or part not in file)
