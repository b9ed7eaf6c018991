/** What createApp adds to a request, against Fastify as it comes and with the same logger. No sockets: `inject`. */
import { contest } from '../../../tools/contest.mts';
import { fastify } from 'fastify';
import { z } from 'zod';
import { createApp, identityOf, readConfig, serviceSettings } from '../src/index.ts';

const logTo = { write: () => undefined };
const config = readConfig(z.object(serviceSettings), {});
const bare = fastify();
const logging = fastify({ logger: { stream: logTo } });
const ours = createApp({ identity: identityOf('note-service', 4000), config, logTo });
for (const app of [bare, logging, ours]) {
  app.get('/note', () => ({ id: 1, title: 'milk' }));
  await app.ready();
}

function contender(name: string, app: typeof bare | typeof ours, url: string) {
  return {
    name,
    async run(iterations: number) {
      for (let at = 0; at < iterations; at++) await app.inject(url);
    },
  };
}

await contest(
  'GET of a small object',
  [
    contender('fastify', bare, '/note'),
    contender('fastify with its log', logging, '/note'),
    contender('createApp', ours, '/note'),
    contender('createApp, GET /health', ours, '/health'),
  ],
  [{ of: 'createApp', against: 'fastify with its log', atMost: 2 }],
);
await Promise.all([bare.close(), logging.close(), ours.close()]);
