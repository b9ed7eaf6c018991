/** What finding instances costs a call; ratios to a bare `Map.get` of the same run. */
import { contest } from '../../../tools/contest.mts';
import { DiscoveryClient } from '../src/index.ts';

const instances = Array.from({ length: 64 }, (_, index) => ({
  id: `10.0.0.${index}:4000`,
  name: 'users',
  host: `10.0.0.${index}`,
  port: 4000,
  heartbeatInterval: 30,
}));
// Answers once; a watch never opens, so the list is fresh by its time to live (a clock is read at every peek).
const answer = (): Promise<Response> =>
  Promise.resolve(Response.json({ name: 'users', instances, revision: 'e:1' }));
const client = new DiscoveryClient({ watch: false, cacheMultiplier: 1000, fetch: answer });
await client.resolve('users');
const map = new Map([['users', client.peek('users')]]);

// The same list kept by a watch: no clock is read.
const snapshot = `id: e:1\nevent: snapshot\ndata: ${JSON.stringify({ instances })}\n\n`;
const watched = new DiscoveryClient({
  fetch: (input) =>
    (input as string).includes('/watch')
      ? Promise.resolve(
          new Response(
            new ReadableStream({
              start: (stream) => {
                stream.enqueue(new TextEncoder().encode(snapshot));
              },
            }),
            { headers: { 'content-type': 'text/event-stream' } },
          ),
        )
      : answer(),
});
await watched.resolve('users');
await new Promise((resolve) => setTimeout(resolve, 100));

let sink: unknown;
await contest(
  'discovery-client: finding the 64 instances of a service, ratios to a bare `Map.get`',
  [
    {
      name: 'Map.get',
      run: (iterations) => {
        for (let index = 0; index < iterations; index++) sink = map.get('users');
      },
    },
    {
      name: 'performance.now',
      run: (iterations) => {
        for (let index = 0; index < iterations; index++) sink = performance.now();
      },
    },
    {
      name: 'peek, watched',
      run: (iterations) => {
        for (let index = 0; index < iterations; index++) sink = watched.peek('users');
      },
    },
    {
      name: 'peek, by time to live',
      run: (iterations) => {
        for (let index = 0; index < iterations; index++) sink = client.peek('users');
      },
    },
    {
      name: 'resolve, watched',
      run: async (iterations) => {
        for (let index = 0; index < iterations; index++) sink = await watched.resolve('users');
      },
    },
  ],
  [{ of: 'peek, watched', against: 'performance.now', atMost: 1 }],
);

globalThis.gc?.();
const before = process.memoryUsage().heapUsed;
for (let index = 0; index < 1e6; index++) sink = watched.peek('users');
const bytes = process.memoryUsage().heapUsed - before;
console.log(`heap after a million peeks: ${(bytes / 1e6).toFixed(2)} bytes each (${typeof sink})`);
await Promise.all([client.close(), watched.close()]);
