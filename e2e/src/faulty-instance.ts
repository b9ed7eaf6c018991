/**
 * A process that joins a service as one more instance: it passes requests on to a sound one, and is as bad as it is told. Environment:
 * PORT, DISCOVERY_URL, SERVICE, TARGET, ERROR_RATIO (half of the errors are 503, half a connection that breaks), DELAY_MS. `GET /health/tally`
 * tells how many requests came and how many of them it failed.
 */
import { DiscoveryClient } from '@mesh/discovery-client';
import { Agent, createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { env } from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';

const { PORT, DISCOVERY_URL = '', SERVICE = '', TARGET = '', ERROR_RATIO = '0', DELAY_MS = '0' } = env;
const agent = new Agent({ keepAlive: true });
const tally = { asked: 0, failed: 0 };

async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  if (incoming.url?.startsWith('/health') === true) {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(tally));
    return;
  }
  tally.asked++;
  if (Math.random() < Number(ERROR_RATIO)) {
    tally.failed++;
    if (Math.random() < 0.5) incoming.socket.destroy();
    else response.writeHead(503).end();
    return;
  }
  await pause(Number(DELAY_MS));
  const { method, headers } = incoming;
  const passed = request(`${TARGET}${incoming.url ?? ''}`, { method, headers, agent }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  passed.once('error', () => response.destroy());
  incoming.pipe(passed);
}

const server = createServer((incoming, response) => void serve(incoming, response));
server.listen(Number(PORT), '127.0.0.1');
const discovery = new DiscoveryClient({ serverUrl: DISCOVERY_URL });
await discovery.register({ name: SERVICE, host: '127.0.0.1', port: Number(PORT), heartbeatInterval: 2 });

process.once('SIGTERM', () => {
  void (async () => {
    await discovery.close();
    await pause(500);
    agent.destroy();
    server.close();
    server.closeIdleConnections();
  })();
});
