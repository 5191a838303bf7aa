#!/usr/bin/env bash
# Shows the engine at work against a real Vault and a stand-in for GitHub, all on
# this machine: the set-up of README.md, then one CI job. With --keep it leaves
# everything running until Ctrl-C, for you to try.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
bin=$root/bin
vault_bin=${VAULT_BIN:-$bin/vault}
keep=${1:-}
dir=$(mktemp -d)

if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' reset=$'\e[0m'; else bold='' dim='' green='' reset=''; fi
say() { printf '\n%s== %s%s\n' "$bold" "$1" "$reset"; }
good() { printf '%s   ok: %s%s\n' "$green" "$1" "$reset"; }
die() { printf 'demo: %s\n' "$1" >&2; exit 1; }

pids=()
clean_up() {
  status=$?
  if [ "$status" -ne 0 ]; then
    printf '\ndemo failed (status %s). The end of the logs:\n' "$status" >&2
    tail -n 15 "$dir"/*.log >&2 2>/dev/null || true
  fi
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$dir"
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# What the programs below read of the environment is this demo's, not yours.
mkdir -p "$dir/home" "$dir/plugins" "$dir/world"
export HOME=$dir/home GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null GIT_TERMINAL_PROMPT=0
unset VAULT_TOKEN VAULT_NAMESPACE VAULT_CACERT VAULT_ADDR GIT_ASKPASS SSH_ASKPASS 2>/dev/null || true
vault() { "$vault_bin" "$@"; }

# show prints a command and runs it.
show() { printf '%s$ %s%s\n' "$dim" "$*" "$reset"; "$@"; }
# readme prints the block of README.md with that name and runs it.
readme() {
  local block
  block=$(sed -n "/^<!-- demo: $1 -->\$/,/^\`\`\`\$/p" "$root/README.md" | sed '1,2d;$d')
  [ -n "$block" ] || die "README.md has no block named $1"
  printf '%s%s%s\n' "$dim" "$(sed 's/^/  /' <<<"$block")" "$reset"
  eval "$block"
}
# wait_for waits until a command succeeds, at most 20 seconds.
wait_for() {
  local deadline=$((SECONDS + 20))
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || die "timed out waiting for: $*"
    sleep 0.1
  done
}
json() { node -e 'const v=JSON.parse(require("fs").readFileSync(process.argv[1]));console.log(v[process.argv[2]])' "$1" "$2"; }
free_port() { node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})'; }

say 'Start: a stand-in for GitHub, a CI with OIDC, a real Vault'
"$bin/fake-github" -listen 127.0.0.1:0 -dir "$dir/world" >"$dir/fake-github.log" 2>&1 & pids+=($!)
"$bin/fake-oidc" -listen 127.0.0.1:0 -info "$dir/world/oidc.json" >"$dir/fake-oidc.log" 2>&1 & pids+=($!)
wait_for test -s "$dir/world/fake-github.json"
wait_for test -s "$dir/world/oidc.json"

cp "$bin/vault-plugin-secrets-github" "$dir/plugins/"
printf 'plugin_directory = "%s"\n' "$dir/plugins" >"$dir/vault.hcl"
export VAULT_ADDR=http://127.0.0.1:$(free_port)
root_token=demo-root
"$vault_bin" server -dev -dev-no-store-token -dev-root-token-id="$root_token" \
  -dev-listen-address="${VAULT_ADDR#http://}" -config="$dir/vault.hcl" >"$dir/vault.log" 2>&1 & pids+=($!)
wait_for vault status
export VAULT_TOKEN=$root_token
vault audit enable file file_path="$dir/audit.log" >/dev/null

export GITHUB_API CLIENT_ID PRIVATE_KEY ORGANIZATION CI_ISSUER PLUGIN_DIR
GITHUB_API=$(json "$dir/world/fake-github.json" api_url)
github=$(json "$dir/world/fake-github.json" url)
CLIENT_ID=$(json "$dir/world/fake-github.json" client_id)
PRIVATE_KEY=$(json "$dir/world/fake-github.json" private_key_file)
ORGANIZATION=$(json "$dir/world/fake-github.json" organization)
CI_ISSUER=$(json "$dir/world/oidc.json" issuer)
PLUGIN_DIR=$dir/plugins
printf '   GitHub %s   CI issuer %s   Vault %s\n' "$GITHUB_API" "$CI_ISSUER" "$VAULT_ADDR"

say 'The Vault admin: register the plugin, mount it';  readme register; readme mount
say 'The Vault admin: the GitHub App and a role';      readme config; readme role
say 'The Vault admin: let CI jobs log in';             readme jwt
say 'The Vault admin: one role for every repository';  readme issuer
vault policy write github-self - >/dev/null <<'EOF'
path "github/token/self" { capabilities = ["update"] }
path "github/check/self" { capabilities = ["update"] }
EOF
vault write auth/jwt/role/self role_type=jwt bound_audiences=vault user_claim=repository token_policies=github-self >/dev/null
unset VAULT_TOKEN

say 'The CI job: log in with its OIDC token, read a GitHub token'
# id_token SUB REF EVENT is what the CI would give to a job of acme/api.
id_token() {
  node -e '
    const [url, sub, ref, event_name] = process.argv.slice(1);
    const claims = {aud: "vault", sub, repository: "acme/api", repository_owner: "acme", ref, event_name, run_id: "4242"};
    fetch(url, {method: "POST", body: JSON.stringify(claims)}).then(r => r.json()).then(r => console.log(r.value));
    ' "$(json "$dir/world/oidc.json" token_url)" "$@"
}
ID_TOKEN=$(id_token repo:acme/api:ref:refs/heads/main refs/heads/main push)
readme read

token_json=$(vault read -format=json github/token/api-read)
printf '%s' "$token_json" >"$dir/token.json"
field() { node -e 'const v=JSON.parse(require("fs").readFileSync(process.argv[1]));console.log(process.argv[2].split(".").reduce((o,k)=>o[k],v))' "$dir/token.json" "$1"; }
TOKEN=$(field data.token)
with_token=${github/:\/\//:\/\/x-access-token:$TOKEN@}

say 'The CI job: use it'
clone() { git clone -q "$with_token/$1.git" "$dir/$2"; }
printf '%s$ git clone %s/acme/api.git%s\n' "$dim" "$github" "$reset"
clone acme/api api
good "cloned acme/api: $(ls "$dir/api" | tr '\n' ' ')"

printf '%s$ git push%s\n' "$dim" "$reset"
git -C "$dir/api" -c user.name=job -c user.email=job@example.com commit -q --allow-empty -m 'not allowed'
if git -C "$dir/api" push -q 2>"$dir/push.err"; then die 'the push went through'; fi
sed "s/$TOKEN/***/g; s/^/   /" "$dir/push.err"
good 'contents=read cannot push'

printf '%s$ git clone %s/acme/secret-plans.git%s\n' "$dim" "$github" "$reset"
if clone acme/secret-plans plans 2>"$dir/clone.err"; then die 'another repository was cloned'; fi
sed "s/$TOKEN/***/g; s/^/   /" "$dir/clone.err"
good 'another repository does not exist for this token'

say 'The CI job: a slip of the keyboard must not widen the token'
if show vault read github/token/api-read permisions=contents=write 2>"$dir/typo.err"; then die 'the misspelt parameter was ignored'; fi
sed 's/^/   /' "$dir/typo.err"

say 'A job of a pull request wants the role of the main branch: why not?'
job_token=$VAULT_TOKEN
id_token repo:acme/api:pull_request refs/pull/7/merge pull_request >"$dir/pull-request.jwt"
VAULT_TOKEN=$(vault write -field=token auth/jwt/login role=self jwt=@"$dir/pull-request.jwt")
if vault write github/token/self id_token=@"$dir/pull-request.jwt" 2>"$dir/refused.err"; then die 'the pull request got a token'; fi
show vault write github/check/self id_token=@"$dir/pull-request.jwt"
export VAULT_TOKEN=$job_token

say 'The CI job ends: its Vault token is revoked, and with it the GitHub token'
ask_github() {
  node -e 'fetch(process.argv[1], {headers: {authorization: "Bearer " + process.argv[2]}})
    .then(async r => console.log(r.status, (await r.json()).message ?? "OK"))' "$GITHUB_API/repos/acme/api" "$TOKEN"
}
[ "$(ask_github)" = '200 OK' ] || die 'the token does not work before it is revoked'
show vault token revoke -self
is_dead() { [[ $(ask_github) = 401* ]]; }
wait_for is_dead
good "the token is dead, GitHub answers: $(ask_github)"

say 'The auditor: what Vault wrote down'
hashed=$(field data.hashed_token)
node -e '
  const [file, hashed] = process.argv.slice(1);
  for (const line of require("fs").readFileSync(file, "utf8").trim().split("\n")) {
    const e = JSON.parse(line);
    if (e.type !== "response" || e.response?.data?.hashed_token !== hashed) continue;
    const d = e.response.data;
    console.log(JSON.stringify({time: e.time, who: e.auth.metadata, path: e.request.path, scope: d.scope,
      hashed_token: d.hashed_token, token: d.token, lease: e.response.secret?.lease_id}, null, 2));
  }' "$dir/audit.log" "$hashed" | tee "$dir/audit.out" | sed 's/^/   /'
grep -q "$hashed" "$dir/audit.out" || die 'the audit log does not show the issuance'
if grep -qF "$TOKEN" "$dir/audit.log" "$dir"/*.log; then die 'a token is in a log'; fi
good 'the token itself is in no log'

if [ "$keep" = --keep ]; then
  say 'It stays up until Ctrl-C. In another terminal:'
  cat <<EOF
   export VAULT_ADDR=$VAULT_ADDR VAULT_TOKEN=$root_token
   $vault_bin read github/token/api-read
   $vault_bin read github/roles/api-read
   $vault_bin path-help github/roles/x
   curl -s $github/_fake/tokens          # live tokens at the stand-in for GitHub
   tail -f $dir/audit.log
EOF
  while :; do sleep 3600 & wait $!; done
fi
say 'Done. Nothing is left running.'
