import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { describeInBrowser, launchBrowser } from './browser.ts';

const suites = ['circuitBreakerSmoke', 'resilienceSmoke'] as const;

/** The smoke suites and the libraries in one script, as a page would bundle them. */
async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, 'in-browser', 'index.ts')],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'smoke',
    platform: 'browser',
    target: 'es2022',
    conditions: ['@mesh/source'],
    logLevel: 'silent',
  });
  return outputFiles[0]?.text ?? '';
}

describeInBrowser('the libraries', () => {
  let browser: Browser;
  let server: Server;
  let script: string;

  beforeAll(async () => {
    script = await bundle();
    // Answers everything but the page never.
    server = createServer((request, response) => {
      if (request.url === '/') response.setHeader('content-type', 'text/html').end('<title>smoke</title>');
    }).listen(0, '127.0.0.1');
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser.close();
    server.closeAllConnections();
    server.close();
  });

  test.each(suites)('%s', async (suite) => {
    const page = await browser.newPage();
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(error.message));
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await page.addScriptTag({ content: script });
    const seen = await page.evaluate<string[]>(`smoke.run('${suite}')`);
    expect(seen.length).toBeGreaterThan(5);
    expect(faults).toEqual([]);
    await page.close();
  });
});
