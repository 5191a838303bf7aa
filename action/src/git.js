// git for the rest of the job: a private directory with a git configuration and
// the credential, which the environment of the steps to come includes.
//
// A credential helper, not http.extraHeader: two of those, ours and that of
// actions/checkout, are two Authorization headers, which GitHub refuses. git asks
// a helper only where no other credential is configured.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Makes the directory, for this user alone.
 *
 * @param {NodeJS.ProcessEnv} env
 * @returns {string}
 */
export function makeDirectory(env) {
  return mkdtempSync(join(env.RUNNER_TEMP, 'vault-github-'));
}

/**
 * Lets git use the token for the GitHub server of this job, and for no other
 * host; also for repositories that are named by ssh.
 *
 * @param {string} directory of makeDirectory
 * @param {string} token
 * @param {NodeJS.ProcessEnv} env
 * @returns {Record<string, string>} variables for the steps to come
 */
export function configure(directory, token, env) {
  const credential = write(directory, 'credential', `username=x-access-token\npassword=${token}\n`);
  const config = write(directory, 'config', configuration(new URL(env.GITHUB_SERVER_URL), credential));
  return include(config, env);
}

/** Takes the credential away again. */
export function remove(directory) {
  rmSync(directory, { recursive: true, force: true });
}

function write(directory, name, content) {
  const path = join(directory, name);
  writeFileSync(path, content, { mode: 0o600 });
  return path.replaceAll('\\', '/');
}

/** The first, empty helper keeps the token out of a keychain of the machine. */
function configuration(server, credential) {
  const helper = `!f() { test "$1" = get && cat ${shellQuote(credential)}; }; f`;
  return `[credential ${quote(server.origin)}]
	helper =
	helper = ${quote(helper)}
[url ${quote(`${server.origin}/`)}]
	insteadOf = ${quote(`git@${server.hostname}:`)}
	insteadOf = ${quote(`ssh://git@${server.hostname}/`)}
`;
}

/** Adds an include to the configuration that the environment holds already. */
function include(config, env) {
  const count = Number(env.GIT_CONFIG_COUNT ?? 0);
  return {
    GIT_CONFIG_COUNT: String(count + 1),
    [`GIT_CONFIG_KEY_${count}`]: 'include.path',
    [`GIT_CONFIG_VALUE_${count}`]: config,
  };
}

/** git's quotes: a backslash before quotes and backslashes. */
function quote(text) {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

function shellQuote(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
