import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { dashboard } from '@mesh/dashboard';
import { discoveryServer, Liveness, Registry } from '@mesh/discovery-server';
import { fastify, type FastifyInstance } from 'fastify';
import type { Browser, Page } from 'playwright-core';
import { describeInBrowser, launchBrowser } from './browser.ts';

const services = 1000;
const count = 100_000;

/** Addresses to which the registry never connects. */
const registration = (at: number) => ({
  name: `service-${String(at % services).padStart(4, '0')}`,
  host: `169.254.${(at >> 8) & 255}.${at & 255}`,
  port: 4000 + (at >> 16),
  heartbeatInterval: 3600,
});

describeInBrowser('the page of a registry with 100 000 instances', () => {
  let app: FastifyInstance;
  let registry: Registry;
  let browser: Browser;
  let page: Page;
  const faults: string[] = [];
  let bytes = 0;

  beforeAll(async () => {
    registry = new Registry({ maximumInstances: count + 10 });
    for (let at = 0; at < count; at++) registry.register(registration(at));
    app = fastify({ forceCloseConnections: true });
    const liveness = new Liveness(registry, { probe: false, reach: () => Promise.resolve('silent') });
    await app.register(discoveryServer, { registry, liveness });
    await app.register(dashboard, { folder: new URL('../../apps/discovery/page/', import.meta.url) });
    app.addHook('onSend', (_request, _reply, payload, done) => {
      bytes += typeof payload === 'string' ? payload.length : 0;
      done(null, payload);
    });
    const url = await app.listen({ host: '127.0.0.1', port: 0 });
    browser = await launchBrowser();
    page = await browser.newPage();
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
    await page.goto(url);
    await page.waitForSelector('h3 >> text=service-0000');
  });
  afterAll(async () => {
    await browser.close();
    await app.close();
    registry.close();
    expect(faults).toEqual([]);
  });

  const titles = () => page.locator('#services h3').allTextContents();
  const rows = () => page.locator('#services tbody tr').count();
  const place = () => page.locator('#place').textContent();

  test('it shows a page of it, and has loaded no more than that', async () => {
    expect(await page.locator('#counts').textContent()).toMatch(
      /^1000 services, 100000 instances, up since /,
    );
    expect(await titles()).toHaveLength(10);
    expect(await rows()).toBe(200);
    expect(await place()).toBe('1 to 10 of 1000 services');
    expect(bytes).toBeLessThan(500_000);
  });

  test('pages go forth and back', async () => {
    await page.click('#next');
    await page.waitForSelector('h3 >> text=service-0010');
    expect(await place()).toBe('11 to 20 of 1000 services');
    expect(await page.locator('#previous').isEnabled()).toBe(true);
    await page.click('#previous');
    await page.waitForSelector('h3 >> text=service-0000');
    expect(await page.locator('#previous').isEnabled()).toBe(false);
  });

  test('a service is found by its name, an instance by its address', async () => {
    await page.fill('#find input', 'service-077');
    await page.waitForSelector('h3 >> text=service-0770');
    expect(await titles()).toEqual(Array.from({ length: 10 }, (_, n) => `service-077${n}`));
    await page.fill('#find input', '169.254.3.7:4001');
    await page.waitForSelector('text=1 to 1 of 1 services');
    expect(await rows()).toBe(1);
    await page.fill('#find input', 'nobody');
    await page.waitForSelector('text=Nothing is called nobody.');
    await page.fill('#find input', '');
    await page.waitForSelector('h3 >> text=service-0000');
  });

  test('all instances of a service, which may be many, come in pages, too', async () => {
    for (let at = 0; at < 5; at++)
      registry.register({ ...registration(1), host: '169.254.1.1', port: 5000 + at });
    await page.click('button[aria-label="All of service-0001"]');
    await page.waitForSelector('text=1 to 100 of 105 instances of service-0001');
    expect([await titles(), await rows()]).toEqual([['service-0001'], 100]);
    await page.click('#next');
    await page.waitForSelector('text=101 to 105 of 105 instances of service-0001');
    expect(await rows()).toBe(5);
    await page.click('#back');
    await page.waitForSelector('h3 >> text=service-0000');
  });

  test('what changes on the page is seen at once, what changes elsewhere costs little', async () => {
    const { name, host, port } = registration(0);
    const id = `${host}:${port}`;
    await page.waitForSelector(`button[aria-label="Remove ${id}"]`);
    registry.deregister({ name, host, port });
    await page.waitForSelector(`button[aria-label="Remove ${id}"]`, { state: 'detached' });
    expect(await page.locator('#announcer').textContent()).toBe(`${name}/${id} is gone.`);
    const before = bytes;
    for (let n = 0; n < 200; n++) registry.register({ ...registration(999), weight: 1 + n });
    await page.waitForTimeout(600);
    expect(bytes - before).toBeLessThan(500_000);
  });

  test('the last instance of a service that is shown alone may go', async () => {
    registry.register({ name: 'alone-service', host: '169.254.2.2', port: 6000 });
    await page.fill('#find input', 'alone');
    await page.waitForSelector('h3 >> text=alone-service');
    registry.deregister({ name: 'alone-service', port: 6000 });
    await page.waitForSelector('text=Nothing is called alone.');
  });
});
