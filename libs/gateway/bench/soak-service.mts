/** Instances for a soak, good ones and bad ones; its arguments are the ports. Asked over IPC, it tells how many requests are open. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

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

const answers: Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => void>> = {
  '/items': (request, response) => {
    request.resume().once('end', () => response.end(small));
  },
  '/large': (_, response) => {
    stream(response, 16);
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

for (const port of process.argv.slice(2)) {
  createServer({ keepAliveTimeout: 3_600_000 }, (request, response) => {
    open++;
    response.once('close', () => open--);
    const { pathname } = new URL(request.url ?? '/', 'http://here');
    (answers[pathname] ?? answers['/503'])?.(request, response);
  }).listen(Number(port), '127.0.0.1');
}
process.on('message', () => process.send?.(open));
process.on('disconnect', () => process.exit());
