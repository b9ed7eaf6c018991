/** A registry in a process of its own, for tests that limit the process. Prints its port. */
import Fastify from 'fastify';
import { discoveryServer } from '../discovery-server.ts';

const app = Fastify();
await app.register(discoveryServer);
const url = await app.listen({ host: '127.0.0.1', port: 0 });
process.stdout.write(`${new URL(url).port}\n`);
