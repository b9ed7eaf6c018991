/** The registry beside bare Fastify routes, in a process of its own so that its CPU time can be told from the callers'. */
import { fastify } from 'fastify';
import { discoveryServer, Liveness, Registry, WatchHub } from '../src/index.ts';

const registry = new Registry();
const app = fastify();
await app.register(discoveryServer, {
  registry,
  watchHub: new WatchHub(registry, { maximumWatchers: 10_000 }),
  liveness: new Liveness(registry, { probe: false }),
});
for (let at = 0; at < 64; at++) {
  registry.register({ name: 'list-service', host: `10.0.0.${at}`, port: 4000, heartbeatInterval: 3600 });
}
// What a lookup is answered with.
const bytes = Buffer.from(JSON.stringify({ ...registry.find('list-service'), hash: '0123456789abcdef' }));
// What a heartbeat is answered with.
const answer = {
  lease: { durationMs: 5_400_000, expiresAt: new Date().toISOString() },
  revision: registry.revision,
};
app.post('/bare', () => answer);
app.get('/bare-list', (_, reply) => reply.type('application/json; charset=utf-8').send(bytes));
await app.listen({ host: '127.0.0.1', port: 0 });
process.on('message', (wanted) => {
  if (wanted === 'heap') globalThis.gc?.();
  process.send?.({ cpu: process.cpuUsage(), heap: process.memoryUsage().heapUsed });
});
process.send?.({ port: (app.server.address() as { port: number }).port });
process.on('disconnect', () => {
  process.exitCode = 0;
  void app.close();
});
