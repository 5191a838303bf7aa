#!/usr/bin/env bash
# Builds the Vault of tools/vault into the file named. Vault is 2,000 packages, so
# this says how far it has come.
set -euo pipefail

output=${1:?usage: build-vault.sh FILE}
mkdir -p "$(dirname "$output")"
output=$(realpath "$output")

# go build -v writes a line for each package that it compiles, among the errors.
progress() {
  awk -v terminal="$([[ -t 2 ]] && echo 1)" '
    / |^#/ { print; fflush(); next }
    { n++ }
    terminal { printf "\r%d packages compiled", n; fflush(); next }
    n % 200 == 0 { print n " packages compiled"; fflush() }
    END { if (terminal && n) print "" }'
}

cd "$(dirname "$0")/../tools/vault"
echo "Building $(go list -m github.com/hashicorp/vault) (about 6 minutes on two cores, once) ..." >&2
go build -v -tags minimal -o "$output" github.com/hashicorp/vault 2>&1 | progress >&2
# An up-to-date binary is left as it is by go build, and make looks at its time.
touch "$output"
