import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Upstream, answer } from './testing/upstream.ts';

const source = join(import.meta.dirname, 'index.ts');
let server: Upstream;

beforeAll(async () => {
  server = await new Upstream('a', (request, response) => {
    answer(server.hits === 1 ? 503 : 200, 'a')(request, response);
  }).listen();
});

afterAll(() => server.kill());

test('a process waits for its call, back-off included, and then ends by itself without close()', async () => {
  const script = `
    import { createServiceClient } from ${JSON.stringify(source)};
    const instances = [{ id: 'a', host: '127.0.0.1', port: ${server.port} }];
    const discovery = { peek: () => ({ instances }), resolve: async () => ({ instances }) };
    const client = createServiceClient({ discovery, retry: { baseDelayMs: 300, random: () => 0.5 } });
    console.log((await client.json({ service: 'user-service', path: '/' })).attempts);
  `;
  const flags = ['--conditions=@mesh/source', '--input-type=module', '--eval', script];
  // A process that hangs is killed, and one that dies in back-off exits with 13: either fails the test.
  const { stdout } = await promisify(execFile)(process.execPath, flags, { timeout: 20_000, env: {} });
  expect(stdout.trim()).toBe('2');
}, 30_000);
