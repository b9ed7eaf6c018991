import { afterEach, expect, test } from '@jest/globals';
import { NoisyClient } from './testing/noisy-client.ts';
import { seeded } from '@mesh/resilience/testing';
import { settle } from './testing/settle.ts';

afterEach(settle);

test('thousands of streams of noise: whole lists at all times, and a good stream makes all of it good again', async () => {
  let streams = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const noisy = new NoisyClient(seeded(seed));
    await noisy.listen(60_000);
    expect([seed, noisy.fault()]).toEqual([seed, undefined]);
    streams += noisy.events.filter(({ type }) => type === 'watch-lost' || type === 'session-lost').length;
    noisy.isNoisy = false;
    // The noise may have spoken of other runs of the registry; what it left behind is held for one lease.
    for (let passed = 0; passed < 75_000; passed += 5000) {
      noisy.registry.bookmark();
      await noisy.time.advance(5000);
    }
    const ports = noisy.client.peek('users')?.instances.map(({ port }) => port);
    expect([seed, ports]).toEqual([seed, [4000, 4001]]);
    await noisy.client.close();
    expect(noisy.time.pending).toBe(0);
  }
  expect(streams).toBeGreaterThan(1000);
}, 60_000);
