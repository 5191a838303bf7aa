#!/usr/bin/env node
// Cuts the endpoints of GitHub Apps, and what they refer to, out of GitHub's
// OpenAPI description and writes them beside this script. Needs npm and tar.
//
//   node derive.mjs
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const pinned = '@octokit/openapi@23.0.2'
const endpoints = [
  '/app',
  '/app/installations',
  '/app/installations/{installation_id}',
  '/app/installations/{installation_id}/access_tokens',
  '/orgs/{org}/installation',
  '/repos/{owner}/{repo}/installation',
  '/users/{username}/installation',
  '/enterprises/{enterprise}/installation',
  '/installation/token',
  '/installation/repositories',
  '/app-manifests/{code}/conversions',
  '/rate_limit',
  '/meta',
]

function download() {
  const dir = mkdtempSync(join(tmpdir(), 'octokit-openapi-'))
  try {
    const tarball = execFileSync('npm', ['pack', '--silent', pinned], { cwd: dir, encoding: 'utf8' }).trim()
    execFileSync('tar', ['xzf', tarball, 'package/generated/ghec.json'], { cwd: dir })
    return JSON.parse(readFileSync(join(dir, 'package/generated/ghec.json'), 'utf8'))
  } finally {
    rmSync(dir, { recursive: true })
  }
}

/** The names of the components that a value refers to, as "schemas/installation". */
function references(value) {
  return [...JSON.stringify(value).matchAll(/"\$ref":"#\/components\/([^"]+)"/g)].map((match) => match[1])
}

function cut(all) {
  const paths = Object.fromEntries(endpoints.map((path) => [path, all.paths[path]]))
  const wanted = new Set(references(paths))
  for (const name of wanted) {
    // A set that grows while it is walked is walked to its end.
    const [kind, key] = name.split('/')
    references(all.components[kind][key]).forEach((found) => wanted.add(found))
  }
  const components = {}
  for (const kind of Object.keys(all.components)) {
    const kept = Object.entries(all.components[kind]).filter(([key]) => wanted.has(`${kind}/${key}`))
    if (kept.length > 0) components[kind] = Object.fromEntries(kept)
  }
  const { openapi, info, servers, externalDocs } = all
  return { openapi, info, servers, externalDocs, paths, components }
}

const target = join(dirname(fileURLToPath(import.meta.url)), 'github-app.ghec.json')
writeFileSync(target, JSON.stringify(cut(download()), null, 1) + '\n')
