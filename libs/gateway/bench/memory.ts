/** Memory of a proxy while something goes on, and what many silent connections cost it. */
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Contender } from './contender.ts';

export const rssMB = async (contender: Contender): Promise<number> =>
  (await contender.usage()).rssBytes / 1e6;

/** The highest memory of a proxy while something goes on, in MB. */
export async function peakMB(contender: Contender, work: () => Promise<unknown>): Promise<number> {
  let highest = await rssMB(contender);
  const state = { running: true };
  const watching = (async () => {
    while (state.running) {
      highest = Math.max(highest, await rssMB(contender));
      await pause(100);
    }
  })();
  await work();
  state.running = false;
  await watching;
  return highest;
}

const target = (url: string) => {
  const { hostname, port, pathname, host } = new URL(url);
  return { hostname, port: Number(port), head: `GET ${pathname} HTTP/1.1\r\nhost: ${host}\r\n\r\n` };
};

/** Clients that ask for a large body and do not read it. */
export async function notReading(url: string, clients: number, ms: number): Promise<void> {
  const { hostname, port, head } = target(url);
  const sockets = Array.from({ length: clients }, () => connect(port, hostname));
  for (const socket of sockets) {
    socket.on('error', () => undefined);
    socket.pause();
    socket.write(head);
  }
  await pause(ms);
  for (const socket of sockets) socket.destroy();
}

/** Opens connections that each had one answer and then keep silent; they stay open until the returned function is called. */
export async function keepIdle(url: string, count: number): Promise<{ held: number; release: () => void }> {
  const { hostname, port, head } = target(url);
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const wave = Array.from({ length: Math.min(250, count - sockets.length) }, () =>
      answered(port, hostname, head),
    );
    const opened = (await Promise.all(wave)).filter((socket) => socket !== undefined);
    if (opened.length === 0) break;
    sockets.push(...opened);
  }
  return {
    held: sockets.length,
    release: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

function answered(port: number, hostname: string, head: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, hostname);
    socket.write(head);
    socket.once('data', () => {
      socket.resume();
      resolve(socket);
    });
    socket.on('error', () => {
      resolve(undefined);
    });
  });
}
