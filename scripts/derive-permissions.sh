#!/usr/bin/env bash
# Derives the names of permissions that GitHub documents from its OpenAPI
# description, for the warning at a role's write.
set -euo pipefail
cd "$(dirname "$0")/.."
node -e '
  const api = JSON.parse(require("fs").readFileSync("internal/githubtest/openapi/github-app.ghec.json"));
  console.log(Object.keys(api.components.schemas["app-permissions"].properties).sort().join("\n"));
' >internal/githubapp/permissions.txt
