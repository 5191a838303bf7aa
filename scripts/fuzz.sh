#!/usr/bin/env bash
# Fuzzes every target of the module for a while, one after another, and fails at
# the first that finds something. What was found is in testdata/fuzz: commit it.
set -euo pipefail

time="${1:?usage: fuzz.sh TIME-FOR-EACH-TARGET}"
cd "$(dirname "$0")/.."

go test -list '^Fuzz' ./... | awk '
  /^Fuzz/ { targets[++n] = $1 }
  /^ok/   { for (i = 1; i <= n; i++) print $2, targets[i]; n = 0 }
' | while read -r package target; do
  printf '%-50s %-20s ' "$package" "$target"
  go test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "$time" -parallel 2 </dev/null |
    awk '/elapsed:/ { last = $0 } /FAIL|failing/ { failed = 1 } failed { print } END { sub(/.*elapsed: /, "", last); print last }'
done
