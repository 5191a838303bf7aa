// The table of requests: filtering, sorting, searching, selecting a range, opening a row.
import {after, afterEach, before, beforeEach, test} from 'node:test';
import assert from 'node:assert/strict';
import {expected, go, launch, matches, open} from './browser.mjs';

let browser, page, wrongs, context;
before(async () => {
  browser = await launch();
  ({context, page, wrongs} = await open(browser, 'company.html'));
});
after(() => browser.close());
beforeEach(async () => {
  await go(page, '#/');
  await go(page, '#/requests');
  await matches(page, expected.Total);
});
afterEach(() => assert.deepEqual(wrongs, []));

const cells = column => page.locator(`.grid .rows .cell.${column}`);
const select = (name, value) => page.locator(`select[name=${name}]`).selectOption(value);

test('filters leave the requests that they name', async () => {
  await matches(page, expected.Total);
  await select('role', expected.Role.Name);
  await matches(page, expected.Role.Total);
  await select('outcome', 'refused');
  await matches(page, expected.Role.Refused);
  for (const role of await cells('role').allInnerTexts()) assert.equal(role, expected.Role.Name);
  await page.getByRole('button', {name: 'Clear', exact: true}).click();
  await matches(page, expected.Total);
  await select('repository', expected.Repository.Name);
  await matches(page, expected.Repository.Total);
});

test('a search looks into everything', async t => {
  for (const term of Object.values(expected.Sample)) {
    await page.locator('#search').fill(term);
    const began = performance.now();
    await matches(page, 1);
    t.diagnostic(`found 1 of ${expected.Total} in ${(performance.now() - began).toFixed(0)} ms`);
    await page.locator('#search').fill('');
    await matches(page, expected.Total);
  }
  await page.locator('#search').fill('no such thing');
  await matches(page, 0);
});

test('columns sort up and down', async () => {
  const heading = page.getByRole('columnheader', {name: 'Role'});
  for (const [direction, sort] of [['descending', roles => roles.sort().reverse()], ['ascending', roles => roles.sort()]]) {
    await heading.getByRole('button').click();
    await page.waitForFunction(direction => document.querySelector('[data-column=role]').getAttribute('aria-sort') === direction, direction);
    const roles = await cells('role').allInnerTexts();
    assert.ok(roles.length > 10);
    assert.deepEqual(roles, sort([...roles]));
  }
});

test('few of the rows are in the page, wherever it is scrolled to', async () => {
  const grid = page.getByRole('grid');
  assert.equal(await grid.getAttribute('aria-rowcount'), String(expected.Total + 1));
  for (const part of [0, 0.5, 1]) {
    await grid.evaluate((grid, part) => { grid.scrollTop = part * grid.scrollHeight; }, part);
    await page.waitForTimeout(100);
    const drawn = await page.locator('.grid .rows .row').count();
    assert.ok(drawn > 10 && drawn < 100, `${drawn} rows are drawn`);
  }
  assert.equal(await page.locator('.grid .rows .row').last().getAttribute('aria-rowindex'), String(expected.Total + 1));
});

test('dragging over the timeline selects a range, which can be zoomed and cleared', async () => {
  const box = await page.locator('.plot svg').boundingBox();
  await page.mouse.move(box.x + box.width * 0.3, box.y + 60);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + 60, {steps: 5});
  await page.mouse.up();
  await page.waitForFunction(() => location.hash.includes('from='));
  const [from, to] = await page.evaluate(() => ['from', 'to'].map(name => Number(new URLSearchParams(location.hash.split('?')[1]).get(name))));
  assert.ok(from < to);
  for (const time of await page.locator('.grid .cell.time time').evaluateAll(all => all.map(time => Date.parse(time.dateTime)))) {
    assert.ok(time >= from && time < to);
  }
  const bars = await page.locator('.bar').count();
  await page.getByRole('button', {name: 'Zoom in'}).click();
  assert.equal(await page.locator('[data-edge=from]').getAttribute('aria-valuenow'), String(from));
  assert.notEqual(await page.locator('.bar').count(), bars);
  await page.getByRole('button', {name: 'Zoom out'}).click();
  await page.getByRole('button', {name: 'Clear range'}).click();
  await matches(page, expected.Total);
});

test('a range in the address leaves the requests of it', async () => {
  const from = Date.UTC(2026, 2, 4), to = Date.UTC(2026, 2, 5);
  await page.evaluate(hash => { location.hash = hash; }, `#/requests?from=${from}&to=${to}`);
  await matches(page, expected.Day);
});

test('a row opens with everything that is known', async () => {
  const {RequestID, HashedToken, RunID, LeaseID} = expected.Sample;
  await page.locator('#search').fill(RequestID);
  await matches(page, 1);
  await page.locator('.grid .rows .row').click();
  const detail = await page.locator('dialog.drawer').innerText();
  for (const known of [RequestID, HashedToken, RunID, LeaseID, 'Claims at login', 'hashed by Vault']) assert.ok(detail.includes(known), `no ${known}`);
  await page.keyboard.press('Escape');
  await page.locator('dialog.drawer').waitFor({state: 'hidden'});
});
