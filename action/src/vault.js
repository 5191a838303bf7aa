import { send } from './http.js';
import { isTransient, madeNothing, retry, retryAfterOf } from './retry.js';

/**
 * Where Vault is; the CA in PEM.
 *
 * @typedef {{address: string, namespace?: string, ca?: string}} Connection
 */

/**
 * How long one answer is waited for, and how long after the first attempt another
 * may begin; in milliseconds.
 *
 * @typedef {{timeout: number, patience: number}} Limits
 */

/** A refusal of Vault's, or of the engine's, in its own words. */
export class VaultError extends Error {
  /**
   * @param {number} status
   * @param {string} words empty if the answer had none that are Vault's
   * @param {number} [retryAfter] in seconds
   */
  constructor(status, words, retryAfter) {
    super(`Vault answered ${status}${words && `: ${words}`}`);
    this.status = status;
    this.words = words;
    this.retryAfter = retryAfter;
  }
}

/** A Vault, as one job uses it. */
export class Vault {
  /**
   * @param {Connection} connection
   * @param {Limits} limits
   * @param {(message: string) => void} log is told of every retry
   */
  constructor(connection, limits, log) {
    this.connection = connection;
    this.limits = limits;
    this.log = log;
  }

  /**
   * Logs in by JWT.
   *
   * @returns {Promise<{token: string, expires: number}>} expires in milliseconds since 1970
   */
  async login(path, role, jwt) {
    const { auth } = await this.#write(`auth/${path}/login`, { role, jwt }, { again: isTransient });
    if (!auth?.client_token) {
      throw new Error(`the answer of auth/${path}/login holds no Vault token`);
    }
    const expires = auth.lease_duration > 0 ? after(auth.lease_duration) : Infinity;
    return { token: auth.client_token, expires };
  }

  /**
   * Asks the engine for a GitHub token.
   *
   * @returns {Promise<{token: string, leaseID: string, expires: number, scope: string}>} expires, in milliseconds
   * since 1970, with the lease or when GitHub ends the token
   */
  async mint(mount, role, parameters, token) {
    const path = `${mount}/token/${role}`;
    const answer = await this.#write(path, parameters, { token, again: madeNothing });
    const { data, lease_id: leaseID, lease_duration: duration } = answer;
    if (!data?.token || !leaseID) {
      throw new Error(`the answer of ${path} holds no token under a lease; is ${mount}/ the GitHub secrets engine?`);
    }
    const expires = Math.min(after(duration), Date.parse(data.expires_at));
    return { token: data.token, leaseID, expires, scope: data.scope };
  }

  /**
   * Ends a lease, and waits until the GitHub token is revoked. The lease's ID stands in the path, so that a policy can
   * be about the leases of one engine.
   */
  async revokeLease(leaseID, token) {
    await this.#write(`sys/leases/revoke/${leaseID}`, { sync: true }, { token, again: isTransient });
  }

  /** Ends a Vault token, and with it, a moment later, its leases. */
  async revokeSelf(token) {
    await this.#write('auth/token/revoke-self', {}, { token, again: isTransient });
  }

  #write(path, body, { token, again }) {
    return retry(() => this.#post(path, body, token), { again, patience: this.limits.patience, log: this.log });
  }

  async #post(path, body, token) {
    const { address, namespace, ca } = this.connection;
    const headers = { 'Content-Type': 'application/json', 'X-Vault-Request': 'true' };
    if (namespace) {
      headers['X-Vault-Namespace'] = namespace;
    }
    if (token) {
      headers['X-Vault-Token'] = token;
    }
    const request = { method: 'POST', headers, body: JSON.stringify(body), ca, timeout: this.limits.timeout };
    return contentOf(await sendWithin(new URL(`/v1/${path}`, address), request));
  }
}

function after(seconds) {
  return Date.now() + seconds * 1000;
}

/**
 * Sends a request, and follows one redirect, as Vault's client does; but not to
 * another host, because a token would go there with it.
 */
async function sendWithin(url, request) {
  const answer = await send(url, request);
  const target = redirectOf(answer, url);
  if (!target) {
    return answer;
  }
  if (target.origin !== url.origin) {
    throw new Error(
      `${url.origin} redirects to ${target.origin}, and no secret is sent to another host than vault-address names; ` +
        'if that is the active node of the same Vault, give its address',
    );
  }
  return send(target, request);
}

function redirectOf({ status, headers }, url) {
  const redirects = [301, 302, 307, 308].includes(status) && headers.location;
  return redirects && URL.canParse(headers.location, url) ? new URL(headers.location, url) : undefined;
}

function contentOf({ status, headers, body }) {
  if (status === 204) {
    return {};
  }
  const content = parse(body);
  if (status !== 200) {
    throw new VaultError(status, wordsOf(content), retryAfterOf(headers));
  }
  if (!content) {
    throw new Error('the answer is not JSON; is this the address of a Vault?');
  }
  return content;
}

/** What JSON.parse says of a bad text quotes it, and it may hold a token. */
function parse(body) {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** The errors of an answer, without the frame that Vault's go-multierror draws. */
function wordsOf(content) {
  const errors = Array.isArray(content?.errors) ? content.errors : [];
  const plain = (error) => String(error).replace(/^\d+ errors? occurred:\s*/, '').replace(/^\s*\* /gm, '');
  return errors.map((error) => plain(error).trim()).join('\n');
}
