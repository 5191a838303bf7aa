// A report opens, whole and alone: it asks for nothing, and nothing goes wrong.
import {after, before, test} from 'node:test';
import assert from 'node:assert/strict';
import {expected, go, launch, numberOf, open} from './browser.mjs';

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

const tile = (page, label) => page.locator('.tiles li', {hasText: label}).locator('strong');

test('100,000 issuances load, with no error, no violation of the policy and no request', async t => {
  const {context, page, wrongs, loaded} = await open(browser, 'company.html');
  const protocol = await context.newCDPSession(page);
  await protocol.send('HeapProfiler.collectGarbage');
  const {usedSize} = await protocol.send('Runtime.getHeapUsage');
  t.diagnostic(`loaded in ${(loaded / 1000).toFixed(2)} s; ${(usedSize / 1e6).toFixed(0)} MB of JavaScript heap`);
  for (const hash of ['#/requests', '#/roles', '#/repos', '#/findings', '#/uses', '#/']) await go(page, hash);
  assert.deepEqual(wrongs, []);
  await context.close();
});

test('the overview counts as the logs do', async () => {
  const {context, page} = await open(browser, 'company.html');
  assert.equal(await numberOf(tile(page, 'Issued')), expected.Issued);
  assert.equal(await numberOf(tile(page, 'Refused')), expected.Refused);
  assert.equal(await numberOf(tile(page, 'Unanswered')), expected.Unanswered);
  assert.equal(await numberOf(tile(page, 'Never used')), expected.Unused);
  assert.equal(await numberOf(tile(page, 'Used after the end')), expected.AfterEnd);
  assert.equal(await numberOf(tile(page, 'Findings')), 4);
  await context.close();
});

test('a report of nothing says so', async () => {
  const {context, page, wrongs} = await open(browser, 'empty.html');
  assert.match(await page.locator('main').innerText(), /No request in these logs/);
  for (const hash of ['#/requests', '#/roles', '#/repos', '#/findings', '#/role/none', '#/%zz', '#/constructor']) await go(page, hash);
  assert.deepEqual(wrongs, []);
  await context.close();
});

test('half a report says that it is incomplete', async () => {
  const {context, page} = await open(browser, 'truncated.html', {shows: '#loading'});
  assert.match(await page.locator('main').innerText(), /the file is incomplete/);
  await context.close();
});
