/**
 * Clients that go away, in a process of their own so that nothing else delays them. Told what to leave, it answers with the times at which
 * it did.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { hostMs } from './host-clock.ts';

/** What it is told to do. */
export interface Leaving {
  /** A service, behind a gateway or not. */
  readonly url: string;
  /** The first of `count` requests. */
  readonly from: number;
  readonly count: number;
  /** Clients that leave in the same moment. */
  readonly atOnce: number;
}

/** Request and time, in ms of the host's clock. */
export type Times = readonly (readonly [id: number, ms: number])[];

const body = 'x'.repeat(100_000);

/** Where a request is when its client leaves. */
const stages: readonly ((path: string, id: number) => string)[] = [
  (path, id) => `GET ${path}/never?id=${id} HTTP/1.1\r\nHost: h\r\n\r\n`,
  (path, id) => `GET ${path}/events?id=${id} HTTP/1.1\r\nHost: h\r\n\r\n`,
  (path, id) => `POST ${path}/never?id=${id} HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n${body}`,
  (path, id) =>
    `GET ${path}/socket?id=${id} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n`,
];

function open(url: string, id: number): Socket {
  const { hostname, port, pathname } = new URL(url);
  const path = pathname.replace(/\/$/, '');
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined).resume();
  socket.write(stages[id % stages.length]?.(path, id) ?? '');
  return socket;
}

async function leave({ url, from, count, atOnce }: Leaving): Promise<Times> {
  const times: [number, number][] = [];
  for (let next = from; next < from + count; next += atOnce) {
    const sockets = Array.from({ length: atOnce }, (_, at) => open(url, next + at));
    // Until all of them are where they should be.
    await pause(50 + atOnce);
    sockets.forEach((socket, at) => {
      times.push([next + at, hostMs()]);
      socket.destroy();
    });
    await pause(Math.random() * 20);
  }
  return times;
}

process.on('message', (leaving: Leaving) => {
  void leave(leaving).then((times) => process.send?.(times));
});
process.on('disconnect', () => process.exit());
