import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { describe, test } from 'node:test';

import { send } from '../src/http.js';

/** Sends a request to a server that answers so, and then to nobody. */
async function ask(answer, timeout = 5000) {
  const server = createServer(answer);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(`http://127.0.0.1:${server.address().port}/`);
  try {
    return await send(url, { timeout });
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

test('an answer is status, headers and body', async () => {
  const answer = (_, response) => response.writeHead(418, { 'Retry-After': '3' }).end('tea');
  const { status, headers, body } = await ask(answer);
  assert.deepEqual([status, headers['retry-after'], body], [418, '3', 'tea']);
});

test('a redirect is an answer', async () => {
  const { status } = await ask((_, response) => response.writeHead(307, { Location: '/elsewhere' }).end());
  assert.equal(status, 307);
});

describe('no answer says why', () => {
  for (const { name, answer, timeout, code, why } of [
    { name: 'none in time', answer: () => {}, timeout: 50, code: 'ETIMEDOUT', why: 'it takes too long' },
    {
      name: 'no end in time',
      answer: (_, response) => response.write('x'),
      timeout: 50,
      code: 'ETIMEDOUT',
      why: 'it takes too long',
    },
    { name: 'hung up', answer: ({ socket }) => socket.destroy(), code: 'ECONNRESET', why: 'socket hang up' },
    {
      name: 'cut off',
      answer: ({ socket }, response) => response.write('x', () => socket.destroy()),
      code: 'ECONNRESET',
      why: 'aborted',
    },
    {
      name: 'without end',
      answer: (_, response) => response.end('x'.repeat(2 << 20)),
      code: undefined,
      why: 'the answer is longer than 1048576 bytes',
    },
  ]) {
    test(name, async () => {
      await assert.rejects(ask(answer, timeout), ({ code: seen, message }) => {
        assert.equal(message.replace(/:\d+: /, ': '), `no answer from 127.0.0.1: ${why}`);
        assert.equal(seen, code);
        return true;
      });
    });
  }
});
