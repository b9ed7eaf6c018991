import { expect, test } from '@jest/globals';
import { connect } from 'node:net';
import { eventually } from './eventually.ts';
import { get } from './http.ts';
import { startMesh, type RunningMesh } from './running-mesh.ts';

const alive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

const listening = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const tell = (answer: boolean) => () => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', tell(true)).once('error', tell(false));
  });

async function expectNothingLeft(mesh: RunningMesh): Promise<void> {
  const all = mesh.all();
  expect(all).toHaveLength(8);
  await eventually(async () => {
    expect(all.filter(({ pid }) => alive(pid)).map(({ instance }) => instance)).toEqual([]);
    expect((await Promise.all(all.map(({ port }) => listening(port)))).some(Boolean)).toBe(false);
  });
}

test('starts 8 processes, and Ctrl+C leaves no process and no port behind', async () => {
  const mesh = await startMesh();
  console.info(`npm start to ready: ${(mesh.readyMs / 1000).toFixed(2)} s`);
  expect((await get(`${mesh.url('api-gateway')}/users`)).status).toBe(200);
  const code = await mesh.stop();
  expect(code).toBe(0);
  await expectNothingLeft(mesh);
});

test('when the orchestrator itself is killed, the services leave by themselves', async () => {
  const mesh = await startMesh();
  await mesh.kill();
  await expectNothingLeft(mesh);
});

test('a request in flight ends well while its service leaves', async () => {
  const mesh = await startMesh();
  try {
    const answers = Array.from({ length: 40 }, () => get(`${mesh.url('api-gateway')}/users-with-orders`));
    await mesh.restart(mesh.instances('user-service')[0]?.instance ?? '');
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(Array<number>(40).fill(200));
  } finally {
    await mesh.stop();
  }
});
