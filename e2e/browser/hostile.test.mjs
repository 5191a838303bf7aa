// Text of the logs stays text: the report's every field is an attack.
import {after, before, test} from 'node:test';
import assert from 'node:assert/strict';
import {expected, go, launch, open} from './browser.mjs';

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

// shown is how the report writes a text: what would be invisible is written out.
const shown = text => text.replace(/[\u2028\u2029\u202e\u200b]/g, character => `‹U+${character.codePointAt(0).toString(16).toUpperCase()}›`);

test('attacks in every field are shown, and do nothing', async () => {
  const {context, page, wrongs} = await open(browser, 'hostile.html');
  const unharmed = async where => {
    assert.equal(await page.evaluate(() => window.pwned), undefined, `an attack ran: ${where}`);
    assert.equal(await page.locator('img, iframe, script[src], body svg[onload], main script').count(), 0, `an attack is markup: ${where}`);
    const links = await page.locator('a').evaluateAll(all => all.map(a => a.getAttribute('href')));
    assert.deepEqual(links.filter(link => !link.startsWith('#')), [], `a link leads away: ${where}`);
  };
  for (const hash of ['#/', '#/requests', '#/roles', '#/repos', '#/findings', '#/uses']) {
    await go(page, hash);
    await unharmed(hash);
  }
  for (const attack of expected.Attacks) {
    await go(page, '#/roles');
    await page.locator('main').getByRole('link', {name: shown(attack), exact: true}).click();
    await page.locator('h1', {hasText: shown(attack)}).waitFor();
    await page.mouse.move(200, 300);
    await unharmed(`role ${attack}`);
    await go(page, `#/requests?${new URLSearchParams({request: attack})}`);
    const detail = page.locator('dialog.drawer[open]');
    await detail.waitFor();
    assert.ok((await detail.textContent()).includes(shown(attack)), `the detail does not show ${attack}`);
    await unharmed(`request ${attack}`);
    await page.keyboard.press('Escape');
  }
  assert.deepEqual(wrongs, []);
  await context.close();
});

test('even a mistake in the script could not run what the logs hold', async () => {
  const {context, page} = await open(browser, 'hostile.html');
  const attempts = await page.evaluate(() => {
    const attempt = act => { try { act(); return 'allowed'; } catch (error) { return error.name; } };
    return [
      attempt(() => { document.querySelector('h1').innerHTML = '<img src=x onerror="window.pwned=1">'; }),
      attempt(() => document.write('<script>window.pwned=1</script>')),
      attempt(() => { document.createElement('script').text = 'window.pwned=1'; }),
    ];
  });
  assert.deepEqual(attempts, ['TypeError', 'TypeError', 'TypeError']);
  assert.equal(await page.evaluate(() => fetch('https://example.com/').then(() => 'allowed', () => 'refused')), 'refused');
  await context.close();
});
