// Everything can be done without a mouse.
import {after, before, test} from 'node:test';
import assert from 'node:assert/strict';
import {expected, launch, matches, open} from './browser.mjs';

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

const focused = page => page.evaluate(() => document.activeElement.id || document.activeElement.getAttribute('role') || document.activeElement.textContent);

// tabTo presses Tab until an element has the focus.
async function tabTo(page, selector) {
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press('Tab');
    if (await page.evaluate(selector => document.activeElement.matches(selector), selector)) return;
  }
  assert.fail(`Tab does not reach ${selector}`);
}

test('from the first Tab to a request and back, by keys alone', async () => {
  const {context, page, wrongs} = await open(browser, 'company.html');
  const {keyboard} = page;

  await keyboard.press('Tab');
  assert.equal(await focused(page), 'Skip to content');
  await keyboard.press('Enter');
  assert.equal(await focused(page), 'main');

  await keyboard.press('/');
  assert.equal(await focused(page), 'search');
  await keyboard.type(expected.Role.Name);
  await page.waitForFunction(() => location.hash.includes('q='));
  await keyboard.press('Escape');

  await tabTo(page, 'select[name=outcome]');
  await keyboard.type('refused');
  await matches(page, expected.Role.Refused);
  await tabTo(page, '[data-edge=to]');
  await keyboard.press('Shift+ArrowLeft');
  await page.waitForFunction(() => location.hash.includes('to='));
  await keyboard.press('Delete');
  await matches(page, expected.Role.Refused);

  await tabTo(page, '[role=grid]');
  await keyboard.press('ArrowDown');
  await keyboard.press('PageDown');
  await keyboard.press('End');
  await keyboard.press('ArrowUp');
  const active = page.locator(`#${await page.getByRole('grid').getAttribute('aria-activedescendant')}`);
  assert.equal(await active.getAttribute('aria-rowindex'), String(expected.Role.Refused));
  await keyboard.press('Enter');
  await page.locator('dialog.drawer[open]').waitFor();
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(outline, 'solid', 'what has the focus does not show it');
  await tabTo(page, '.bar button:enabled');
  for (let i = 0; i < 3; i++) {
    const told = await page.locator('#live').textContent();
    await keyboard.press('Enter');
    await page.waitForFunction(told => document.getElementById('live').textContent !== told, told);
    assert.equal(await focused(page), 'Previous', 'the button lost the focus when it was pressed');
  }
  await keyboard.press('Escape');
  await page.locator('dialog.drawer').waitFor({state: 'hidden'});
  assert.equal(await focused(page), 'grid');

  await keyboard.press('?');
  await page.locator('dialog.help[open]').waitFor();
  await keyboard.press('Escape');
  await keyboard.press('g');
  await keyboard.press('f');
  await page.getByRole('heading', {name: 'Findings', level: 1}).waitFor();
  await keyboard.press('t');
  assert.ok(await page.evaluate(() => document.documentElement.dataset.theme));
  assert.deepEqual(wrongs, []);
  await context.close();
});

test('nothing moves for those who asked for less motion', async () => {
  const {context, page} = await open(browser, 'company.html', {reducedMotion: 'reduce', hash: `#/requests?request=${expected.Sample.RequestID}`});
  await page.locator('dialog.drawer[open]').waitFor();
  assert.deepEqual(await page.evaluate(() => document.getAnimations().length), 0);
  await context.close();
});
