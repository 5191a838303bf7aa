import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { Runner } from '../src/runner.js';

function printed(use) {
  const lines = [];
  use(new Runner({}, (line) => lines.push(line)));
  return lines;
}

test('commands are escaped, so that a text cannot end one and begin another', () => {
  const text = '50%\r\n::set-env::x';
  assert.deepEqual(printed((runner) => runner.mask(text)), ['::add-mask::50%25%0D%0A::set-env::x']);
  assert.deepEqual(printed((runner) => runner.error('a: b, c', text)), [
    '::error title=a%3A b%2C c::50%25%0D%0A::set-env::x',
  ]);
  assert.deepEqual(printed((runner) => runner.info(text)), ['50% ::set-env::x']);
});

test('a value cannot set another', () => {
  const directory = mkdtempSync(join(tmpdir(), 'runner-'));
  try {
    const file = join(directory, 'output');
    writeFileSync(file, '');
    new Runner({ GITHUB_OUTPUT: file }, assert.fail).setOutput('scope', 'a\nEOF\ntoken=b');
    const [, delimiter, value] = /^scope<<(.+)\n([^]*)\n\1\n$/.exec(readFileSync(file, 'utf8'));
    assert.equal(value, 'a\nEOF\ntoken=b');
    assert.match(delimiter, /^[0-9a-f-]{36}$/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('outside of GitHub Actions it says so', () => {
  assert.throws(() => new Runner({}, assert.fail).setOutput('token', 'x'), /did not set GITHUB_OUTPUT/);
});
