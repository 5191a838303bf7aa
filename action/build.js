// Bundles src/ into dist/, which is committed: a runner runs what it checks out.

import { build } from 'esbuild';

/** How dist/ is made; test/dist.test.js holds what is committed to it. */
export const options = {
  absWorkingDir: import.meta.dirname,
  entryPoints: ['src/main.js', 'src/post.js'],
  outdir: 'dist',
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
};

if (process.argv[1] === import.meta.filename) {
  await build(options);
}
