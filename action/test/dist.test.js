import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { build } from 'esbuild';

import { options } from '../build.js';

test('dist/ is what src/ builds: make action', async () => {
  const { outputFiles } = await build({ ...options, write: false });
  const dist = join(options.absWorkingDir, options.outdir);
  const committed = (await readdir(dist)).map((name) => join(dist, name));
  assert.deepEqual(committed.sort(), outputFiles.map((file) => file.path).sort());
  for (const { path, text } of outputFiles) {
    assert.ok((await readFile(path, 'utf8')) === text, `${path} is not current; run make action`);
  }
});
