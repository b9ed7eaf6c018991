import { connect } from 'node:net';
import type { Reacher } from '../held-check.ts';

/** Milliseconds until silence is silence. */
const timeoutMs = 500;

/** Connects by TCP, and closes again. Does not keep the process alive. */
export const reachAddress: Reacher = (host, port) =>
  new Promise((resolve) => {
    const socket = connect({ host, port, timeout: timeoutMs });
    socket.unref();
    socket.once('connect', () => {
      socket.destroy();
      resolve('answered');
    });
    socket.once('timeout', () => {
      socket.destroy();
      resolve('silent');
    });
    socket.once('error', ({ code }: NodeJS.ErrnoException) => {
      resolve(code === 'ECONNREFUSED' ? 'refused' : 'silent');
    });
  });
