import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

const knock = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });

/** Resolves when something listens at the port; fails after five seconds. */
export async function reachable(port: number): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if (await knock(port)) return;
    await pause(50);
  }
  throw new Error(`nothing listens at port ${port}`);
}
