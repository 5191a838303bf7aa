// Opens reports in Chromium, and notes whatever a report must never do.
import {chromium} from 'playwright-core';
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import path from 'node:path';
import {pathToFileURL} from 'node:url';

const ARGUMENTS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];

const inReports = name => path.join(process.env.REPORTS, name);
const addressOf = name => pathToFileURL(inReports(name)).href;

// expected is what Go counted in the company's accounts.
export const expected = JSON.parse(readFileSync(inReports('expect.json'), 'utf8'));
export const screenshot = name => inReports(`${name}.png`);

export const launch = () => chromium.launch({executablePath: process.env.CHROMIUM, args: ARGUMENTS});

// open opens a report. wrongs gathers errors, dialogs, violations of the report's policy and
// requests for anything but the report itself.
export async function open(browser, name, {hash = '', shows = 'h1', ...options} = {}) {
  const context = await browser.newContext({viewport: {width: 1440, height: 900}, ...options});
  const page = await context.newPage();
  const wrongs = [];
  page.on('console', message => wrongs.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', error => wrongs.push(`error: ${error.message}`));
  page.on('dialog', dialog => { wrongs.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on('request', request => { if (request.url().split('#')[0] !== addressOf(name)) wrongs.push(`request: ${request.url()}`); });
  await context.addInitScript(() => addEventListener('securitypolicyviolation', event => console.error(`violation: ${event.violatedDirective}`)));
  const began = performance.now();
  await page.goto(addressOf(name) + hash);
  await page.waitForSelector(shows, {timeout: 120_000});
  return {context, page, wrongs, loaded: performance.now() - began};
}

// go shows another page of the report.
export async function go(page, hash) {
  if (await page.evaluate(() => location.hash) === hash) return;
  const heading = await page.locator('h1').elementHandle();
  await page.evaluate(hash => { location.hash = hash; }, hash);
  await page.waitForFunction(heading => !heading.isConnected || location.hash.startsWith('#/requests'), heading);
}

// numberOf is the first number of an element's text.
export const numberOf = async locator => Number((await locator.innerText()).replaceAll(',', '').match(/\d+/)[0]);

// matches waits until the table tells so many requests.
export async function matches(page, n) {
  const told = page.locator('.matches');
  const wanted = new RegExp(`^${n.toLocaleString('en')} (of|request)`);
  for (const deadline = Date.now() + 15_000; Date.now() < deadline; await page.waitForTimeout(20)) {
    if (wanted.test(await told.innerText())) return;
  }
  assert.match(await told.innerText(), wanted);
}
