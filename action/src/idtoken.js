import { Failure } from './failure.js';
import { send } from './http.js';
import { isTransient, retry, retryAfterOf } from './retry.js';

const TITLE = "The job's ID token could not be had";
const TIMEOUT = 30_000;
const PATIENCE = 60_000;

/**
 * Asks GitHub for the job's ID token.
 *
 * https://docs.github.com/en/actions/reference/security/oidc#methods-for-requesting-the-oidc-token
 *
 * @param {NodeJS.ProcessEnv} env
 * @param {string} audience
 * @param {(message: string) => void} log
 * @returns {Promise<string>}
 * @throws {Failure}
 */
export async function requestIDToken(env, audience, log) {
  const { ACTIONS_ID_TOKEN_REQUEST_URL: address, ACTIONS_ID_TOKEN_REQUEST_TOKEN: bearer } = env;
  if (!address || !bearer) {
    throw new Failure(
      TITLE,
      'This job may not ask for one. Give it the permission, in the workflow or the job: ' +
        '"permissions: id-token: write". GitHub gives none to workflows of pull requests from forks.',
    );
  }
  const url = new URL(address);
  url.searchParams.set('audience', audience);
  try {
    return await retry(() => request(url, bearer), { again: isTransient, patience: PATIENCE, log });
  } catch (error) {
    throw new Failure(TITLE, error.message);
  }
}

async function request(url, bearer) {
  const headers = { Authorization: `Bearer ${bearer}`, Accept: 'application/json' };
  const answer = await send(url, { headers, timeout: TIMEOUT });
  if (answer.status !== 200) {
    const error = new Error(`GitHub answered ${answer.status}`);
    throw Object.assign(error, { status: answer.status, retryAfter: retryAfterOf(answer.headers) });
  }
  const value = valueOf(answer.body);
  if (!value) {
    throw new Error("GitHub's answer holds no ID token");
  }
  return value;
}

/** What JSON.parse says of a bad text quotes it, and it may hold the token. */
function valueOf(body) {
  try {
    return JSON.parse(body).value;
  } catch {
    return undefined;
  }
}
