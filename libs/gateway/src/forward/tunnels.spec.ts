import { afterEach, describe, expect, test } from '@jest/globals';
import { VirtualTime } from '@mesh/resilience/testing';
import { once } from 'node:events';
import { duplexPair, type Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import type { AddressInfo } from 'node:net';
import { cleanUp, cleanups, eventually, gateway, turn } from '../testing/raw-http.ts';
import { tunnel } from '../testing/tunnel.ts';
import { Tunnels } from './tunnels.ts';
import { Watch } from './watch.ts';

afterEach(cleanUp);

const bye = '\x88\x02\x03\xe9';

/** What an instance has read behind the head of the handshake, with its last frame unmasked. */
function read(received: string): string {
  const bytes = Buffer.from(received.slice(received.indexOf('\r\n\r\n') + 4), 'latin1');
  const at = bytes.length - 8;
  if (bytes[at] === 0x88 && bytes[at + 1] === 0x82) {
    const payload = [6, 7].map((index) => (bytes[at + index] ?? 0) ^ (bytes[at + index - 4] ?? 0));
    return `${bytes.subarray(0, at).toString('latin1')}masked ${payload.join()}`;
  }
  return bytes.toString('latin1');
}

/** What a client has read behind the head of the answer. */
const behindHead = (text: string): string => text.slice(text.indexOf('\r\n\r\n') + 4);

const masked1001 = 'masked 3,233';

describe('a gateway that closes', () => {
  test('tells both sides 1001, each as its peer has to, and waits for them', async () => {
    const { near, far, up, close } = await tunnel();
    far.write('\x81\x02up', 'latin1');
    near.socket.write('\x81\x80\x00\x00\x00\x00', 'latin1');
    await near.until(/\x81\x02up$/);
    await eventually(() => up.received().endsWith('\x00'));
    far.on('end', () => far.end());
    const closing = close();
    expect(behindHead(await near.closed)).toBe(`\x81\x02up${bye}`);
    await closing;
    expect(read(up.received())).toBe(`\x81\x80\x00\x00\x00\x00${masked1001}`);
  });

  test('lets the frame end that is under way, and nothing follow it', async () => {
    const { near, far, up, close } = await tunnel({ tunnelGraceMs: 20_000 });
    near.socket.allowHalfOpen = true;
    far.write('\x81\x0ahalf ', 'latin1');
    await near.until(/half $/);
    const closing = close();
    // The other direction stands between two frames, so its last one goes out at once.
    await eventually(() => read(up.received()) === masked1001);
    expect(behindHead(near.text())).toBe('\x81\x0ahalf ');
    far.write('dozen\x81\x02no', 'latin1');
    await near.until(/\x88\x02/);
    near.socket.end('\x88\x80\x00\x00\x00\x00', 'latin1');
    far.end('\x81\x02no', 'latin1');
    expect(behindHead(await near.closed)).toBe(`\x81\x0ahalf dozen${bye}`);
    await closing;
    expect(read(up.received())).toBe(masked1001);
  });

  test('cuts off in the middle of a frame what does not end in time', async () => {
    const { near, far, close } = await tunnel({ tunnelGraceMs: 30 });
    far.write('\x81\x0ahalf ', 'latin1');
    await near.until(/half $/);
    await close();
    expect(behindHead(await near.closed)).toBe('\x81\x0ahalf ');
  });

  test('adds nothing to a Close frame that has passed', async () => {
    const { near, far, up, close } = await tunnel();
    near.socket.allowHalfOpen = true;
    near.socket.write('\x88\x82\x00\x00\x00\x00\x03\xe8', 'latin1');
    await eventually(() => up.received().endsWith('\x03\xe8'));
    far.on('end', () => far.end());
    const closing = close();
    await near.until(/\x88\x02\x03\xe9$/);
    near.socket.end();
    await closing;
    expect(up.received()).toMatch(/\x88\x82\x00\x00\x00\x00\x03\xe8$/);
  });

  test('is understood by both sides of a WebSocket', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    cleanups.push(() => {
      server.close();
    });
    const codes: number[] = [];
    server.on('connection', (socket) => socket.on('close', (code) => codes.push(code)));
    const port = await gateway({ a: (server.address() as AddressInfo).port }, { tunnelGraceMs: 20_000 });
    const close = cleanups.at(-1) as () => Promise<void>;
    const socket = new WebSocket(`ws://127.0.0.1:${port}/api/a/chat`);
    await once(socket, 'open');
    const closed = once(socket, 'close');
    // No grace of 20 s is needed: both sides end by themselves.
    await Promise.all([close(), closed.then(([code]: unknown[]) => codes.push(code as number))]);
    await eventually(() => codes.length === 2);
    expect(codes).toEqual([1001, 1001]);
  });
});

describe('many tunnels', () => {
  /** So many tunnels between streams in memory; what each client has read, in order. */
  function many(count: number, time: VirtualTime, options: object) {
    const watch = new Watch({ timers: { setInterval: () => ({}), clearInterval: () => undefined } });
    const tunnels = new Tunnels(watch, options, time);
    const sides: Duplex[] = [];
    const told: number[] = [];
    for (let at = 0; at < count; at++) {
      const [client, clientSide] = duplexPair();
      const [instance, instanceSide] = duplexPair();
      sides.push(client, instance);
      client.on('data', () => told.push(at));
      instance.resume();
      tunnels.join(clientSide, instanceSide, () => undefined);
    }
    return { tunnels, told, sides };
  }

  test('are told one after the other, and cut off when their grace is over', async () => {
    const time = new VirtualTime();
    const { tunnels, told, sides } = many(100, time, { tunnelCloseMs: 200, tunnelGraceMs: 1_000 });
    tunnels.close();
    tunnels.close();
    expect(tunnels.hasRoom).toBe(false);
    await turn();
    expect(told).toEqual([0, 1, 2, 3, 4]);
    await time.advance(190);
    await turn();
    expect(told).toHaveLength(100);
    await time.advance(809);
    await turn();
    expect(tunnels.size).toBe(100);
    await time.advance(1);
    await turn();
    expect(tunnels.size).toBe(95);
    await time.advance(190);
    await turn();
    expect(tunnels.size).toBe(0);
    expect(time.pending).toBe(0);
    for (const side of sides) side.destroy();
  });

  test('that end by themselves leave no timer behind', async () => {
    const time = new VirtualTime();
    const { tunnels, sides } = many(100, time, { tunnelCloseMs: 200 });
    tunnels.close();
    for (const side of sides) side.end();
    for (let rounds = 0; rounds < 5; rounds++) await turn();
    expect(tunnels.size).toBe(0);
    expect(time.pending).toBe(0);
  });

  test('one that is joined while they close is told at once', async () => {
    const time = new VirtualTime();
    const { tunnels, sides } = many(0, time, {});
    tunnels.close();
    const [client, clientSide] = duplexPair();
    const [instance, instanceSide] = duplexPair();
    tunnels.join(clientSide, instanceSide, () => undefined);
    const [frame] = (await once(client, 'data')) as [Buffer];
    expect(frame.toString('latin1')).toBe(bye);
    await time.advance(1_000);
    await turn();
    expect(tunnels.size).toBe(0);
    for (const side of [...sides, client, instance]) side.destroy();
  });
});
