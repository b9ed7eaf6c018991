import { connect } from 'node:net';
import { mayConnect, probeLookup } from './probe-address.ts';

/** What an address says to a connection: nobody listens, somebody does, or nothing comes back. */
export type Reach = 'refused' | 'answered' | 'silent';

/** Where to connect to. */
export interface ReachTarget {
  readonly host: string;
  readonly port: number;
}

/** Tries an address. Never rejects. */
export type Reacher = (target: ReachTarget, timeoutMs: number) => Promise<Reach>;

/**
 * A process that is being killed closes one socket after the other, so a connection may still be taken by the kernel when
 * nobody will ever accept it. It is then reset within moments.
 */
const settleMs = 30;

/** Connects, and looks a second time where the connection breaks at once. */
export const reachAddress: Reacher = async (target, timeoutMs) => {
  const first = await tryOnce(target, timeoutMs);
  if (first !== 'broken') return first;
  const second = await tryOnce(target, timeoutMs);
  return second === 'broken' ? 'answered' : second;
};

/** `broken`: taken, and closed at once by the other side. */
function tryOnce({ host, port }: ReachTarget, timeoutMs: number): Promise<Reach | 'broken'> {
  if (!mayConnect(host)) return Promise.resolve('silent');
  return new Promise((resolve) => {
    const socket = connect({ host, port, lookup: probeLookup });
    let isTaken = false;
    const end = (reach: Reach | 'broken'): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(reach);
    };
    // A timer that is late comes before what the kernel has said meanwhile: that is heard first.
    const endIn = (ms: number, reach: Reach): NodeJS.Timeout =>
      setTimeout(() => setImmediate(end, reach), ms);
    let timer = endIn(timeoutMs, 'silent');
    socket.on('connect', () => {
      isTaken = true;
      clearTimeout(timer);
      timer = endIn(settleMs, 'answered');
    });
    socket.on('end', () => {
      end('broken');
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const isRefused = error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET';
      end(isTaken ? 'broken' : isRefused ? 'refused' : 'silent');
    });
    socket.resume();
  });
}
