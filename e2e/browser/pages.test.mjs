// The pages of roles, repositories and findings; light and dark.
import {after, afterEach, before, beforeEach, test} from 'node:test';
import assert from 'node:assert/strict';
import {expected, go, launch, matches, numberOf, open, screenshot} from './browser.mjs';

let browser, page, wrongs, context;
before(async () => {
  browser = await launch();
  ({context, page, wrongs} = await open(browser, 'company.html'));
});
after(() => browser.close());
beforeEach(() => go(page, '#/'));
afterEach(() => assert.deepEqual(wrongs, []));

for (const [title, list, subject] of [['role', '#/roles', expected.Role], ['repository', '#/repos', expected.Repository]]) {
  test(`a ${title} has a page of its own`, async () => {
    await go(page, list);
    await page.locator('#search').fill(subject.Name);
    await page.getByRole('link', {name: subject.Name, exact: true}).click();
    await page.getByRole('heading', {name: subject.Name, level: 1}).waitFor();
    assert.equal(await numberOf(page.locator('.tiles .issued strong')), subject.Issued);
    assert.equal(await numberOf(page.locator('.tiles .refused strong')), subject.Refused);
    assert.ok(await page.locator('table tbody tr').count() >= 2, 'no permissions');
    await page.getByRole('link', {name: /^Show its/}).click();
    await matches(page, subject.Total);
  });
}

test('a finding leads to the row that shows it', async () => {
  await go(page, '#/findings');
  const finding = page.locator('.finding[data-rule=used-after-lease-end]');
  await finding.locator('summary').click();
  await finding.locator('.evidence a').first().click();
  const detail = page.locator('dialog.drawer');
  await detail.getByText('Last use after the end').waitFor();
  await detail.getByRole('link', {name: 'Tokens were used after their lease ended'}).click();
  await page.getByRole('heading', {name: 'Findings', level: 1}).waitFor();
});

test('findings can be chosen by severity, and their proposals copied', async () => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await go(page, '#/findings');
  await page.getByRole('button', {name: 'Medium (1)'}).click();
  assert.equal(await page.locator('.finding').count(), 1);
  await page.getByRole('button', {name: 'Copy the proposal'}).click();
  await page.getByText('Copied', {exact: true}).waitFor();
  const proposal = await page.locator('.proposal pre').innerText();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), proposal);
});

test('a range of the timeline leads to its requests', async () => {
  const start = page.getByRole('slider', {name: 'Start of the range'});
  await start.focus();
  await page.keyboard.press('Shift+ArrowRight');
  const more = page.getByRole('link', {name: /^Show .* of this range$/});
  const n = await numberOf(more);
  assert.ok(n > 0 && n < expected.Total);
  await more.click();
  await matches(page, n);
});

test('uses without a lease are listed', async () => {
  await go(page, '#/uses');
  assert.equal(await page.getByRole('grid').getAttribute('aria-rowcount'), '121');
  assert.ok(await page.getByText('not by Vault').count() > 0);
  await page.locator('.grid .rows .row').first().click();
  assert.match(await page.locator('dialog[open]').innerText(), /Hashed token/);
  await page.keyboard.press('Escape');
});

test('light and dark follow the system until they are chosen', async () => {
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.emulateMedia({colorScheme: 'light'});
  const light = await ground();
  await page.emulateMedia({colorScheme: 'dark'});
  const dark = await ground();
  assert.notEqual(light, dark);
  await page.getByRole('button', {name: 'Light or dark'}).click();
  assert.equal(await ground(), light);
});

const LOOKS = {
  light: {colorScheme: 'light'},
  dark: {colorScheme: 'dark'},
  phone: {colorScheme: 'light', viewport: {width: 390, height: 844}, deviceScaleFactor: 2},
};
for (const [look, options] of Object.entries(LOOKS)) {
  test(`nothing is wider than the screen: ${look}`, async () => {
    const {context, page} = await open(browser, 'company.html', options);
    const pages = {overview: '#/', requests: '#/requests', roles: '#/roles', role: '#/role/api-release', findings: '#/findings', uses: '#/uses',
      request: `#/requests?request=${expected.Sample.RequestID}`};
    for (const [name, hash] of Object.entries(pages)) {
      await go(page, hash);
      await page.waitForTimeout(300); // for the drawer to have arrived
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} is too wide`);
      await page.screenshot({path: screenshot(`${look}-${name}`)});
    }
    await context.close();
  });
}
