/** What finding instances costs a call; ratios to a bare `Map.get` of the same run. */
import { contest, figure } from '../../../tools/contest.mts';
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

const store = watched.store('users');
const filter = { metadata: {}, limit: 64 };
let sink: unknown;
const medians = await contest(
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
      run: (iterations) => {
        for (let index = 0; index < iterations; index++) sink = watched.resolve('users');
      },
    },
    {
      name: 'resolve, watched, awaited',
      run: async (iterations) => {
        for (let index = 0; index < iterations; index++) sink = await watched.resolve('users');
      },
    },
    {
      name: 'resolve, by time to live',
      run: (iterations) => {
        for (let index = 0; index < iterations; index++) sink = client.resolve('users');
      },
    },
    {
      name: 'store.getSnapshot, watched',
      run: (iterations) => {
        for (let index = 0; index < iterations; index++) sink = store.getSnapshot();
      },
    },
    {
      name: 'peek with a filter, watched',
      run: (iterations) => {
        for (let index = 0; index < iterations; index++) sink = watched.peek('users', filter);
      },
    },
  ],
  [{ of: 'peek, watched', against: 'performance.now', atMost: 1 }],
);
for (const name of ['resolve, watched', 'resolve, watched, awaited', 'resolve, by time to live'])
  figure(`${name}, ns`, medians.get(name) ?? Infinity, 150);

/** Bytes that a call takes from the heap: of so few calls that no collection gives any back. */
function bytes(call: () => unknown): number {
  for (let index = 0; index < 1e5; index++) sink = call();
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  for (let index = 0; index < 2e4; index++) sink = call();
  return Math.max(0, process.memoryUsage().heapUsed - before) / 2e4;
}
figure(
  'bytes a peek allocates',
  bytes(() => watched.peek('users')),
  0.5,
);
figure(
  'bytes a resolve allocates',
  bytes(() => watched.resolve('users')),
  0.5,
);

// A list that expires while a thousand callers come: the registry answers only after all of them have theirs.
let now = 0;
let fetches = 0;
let release: () => void = () => undefined;
const expiring = new DiscoveryClient({
  watch: false,
  clock: { now: () => now },
  fetch: async () => {
    fetches += 1;
    if (fetches > 1) await new Promise<void>((resolve) => (release = resolve));
    return await answer();
  },
});
await expiring.resolve('users');
now = 120_000;
const callers = await Promise.all(Array.from({ length: 1000 }, () => expiring.resolve('users')));
figure(
  'callers of 1000 at expiry that waited for the registry',
  1000 - callers.filter(({ source }) => source === 'stale').length,
  0,
);
figure('fetches at expiry under 1000 concurrent callers', fetches - 1, 1);
release();
await Promise.all([client.close(), watched.close(), expiring.close()]);
console.log(typeof sink);
