/**
 * Instances for a soak, sound and unsound. Its arguments are the ports; nobody listens at the last one for half of the time. Asked over
 * IPC, it tells how many requests and tunnels are `open`, and when those with an `id` in the query have `ended`, and on which connections.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { hostMs } from './host-clock.ts';

const small = JSON.stringify({ items: 'x'.repeat(1_000) });
const chunk = Buffer.alloc(64 * 1024);
let open = 0;
const ended: Ended[] = [];

/** A request that is over: when, and the port at the other end of its connection. */
export type Ended = readonly [id: number, ms: number, peer: number];

/** Counts a request or a tunnel while it is there. */
function count({ url, socket: { remotePort = 0 } }: IncomingMessage, its: ServerResponse | Socket): void {
  const id = /[?&]id=(\d+)/.exec(url ?? '')?.[1];
  open++;
  its.once('close', () => {
    open--;
    if (id !== undefined) ended.push([Number(id), hostMs(), remotePort]);
  });
}

function stream(response: ServerResponse, chunks: number): void {
  let left = chunks;
  const send = (): void => {
    while (left-- > 0) if (!response.write(chunk)) return;
    response.end();
  };
  response.on('drain', send);
  send();
}

/** An event every 20 ms, until somebody has had enough. */
function events(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const timer = setInterval(() => response.write('data: something has happened\n\n'), 20);
  response.once('close', () => {
    clearInterval(timer);
  });
}

const answers: Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => void>> = {
  '/items': (request, response) => {
    request.resume().once('end', () => response.end(small));
  },
  '/cached': (_, response) => {
    response.writeHead(200, { 'cache-control': 'public, max-age=2', vary: 'accept-language' }).end(small);
  },
  '/large': (_, response) => {
    stream(response, 16);
  },
  '/events': (_, response) => {
    events(response);
  },
  '/slow': (_, response) => {
    setTimeout(() => response.end(small), 100);
  },
  '/never': (request) => request.resume(),
  '/503': (_, response) => response.writeHead(503).end(),
  '/cut': (_, response) => {
    response.writeHead(200, { 'content-length': 1_000 });
    response.write('half', () => response.destroy());
  },
};

function instance(): Server {
  const server = createServer({ keepAliveTimeout: 3_600_000 }, (request, response) => {
    count(request, response);
    const { pathname } = new URL(request.url ?? '/', 'http://here');
    (answers[pathname] ?? answers['/503'])?.(request, response);
  });
  // A tunnel gives back what comes.
  return server.on('upgrade', (request, socket: Socket) => {
    count(request, socket);
    socket.on('error', () => undefined);
    socket.write('HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    socket.pipe(socket);
  });
}

const ports = process.argv.slice(2).map(Number);
const flaky = ports.pop();
for (const port of ports) instance().listen(port, '127.0.0.1');

let server: Server | undefined;
setInterval(() => {
  if (server === undefined) {
    server = instance().listen(flaky, '127.0.0.1');
    // While nobody listens the port may be somebody's own end of a connection: next time, then.
    server.once('error', () => (server = undefined));
  } else {
    server.close().closeAllConnections();
    server = undefined;
  }
}, 700);

process.on('message', (question) => process.send?.(question === 'ended' ? ended.splice(0) : open));
process.on('disconnect', () => process.exit());
