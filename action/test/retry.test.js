import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { isTransient, madeNothing, retry, retryAfterOf } from '../src/retry.js';

/** Runs attempts that fail so, and tells how long it waited between them. */
async function run(failures, patience = 60_000) {
  let now = 0;
  const waits = [];
  const clock = {
    now: () => now,
    sleep: async (milliseconds) => {
      waits.push(milliseconds);
      now += milliseconds;
    },
  };
  const attempt = async () => {
    if (failures.length > 0) {
      throw Object.assign(new Error('failed'), failures.shift());
    }
    return 'done';
  };
  const result = await retry(attempt, { again: isTransient, patience, log: () => {}, clock }).catch(({ status }) => status);
  return { result, waits };
}

test('a passing failure is tried again twice, after a second or a little more', async () => {
  const { result, waits } = await run([{ status: 503 }, { status: 503 }]);
  assert.equal(result, 'done');
  assert.ok(waits.length === 2 && waits.every((wait) => wait >= 1000 && wait <= 1500), `${waits}`);
  assert.equal((await run([{ status: 503 }, { status: 503 }, { status: 503 }])).result, 503);
});

test('Retry-After is respected', async () => {
  assert.deepEqual(await run([{ status: 429, retryAfter: 7 }]), { result: 'done', waits: [7000] });
  assert.deepEqual(await run([{ status: 429, retryAfter: 0 }]), { result: 'done', waits: [0] });
});

test('a job does not wait for long', async () => {
  assert.deepEqual(await run([{ status: 429, retryAfter: 61 }]), { result: 429, waits: [] });
  assert.deepEqual(await run([{ status: 429, retryAfter: 40 }, { status: 429, retryAfter: 40 }]), { result: 429, waits: [40_000] });
});

test('a refusal is final', async () => {
  assert.deepEqual(await run([{ status: 403 }]), { result: 403, waits: [] });
});

describe('what is tried again', () => {
  for (const { error, login, mint } of [
    { error: { status: 400 }, login: false, mint: false },
    { error: { status: 403 }, login: false, mint: false },
    { error: { status: 412 }, login: true, mint: false },
    { error: { status: 424 }, login: false, mint: false },
    { error: { status: 429 }, login: true, mint: true },
    { error: { status: 500 }, login: true, mint: false },
    { error: { status: 501 }, login: false, mint: false },
    { error: { status: 502 }, login: true, mint: true },
    { error: { status: 503 }, login: true, mint: true },
    { error: { status: 504 }, login: true, mint: true },
    { error: { code: 'ECONNREFUSED' }, login: true, mint: true },
    { error: { code: 'ENOTFOUND' }, login: true, mint: true },
    { error: { code: 'ECONNRESET' }, login: true, mint: false },
    { error: { code: 'ETIMEDOUT' }, login: true, mint: false },
    { error: { code: 'CERT_HAS_EXPIRED' }, login: false, mint: false },
    { error: {}, login: false, mint: false },
  ]) {
    test(JSON.stringify(error), () => {
      assert.equal(isTransient(error), login, 'a login');
      assert.equal(madeNothing(error), mint, 'a mint');
    });
  }
});

test('Retry-After is read in seconds', () => {
  assert.equal(retryAfterOf({ 'retry-after': '12' }), 12);
  assert.equal(retryAfterOf({ 'retry-after': 'Mon, 23 Nov 2026 03:00:00 GMT' }), undefined);
  assert.equal(retryAfterOf({}), undefined);
});
