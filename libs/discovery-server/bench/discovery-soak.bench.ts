/** Watches and sessions that come and go, many thousand times: heap and sockets must come back to where they were. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { figure } from '../../../tools/contest.mts';

/** About 4 000 a second. */
const cycles = 100_000;
const atOnce = 50;

const server = fork(join(import.meta.dirname, 'server-process.mts'), {
  execArgv: ['--conditions=@mesh/source', '--expose-gc'],
});
const [{ port }] = (await once(server, 'message')) as [{ port: number }];

async function heapBytes(): Promise<number> {
  // Twice: what ends with the first look is gone at the second.
  let heap = 0;
  for (let look = 0; look < 2; look++) {
    server.send('heap');
    [{ heap }] = (await once(server, 'message')) as [{ heap: number }];
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return heap;
}

const descriptors = (): number => readdirSync(`/proc/${String(server.pid)}/fd`).length;

const watchOf = (at: number): string =>
  `GET /watch${at % 2 === 0 ? '' : `?services=list-service,s${at % 1000}`} HTTP/1.1\r\nhost: localhost\r\n\r\n`;

/** Opens a watch, and breaks it off: before the answer, at its first byte, by a reset or by an end. */
function cycle(at: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(watchOf(at)));
    socket
      .on('error', () => undefined)
      .on('close', () => {
        resolve();
      });
    const leave = (): void => {
      if (at % 3 === 0) socket.resetAndDestroy();
      else socket.destroy();
    };
    if (at % 5 === 0) socket.once('connect', leave);
    else socket.once('data', leave);
  });
}

async function run(count: number): Promise<void> {
  let at = 0;
  const work = async (): Promise<void> => {
    while (at < count) await cycle(at++);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}

await run(2000);
const [heapBefore, descriptorsBefore] = [await heapBytes(), descriptors()];
const begin = performance.now();
await run(cycles);
const seconds = (performance.now() - begin) / 1000;
await new Promise((resolve) => setTimeout(resolve, 500));
console.log(`\n${cycles} watches that came and went, ${(cycles / seconds).toFixed(0)} a second`);
figure('heap that stays (MB)', ((await heapBytes()) - heapBefore) / 1e6, 3);
figure('descriptors that stay', descriptors() - descriptorsBefore, 0);
server.disconnect();
