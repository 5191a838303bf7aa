// axe-core finds nothing against the WCAG, on any page, light or dark, wide or narrow.
import {after, before, test} from 'node:test';
import assert from 'node:assert/strict';
import axe from 'axe-core';
import {expected, go, launch, open} from './browser.mjs';

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

const PAGES = ['#/', '#/requests', '#/roles', '#/repos', '#/role/api-release', '#/repo/acme/api-service-0', '#/findings', '#/uses',
  `#/requests?request=${expected.Sample.RequestID}`];

for (const [look, options] of Object.entries({
  light: {colorScheme: 'light'}, dark: {colorScheme: 'dark'}, phone: {viewport: {width: 390, height: 844}},
})) {
  test(`no violation: ${look}`, async () => {
    const {context, page} = await open(browser, 'company.html', {reducedMotion: 'reduce', ...options});
    await page.evaluate(axe.source);
    for (const hash of PAGES) {
      await go(page, hash);
      const {violations, passes} = await page.evaluate(() => window.axe.run());
      assert.ok(passes.length > 10, `axe checked little of ${hash}`);
      assert.deepEqual(violations.map(({id, impact, nodes}) => `${hash} ${id} (${impact}): ${nodes.slice(0, 3).map(node => node.html.slice(0, 160)).join(' ')}`), []);
    }
    await context.close();
  });
}
