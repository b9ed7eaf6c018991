import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { verifyWebhook, type Notice } from '@mesh/health-monitor';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { call, get } from './http.ts';
import { startMesh, type RunningMesh } from './running-mesh.ts';

const secret = 'known to both';
const token = 'a-token-for-the-control-routes';
const authorization = { authorization: `Bearer ${token}` };

/** Who is told. */
/** By id: who is killed between telling and noting that he told tells again. */
const notices = new Map<string, Notice>();
const receiver = createServer((request, response) => {
  void (async () => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const signature = String(request.headers['x-mesh-signature']);
    if (await verifyWebhook({ secret, body, signature })) {
      const notice = JSON.parse(body) as Notice;
      notices.set(notice.id, notice);
    }
    response.writeHead(204).end();
  })();
});
const heard = (): string[] =>
  [...notices.values()].flatMap(({ items }) =>
    items.map(({ kind, alert }) => `${kind} ${alert.rule} ${alert.service}`),
  );

let mesh: RunningMesh;
let user: ChildProcess;
let port = 0;

beforeAll(async () => {
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const settings = {
    MESH_TOKEN: token,
    HEALTH_CHECK_INTERVAL_MS: '1000',
    ALERT_GROUP_WAIT_MS: '0',
    ALERT_WEBHOOK_URL: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`,
    ALERT_WEBHOOK_SECRET: secret,
  };
  mesh = await startMesh(settings, '--only', 'discovery');
  await startUser();
});
afterAll(async () => {
  await killUser();
  await mesh.stop();
  receiver.close();
  receiver.closeAllConnections();
});

/** A service in a terminal of its own: nobody starts it again after a kill. */
async function startUser(): Promise<void> {
  user = spawn(process.execPath, ['--conditions=@mesh/source', 'apps/user/src/main.ts'], {
    cwd: join(import.meta.dirname, '../..'),
    stdio: 'ignore',
    env: {
      ...process.env,
      NODE_OPTIONS: '',
      PORT: String(port),
      MESH_TOKEN: token,
      DISCOVERY_URL: mesh.url('discovery'),
      DATABASE_URL: 'sqlite::memory:',
    },
  });
  await eventually(async () => {
    const [service] = (await get(`${mesh.url('discovery')}/health/services`)).body.services;
    expect(service.instances[0].status).toBe('up');
    port = Number(service.instances[0].id.split('-').at(-1));
  });
}

async function killUser(): Promise<void> {
  if (user.exitCode !== null || user.signalCode !== null) return;
  user.kill('SIGKILL');
  await once(user, 'exit');
}

test('kill -9: an alert fires, is acknowledged over HTTP, and is resolved with its downtime after the restart', async () => {
  const discovery = mesh.url('discovery');
  await killUser();
  const killedAt = performance.now();
  const alert = await eventually(async () => {
    const [first] = (await get(`${discovery}/alerts`)).body.alerts;
    expect(first).toMatchObject({ rule: 'down', state: 'firing', severity: 'critical' });
    return first;
  });
  const detectedMs = performance.now() - killedAt;
  console.info(`kill -9 to a firing alert: ${Math.round(detectedMs)} ms`);
  // Three checks a second apart, and what asking for it took.
  expect(detectedMs).toBeLessThan(3500);

  const url = `${discovery}/alerts/${encodeURIComponent(alert.id)}/acknowledge`;
  expect((await call('POST', url, { by: 'ann' })).status).toBe(401);
  const taken = await call('POST', url, { by: 'ann', note: 'starting it again' }, authorization);
  expect(taken.body).toMatchObject({ state: 'acknowledged', acknowledgement: { by: 'ann' } });
  await eventually(() => {
    expect(heard()).toEqual(['firing down user-service', 'acknowledged down user-service']);
    return Promise.resolve();
  });

  // Discovery itself is killed and comes back: it knows the alert from its file.
  process.kill(mesh.instances('discovery')[0]?.pid ?? 0, 'SIGKILL');
  await eventually(async () => {
    const { alerts } = (await get(`${discovery}/alerts`)).body;
    expect(alerts).toMatchObject([{ id: alert.id, state: 'acknowledged' }]);
  });

  await startUser();
  await eventually(async () => {
    expect((await get(`${discovery}/alerts`)).body).toMatchObject({
      alerts: [],
      resolved: [{ id: alert.id }],
    });
  });
  await eventually(() => {
    expect(heard().at(-1)).toBe('resolved down user-service');
    return Promise.resolve();
  });
  const last = [...notices.values()].at(-1);
  const [item] = last?.items ?? [];
  const downMs = performance.now() - killedAt;
  expect(item?.kind === 'resolved' && item.alert.downtimeMs).toBeLessThan(downMs);
  expect(item?.kind === 'resolved' && item.alert.downtimeMs).toBeGreaterThan(downMs - 8000);
  expect(last?.title).toMatch(/^resolved: down of user-service:user-service-\d+ after \d/);
  expect(heard()).toHaveLength(3);
});
