import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { eventually, ok } from '../raw-http.ts';
import { gone, hits, plain, post, type Probe } from './probe.ts';

const busy = 'HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n';
/** Enough of a body that nobody waits for more before it goes on. */
const half = `HTTP/1.1 200 OK\r\nContent-Length: 80000\r\n\r\n${'x'.repeat(40_000)}`;
const someOfIt = /^(?:[^x]*x){20000}/;

/** Answers the first request of a connection, and closes it when the second one comes. */
function stale(): (socket: Socket) => void {
  const seen = new WeakSet<Socket>();
  return (socket) => {
    if (seen.has(socket)) socket.destroy();
    else {
      seen.add(socket);
      socket.write(ok);
    }
  };
}

const refuse = (socket: Socket): void => {
  socket.resetAndDestroy();
};

/** Clients that leave, instances that fail. */
export const failureProbes: readonly Probe[] = [
  {
    name: 'a client that leaves before the head takes its request with it',
    async holds({ up, open }) {
      const { socket } = await open(plain);
      await eventually(() => up.received().includes('\r\n\r\n'));
      socket.destroy();
      await gone(up.connections[0]);
    },
  },
  {
    name: 'a client that leaves in the middle of the body takes its request with it',
    instance: half,
    async holds({ up, open }) {
      const { socket, until } = await open(plain);
      await until(someOfIt);
      socket.destroy();
      await gone(up.connections[0]);
    },
  },
  {
    name: 'refused is 502 or 503',
    async holds({ up, ask }) {
      await up.close();
      assert.match(await ask(), /^HTTP\/1\.1 50[23] /);
    },
  },
  {
    name: 'reset is 502: nobody knows',
    instance: refuse,
    async holds({ ask }) {
      assert.match(await ask(), /^HTTP\/1\.1 502 /);
    },
  },
  {
    name: 'two lengths, or a length and chunks, are 502 and cost the connection',
    instance(socket, head) {
      const second = /two/.test(head) ? 'content-length: 3' : 'Transfer-Encoding: chunked';
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${second}\r\n\r\n2\r\nok\r\n0\r\n\r\n`);
    },
    async holds({ up, ask }) {
      for (const framing of ['two', 'chunks']) {
        assert.match(await ask(`X-Framing: ${framing}`), /^HTTP\/1\.1 502 /, framing);
        await gone(up.connections.at(-1));
      }
    },
  },
  {
    name: 'a GET on a connection that has just been closed is saved',
    instance: stale(),
    maxRetries: 1,
    async holds({ ask }) {
      for (let call = 0; call < 4; call++) assert.match(await ask(), /ok$/);
    },
  },
  {
    name: 'a POST on a connection that has just been closed is not sent twice',
    instance: stale(),
    maxRetries: 1,
    async holds({ up, exchange }) {
      assert.match(await exchange(post()), /ok$/);
      await exchange(post());
      assert.equal(hits(up.received(), 'POST'), 2);
    },
  },
  {
    name: 'a GET that gets 503 hits the instance once',
    instance: busy,
    async holds({ up, ask }) {
      assert.match(await ask(), /^HTTP\/1\.1 503 /);
      assert.equal(hits(up.received(), 'GET'), 1);
    },
  },
  {
    name: 'a POST that gets 503 hits the instance once',
    instance: busy,
    maxRetries: 3,
    async holds({ up, exchange }) {
      assert.match(await exchange(post()), /^HTTP\/1\.1 503 /);
      assert.equal(hits(up.received(), 'POST'), 1);
    },
  },
  {
    name: 'a body that is shorter than its length is seen by the client',
    instance: half,
    async holds({ up, open }) {
      const { until, closed } = await open(plain);
      await until(someOfIt);
      up.connections[0]?.end();
      assert.match(await closed, someOfIt);
    },
  },
  {
    name: 'a chunked body without its end is seen by the client',
    instance: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9c40\r\n${'x'.repeat(40_000)}\r\n`,
    async holds({ up, open }) {
      const { until, closed } = await open(plain);
      await until(someOfIt);
      up.connections[0]?.end();
      assert.doesNotMatch(await closed, /\r\n0\r\n/);
    },
  },
];
