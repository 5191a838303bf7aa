// The end of the job: what main left behind is ended. It runs after the post steps
// of the steps that came later, which may use the token until then, and it never
// fails the job.

import * as git from './git.js';
import { Runner } from './runner.js';
import { Vault } from './vault.js';

/** The job is over, and nobody wants to wait. */
const LIMITS = { timeout: 30_000, patience: 10_000 };

async function post(runner) {
  if (runner.state('git-directory')) {
    git.remove(runner.state('git-directory'));
  }
  const token = runner.state('vault-token');
  if (token) {
    const vault = new Vault(JSON.parse(runner.state('connection')), LIMITS, (message) => runner.info(message));
    await revoke(vault, token, runner.state('lease-id'));
  }
}

/**
 * Revokes the lease, and then the Vault token, which ends its leases too, a moment
 * later: most policies do not let a job revoke a lease.
 */
async function revoke(vault, token, leaseID) {
  const ofLease = leaseID ? await failureOf(vault.revokeLease(leaseID, token)) : undefined;
  const ofToken = isBatch(token) ? ofLease : await failureOf(vault.revokeSelf(token));
  if (ofToken && !isDead(ofToken)) {
    throw ofToken;
  }
  if (ofLease && ofLease.status !== 403) {
    throw ofLease;
  }
}

/** What went wrong with a request, if anything did. */
function failureOf(request) {
  return request.then(() => undefined, (error) => error);
}

/**
 * A batch token cannot be revoked, it ends by itself.
 * https://developer.hashicorp.com/vault/docs/concepts/tokens#token-prefixes
 */
function isBatch(token) {
  return token.startsWith('hvb.');
}

/** Vault's words for a token that it does not know, or not any more. */
function isDead({ status, words }) {
  return status === 403 && words.includes('invalid token');
}

const runner = new Runner(process.env, console.log);
try {
  await post(runner);
} catch (error) {
  const comfort = "It ends with its lease, without this job's doing.";
  runner.warning('The token may not be revoked yet', `${error.message}\n${comfort}`);
}
