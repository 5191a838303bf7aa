import {after, before, test} from 'node:test';
import assert from 'node:assert/strict';
import {launch, open} from './browser.mjs';

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

test('100,000 issuances load, with no error and no request', async t => {
  const {page, wrongs, loaded} = await open(browser, 'company.html');
  t.diagnostic(`loaded in ${(loaded / 1000).toFixed(2)} s`);
  assert.deepEqual(wrongs, []);
});
