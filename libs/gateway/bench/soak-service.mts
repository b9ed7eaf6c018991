/**
 * Instances for a soak, sound and unsound. Its arguments are the ports; nobody listens at the last one for half of the time. Asked over
 * IPC, it tells how many requests and tunnels are open.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const small = JSON.stringify({ items: 'x'.repeat(1_000) });
const chunk = Buffer.alloc(64 * 1024);
let open = 0;

function stream(response: ServerResponse, chunks: number): void {
  let left = chunks;
  const send = (): void => {
    while (left-- > 0) if (!response.write(chunk)) return;
    response.end();
  };
  response.on('drain', send);
  send();
}

/** An event every 5 ms, until somebody has had enough. */
function events(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const timer = setInterval(() => response.write('data: something has happened\n\n'), 5);
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
  '/never': () => undefined,
  '/503': (_, response) => response.writeHead(503).end(),
  '/cut': (_, response) => {
    response.writeHead(200, { 'content-length': 1_000 });
    response.write('half', () => response.destroy());
  },
};

function instance(): Server {
  const server = createServer({ keepAliveTimeout: 3_600_000 }, (request, response) => {
    open++;
    response.once('close', () => open--);
    const { pathname } = new URL(request.url ?? '/', 'http://here');
    (answers[pathname] ?? answers['/503'])?.(request, response);
  });
  // A tunnel gives back what comes.
  return server.on('upgrade', (_request, socket: Socket) => {
    open++;
    socket.once('close', () => open--).on('error', () => undefined);
    socket.write('HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    socket.pipe(socket);
  });
}

const ports = process.argv.slice(2).map(Number);
const flaky = ports.pop();
for (const port of ports) instance().listen(port, '127.0.0.1');

let server: Server | undefined;
setInterval(() => {
  if (server === undefined) server = instance().listen(flaky, '127.0.0.1');
  else {
    server.close().closeAllConnections();
    server = undefined;
  }
}, 700);

process.on('message', () => process.send?.(open));
process.on('disconnect', () => process.exit());
