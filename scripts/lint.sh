#!/usr/bin/env bash
# Runs every linter, and fails at the end if one complained.
set -uo pipefail

PATH="$(realpath "${1:?usage: lint.sh DIRECTORY-OF-LINTERS}"):$PATH"
cd "$(dirname "$0")/.." || exit 1
status=0

run() {
  echo "  $*"
  "$@" || status=1
}

formatted() {
  local files
  files=$(gofmt -l .)
  [[ -z $files ]] || { printf 'not formatted, run make fmt:\n%s\n' "$files"; return 1; }
}

lint_module() {
  echo "module $1"
  pushd "$1" >/dev/null || exit 1
  run go vet ./...
  run staticcheck ./...
  run go-errorlint ./...
  run go vet -vettool="$(type -p bodyclose)" ./...
  popd >/dev/null || exit 1
}

# gosec takes directories of any module. What tests stand on may run the programs
# and open the files that a test names, and may leave errors of closing be.
security() {
  local test_support=(e2e bench internal/githubtest internal/oidctest) skip=() dir
  for dir in "${test_support[@]}"; do skip+=("-exclude-dir=$dir"); done
  run gosec -quiet -color=false -confidence=medium "${skip[@]}" ./...
  run gosec -quiet -color=false -confidence=medium -exclude=G104,G204,G304,G306,G703 "${test_support[@]/%//...}"
}

echo "all modules"
run formatted
security
lint_module .
lint_module e2e
lint_module bench
exit $status
