// Opens reports in Chromium, and notes whatever a report must never do.
import {chromium} from 'playwright-core';
import {pathToFileURL} from 'node:url';
import path from 'node:path';

const ARGUMENTS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];

export const launch = () => chromium.launch({executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ARGUMENTS});

export const reportURL = (name, hash = '') => pathToFileURL(path.join(process.env.REPORTS, name)) + hash;

// open opens a report. wrongs gathers errors, violations of the policy and requests.
export async function open(browser, name, {hash = '', ...options} = {}) {
  const context = await browser.newContext({viewport: {width: 1440, height: 900}, ...options});
  const page = await context.newPage();
  const wrongs = [];
  page.on('console', message => { if (message.type() !== 'log') wrongs.push(`${message.type()}: ${message.text()}`); });
  page.on('pageerror', error => wrongs.push(`error: ${error.message}`));
  page.on('dialog', dialog => { wrongs.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on('request', request => { if (request.url() !== reportURL(name)) wrongs.push(`request: ${request.url()}`); });
  await context.addInitScript(() => addEventListener('securitypolicyviolation', event => console.error(`violation: ${event.violatedDirective} ${event.blockedURI}`)));
  const began = performance.now();
  await page.goto(reportURL(name, hash));
  await page.waitForSelector('h1', {timeout: 60_000});
  return {context, page, wrongs, loaded: performance.now() - began};
}
