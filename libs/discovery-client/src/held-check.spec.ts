import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Reach, Reacher } from './held-check.ts';
import { fixture } from './testing/client-fixture.ts';
import { instanceOf } from './testing/fake-registry.ts';
import { settle } from './testing/settle.ts';

/** A registry that restarted and lists only `left` of `all`, to a client that knew all of them. */
async function afterRestart(all: readonly number[], left: readonly number[], reach?: Reacher) {
  const fixed = fixture({ ...(reach && { reach }), session: false });
  const { client, registry, time } = fixed;
  for (const port of all) registry.upsert(instanceOf('users', port));
  await client.resolve('users');
  await time.advance(100);
  registry.restart();
  for (const port of left) registry.upsert(instanceOf('users', port));
  await time.advance(2000);
  const ports = () => client.peek('users')?.instances.map(({ port }) => port);
  return { ...fixed, ports };
}

test('who refuses a connection is dropped at once, who answers or is silent is held for its lease', async () => {
  const verdicts: Record<number, Reach> = { 4001: 'refused', 4002: 'answered', 4003: 'silent' };
  const tried: string[] = [];
  const { ports, client, time, of } = await afterRestart([4000, 4001, 4002, 4003], [4000], (host, port) => {
    tried.push(`${host}:${port}`);
    return Promise.resolve(verdicts[port] ?? 'refused');
  });
  expect(of('held')).toHaveLength(1);
  expect(tried.sort()).toEqual(['127.0.0.1:4001', '127.0.0.1:4002', '127.0.0.1:4003']);
  expect(ports()).toEqual([4000, 4002, 4003]);
  await time.advance(46_000);
  expect(ports()).toEqual([4000]);
  await client.close();
});

test('an answer that shrank without saying why is looked into, too', async () => {
  const { client, registry, time, of } = fixture({
    watch: false,
    cacheMultiplier: 0.1,
    reach: (_, port) => Promise.resolve(port === 4000 ? 'answered' : 'refused'),
  });
  for (const port of [4000, 4001]) registry.upsert(instanceOf('users', port));
  await client.resolve('users');
  // A 404 of whoever stands before the registry names no run of it.
  for (const id of ['127.0.0.1:4000', '127.0.0.1:4001']) registry.remove('users', id);
  await time.advance(4000);
  client.peek('users');
  await settle();
  expect(of('held')).toHaveLength(1);
  expect(client.peek('users')?.instances.map(({ port }) => port)).toEqual([4000]);
  await client.close();
});

test('what is known of whom follows the verdicts, whatever they are', async () => {
  const verdicts = fc.array(fc.constantFrom<Reach>('refused', 'answered', 'silent'), {
    minLength: 1,
    maxLength: 60,
  });
  await fc.assert(
    fc.asyncProperty(verdicts, fc.integer({ min: 0, max: 3 }), async (found, listed) => {
      const all = Array.from({ length: found.length + listed }, (_, at) => 4000 + at);
      const left = all.slice(found.length);
      const { ports, client } = await afterRestart(all, left, (_, port) => {
        const verdict = found[port - 4000];
        return verdict === undefined ? Promise.reject(new Error('listed')) : Promise.resolve(verdict);
      });
      expect(ports()).toEqual(all.filter((port) => found[port - 4000] !== 'refused'));
      await client.close();
    }),
    { numRuns: 40 },
  );
});

test('a hundred are not tried at once, a look that fails decides nothing, and who came back meanwhile stays', async () => {
  let [running, most] = [0, 0];
  const answers: (() => void)[] = [];
  const all = Array.from({ length: 100 }, (_, at) => 4000 + at);
  const { ports, client, registry, time } = await afterRestart(all, [4000], async (_, port) => {
    most = Math.max(most, ++running);
    await new Promise<void>((resolve) => answers.push(resolve));
    running -= 1;
    if (port === 4001) throw new Error('no such thing as a socket here');
    return 'refused';
  });
  expect([running, most]).toEqual([16, 16]);
  expect(ports()).toHaveLength(100);
  registry.upsert(instanceOf('users', 4002));
  await time.advance(1);
  while (answers.length > 0) {
    for (const answer of answers.splice(0)) answer();
    await settle();
  }
  expect(most).toBe(16);
  expect(ports()).toEqual([4000, 4001, 4002]);
  await client.close();
});

test('a client that is closed tries no more, and without a reach nothing is tried', async () => {
  const answers: (() => void)[] = [];
  const all = Array.from({ length: 40 }, (_, at) => 4000 + at);
  const { client } = await afterRestart(all, [], async () => {
    await new Promise<void>((resolve) => answers.push(resolve));
    return 'answered';
  });
  await client.close();
  for (const answer of answers) answer();
  await settle();
  expect(answers).toHaveLength(16);
  const blind = await afterRestart(all, []);
  expect(blind.ports()).toHaveLength(40);
  await blind.client.close();
});
