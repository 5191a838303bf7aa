#!/usr/bin/env bash
# Installs the programs that a test drives, where Debian (or Ubuntu) has them:
#   scripts/install-debian.sh PROGRAM=PACKAGE ...
# A program that is there already is left as it is, and then nobody is asked for a
# password nor a mirror for anything.
set -euo pipefail

fail() {
  echo "install-debian.sh: $*" >&2
  exit 1
}

(($#)) || fail "usage: install-debian.sh PROGRAM=PACKAGE ..."

programs=() packages=()
for pair; do
  [[ $pair == ?*=?* ]] || fail "want PROGRAM=PACKAGE, not \"$pair\""
  # Debian puts daemons into sbin, which is not on everyone's PATH.
  if ! PATH="$PATH:/usr/sbin:/sbin" type -P "${pair%%=*}" >/dev/null; then
    programs+=("${pair%%=*}")
    packages+=("${pair#*=}")
  fi
done
((${#packages[@]})) || exit 0

type -P apt-get >/dev/null ||
  fail "there is no apt-get here to install ${packages[*]} with: install ${programs[*]} by hand, onto the PATH"
as_root=()
if ((EUID != 0)); then
  type -P sudo >/dev/null ||
    fail "installing ${packages[*]} takes root, and there is no sudo: run as root: apt-get install ${packages[*]}"
  as_root=(sudo)
fi

"${as_root[@]}" apt-get update --quiet=2 ||
  fail "apt-get update failed: is a Debian mirror reachable from here?"
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install --quiet=2 --yes --no-install-recommends "${packages[@]}" ||
  fail "could not install ${packages[*]}"

hash -r
for program in "${programs[@]}"; do
  PATH="$PATH:/usr/sbin:/sbin" type -P "$program" >/dev/null ||
    fail "installed ${packages[*]}, and still there is no $program"
done
