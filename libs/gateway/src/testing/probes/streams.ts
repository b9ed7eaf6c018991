import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { cleanups, eventually, linesOf, ok } from '../raw-http.ts';
import { plain, type Probe } from './probe.ts';

const bigBytes = 64 * 1024 * 1024;
const chunk = Buffer.alloc(65_536, 'x');

/** How many bytes were written when no more go for a while. */
async function stalled(socket: () => Socket | undefined): Promise<number> {
  let before = 0;
  for (let same = 0; same < 5;) {
    await pause(30);
    const written = socket()?.bytesWritten ?? 0;
    same = written === before && written > 0 ? same + 1 : 0;
    before = written;
  }
  return before;
}

/** Writes until all is out, as fast as the other side lets it. */
function pour(socket: Socket): void {
  let sent = 0;
  const send = (): void => {
    while (sent < bigBytes && !socket.destroyed) {
      sent += chunk.length;
      if (!socket.write(chunk)) return;
    }
  };
  socket.on('drain', send);
  send();
}

const twice = (method: string, status: number): Probe['holds'] =>
  async function holds({ open }) {
    const request = plain.replace('GET', method);
    const { socket, until } = await open(request);
    const [length] = linesOf(await until(/\r\n\r\n$/), 'content-length');
    assert.match(length ?? '', /: 1000$/);
    socket.write(request);
    await until(new RegExp(`^HTTP/1\\.1 ${status} [^]*\\r\\n\\r\\nHTTP/1\\.1 ${status} [^]*\\r\\n\\r\\n$`));
  };

/** Answers that are not plain, and what comes while they do. */
export const streamProbes: readonly Probe[] = [
  {
    name: '304 keeps its Content-Length, and the connection its order',
    instance: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\nETag: "a"\r\n\r\n',
    holds: twice('GET', 304),
  },
  {
    name: 'HEAD keeps its Content-Length, and the connection its order',
    instance: 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n',
    holds: twice('HEAD', 200),
  },
  {
    name: 'trailers of the answer arrive',
    instance:
      'HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: \xfc1\r\n\r\n',
    async holds({ ask }) {
      assert.match(await ask('TE: trailers'), /\r\n2\r\nok\r\n0\r\nX-Sum: \xfc1\r\n\r\n$/i);
    },
  },
  {
    name: '103 arrives before the answer does',
    instance: 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nlink: </b>\r\n\r\n',
    async holds({ up, open }) {
      const { until } = await open(plain);
      const early = await until(/^HTTP\/1\.1 103 [^]*\r\n\r\n$/);
      assert.match(early, /^link: <\/a\.css>; rel=preload\r\n/im);
      up.connections[0]?.write(ok);
      await until(/\r\n\r\nHTTP\/1\.1 200 OK\r\n[^]*ok$/);
    },
  },
  {
    name: 'Expect: the client hears 100, and its body arrives',
    instance(socket, head) {
      if (/^expect:/im.test(head)) socket.write('HTTP/1.1 100 Continue\r\n\r\n');
    },
    async holds({ up, open }) {
      const head = 'POST /items HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n';
      const { socket, until } = await open(head);
      await until(/^HTTP\/1\.1 100 [^]*\r\n\r\n$/);
      socket.write('hi');
      await eventually(() => up.received().endsWith('hi'));
      up.connections.at(-1)?.write(ok);
      await until(/^HTTP\/1\.1 100 [^]*\r\n\r\nHTTP\/1\.1 200 [^]*ok$/);
    },
  },
  {
    name: 'the instance chooses the subprotocol of a WebSocket',
    instance:
      'HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: p2\r\n\r\n',
    async holds({ up, open }) {
      const { until } = await open(
        plain.replace(
          '\r\n\r\n',
          '\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: p1, p2\r\n\r\n',
        ),
      );
      const answer = await until(/\r\n\r\n/);
      assert.match(answer, /^HTTP\/1\.1 101 /);
      assert.match(linesOf(answer, 'sec-websocket-protocol').join(), /: p2$/);
      assert.match(linesOf(up.received(), 'sec-websocket-protocol').join(), /: p1, ?p2$/);
    },
  },
  {
    name: 'the first event of a stream comes without the second',
    // The last field is how nginx is told.
    instance: 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Accel-Buffering: no\r\n\r\n',
    async holds({ up, open }) {
      const { until } = await open(plain);
      await eventually(() => up.received().includes('\r\n\r\n'));
      for (const event of ['one', 'two']) {
        up.connections[0]?.write(`data: ${event}\n\n`);
        await until(new RegExp(`data: ${event}\n\n`));
      }
    },
  },
  {
    name: 'a client that does not read holds the instance back',
    instance(socket) {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bigBytes}\r\n\r\n`);
      pour(socket);
    },
    async holds({ up, port }) {
      const socket = connect(port, '127.0.0.1').pause();
      cleanups.push(() => socket.destroy());
      socket.write(plain);
      assert.ok((await stalled(() => up.connections[0])) < bigBytes / 2);
    },
  },
  {
    name: 'an instance that does not read holds the client back',
    instance: (socket) => void socket.pause(),
    async holds({ open }) {
      const { socket } = await open(`POST /items HTTP/1.1\r\nHost: h\r\nContent-Length: ${bigBytes}\r\n\r\n`);
      pour(socket);
      assert.ok((await stalled(() => socket)) < bigBytes / 2);
      assert.ok(!socket.destroyed, 'the proxy has closed the connection');
    },
  },
  {
    name: 'bytes that nobody asked for answer no request',
    instance: ok,
    async holds({ up, open }) {
      const { socket, until } = await open(plain);
      await until(/ok$/);
      up.connections[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil');
      socket.write(plain);
      assert.doesNotMatch(await until(/ok[^]*(ok|evil)$/), /evil/);
    },
  },
];
