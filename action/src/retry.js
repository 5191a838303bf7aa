// When to ask again: as Vault's own client does, twice, after a second or as long
// as Retry-After says; but never for long, because a job is waiting.

import { setTimeout as sleep } from 'node:timers/promises';

const RETRIES = 2;
const WAIT = 1000;
const JITTER = 500;

/**
 * Calls attempt until it succeeds or fails for good. Its errors may have a status
 * (of HTTP), a code (of Node's) and retryAfter (in seconds).
 *
 * @template T
 * @param {() => Promise<T>} attempt
 * @param {object} options
 * @param {(error: Error) => boolean} options.again whether an error is worth another attempt
 * @param {number} options.patience milliseconds after which no attempt begins
 * @param {(message: string) => void} options.log is told why it takes longer
 * @param {{now: () => number, sleep: (milliseconds: number) => Promise<void>}} [options.clock]
 * @returns {Promise<T>}
 */
export async function retry(attempt, { again, patience, log, clock = { now: Date.now, sleep } }) {
  const deadline = clock.now() + patience;
  for (let retries = 0; ; retries++) {
    try {
      return await attempt();
    } catch (error) {
      const wait = error.retryAfter === undefined ? WAIT + Math.random() * JITTER : error.retryAfter * 1000;
      if (retries === RETRIES || !again(error) || clock.now() + wait > deadline) {
        throw error;
      }
      log(`${error.message}; trying again in ${Math.ceil(wait / 1000)} s`);
      await clock.sleep(wait);
    }
  }
}

/** The connection was never made. */
const UNSENT = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'];
/** The request was perhaps received, and the answer lost. */
const LOST = ['ECONNRESET', 'EPIPE', 'ETIMEDOUT'];

/** For what does no harm if it is done twice: whatever Vault's client repeats. */
export function isTransient({ status, code }) {
  const failed = status >= 500 && status !== 501;
  return failed || status === 412 || status === 429 || UNSENT.includes(code) || LOST.includes(code);
}

/**
 * For a token: only if the engine says that none is left which nobody holds, and
 * may come by the next time.
 */
export function madeNothing({ status, code }) {
  return [429, 502, 503, 504].includes(status) || UNSENT.includes(code);
}

/** The seconds that a Retry-After header asks for; undefined if it says none. */
export function retryAfterOf(headers) {
  const text = headers['retry-after'];
  return /^\d+$/.test(text) ? Number(text) : undefined;
}
