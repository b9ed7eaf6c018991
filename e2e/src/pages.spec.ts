import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, Page } from 'playwright-core';
import { describeInBrowser, launchBrowser } from './browser.ts';
import { startMesh, type RunningMesh } from './running-mesh.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

describeInBrowser('the pages', () => {
  let mesh: RunningMesh;
  let browser: Browser;

  beforeAll(async () => {
    mesh = await startMesh();
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser.close();
    await mesh.stop();
  });

  async function open(url: string, width = 1200): Promise<{ page: Page; faults: string[] }> {
    // The policy refuses inline scripts, so axe comes in past it.
    const context = await browser.newContext({ viewport: { width, height: 900 }, bypassCSP: true });
    const page = await context.newPage();
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
    await page.goto(url);
    return { page, faults };
  }

  async function violations(page: Page): Promise<unknown[]> {
    await page.evaluate(axe);
    return page.evaluate(async () => {
      // @ts-expect-error -- axe was injected above; the browser's globals are not this program's
      const found = await axe.run(document);
      return found.violations.map(({ id, nodes }: { id: string; nodes: { html: string }[] }) => [
        id,
        nodes.map(({ html }) => html),
      ]);
    });
  }

  test.each([1200, 320])('the gateway page shows its four sections (%i px wide)', async (width) => {
    const { page, faults } = await open(`${mesh.url('api-gateway')}/`, width);
    await page.waitForSelector('#users tbody tr');
    await page.waitForSelector('#combined tbody tr');
    await page.waitForSelector('#health table');
    expect(await page.locator('#users tbody tr').count()).toBe(3);
    await page.fill('#user-id', '2');
    await page.click('#orders button');
    await page.waitForSelector('#orders tbody >> text=Product C');
    expect(await violations(page)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth)).toBe(true);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('7 and 8: health refreshes by itself, at the rate of the slider', async () => {
    const { page } = await open(`${mesh.url('api-gateway')}/`);
    const asked: number[] = [];
    page.on('request', (request) => request.url().endsWith('/health') && asked.push(Date.now()));
    await page.locator('#rate').fill('1');
    await page.check('#auto');
    await expect(page.locator('#rate-text').textContent()).resolves.toBe('1');
    const before = asked.length;
    while (asked.length < before + 3)
      await page.waitForRequest((request) => request.url().endsWith('/health'));
    const [first = 0, second = 0] = asked.slice(before);
    expect(second - first).toBeGreaterThan(500);
    expect(await page.locator('#discovery').getAttribute('href')).toBe(mesh.url('discovery'));
    await page.context().close();
  });

  test('the discovery page lists the living, registers and removes', async () => {
    const { page, faults } = await open(`${mesh.url('discovery')}/`);
    await page.waitForSelector('text=user-service-');
    expect(await page.locator('#counts').textContent()).toMatch(/^3 services, 7 instances, up since /);
    await page.fill('input[name=name]', 'by-hand');
    await page.fill('input[name=port]', '4998');
    await page.click('#register button');
    await page.waitForSelector('h3 >> text=by-hand');
    expect(await violations(page)).toEqual([]);
    await page.click('button[aria-label="Remove 127.0.0.1:4998"]');
    await page.waitForSelector('h3 >> text=by-hand', { state: 'detached' });
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('the API documentation opens', async () => {
    const { page, faults } = await open(`${mesh.url('user-service')}/docs/`);
    await page.waitForSelector('text=User service');
    expect(faults).toEqual([]);
    await page.context().close();
  });
});
