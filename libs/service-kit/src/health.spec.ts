import { describe, expect, test } from '@jest/globals';
import { Health } from './health.ts';
import type { HealthOptions, HealthStatus } from './health.ts';
import { identityOf } from './identity.ts';

function healthAt(options: HealthOptions) {
  const clock = {
    ms: 0,
    now() {
      return this.ms;
    },
  };
  return { clock, health: new Health(identityOf('note-service', 4000), { clock, ...options }) };
}

describe('Health', () => {
  test('a storm of probes is one look', async () => {
    let looks = 0;
    const { clock, health } = healthAt({ checks: { database: () => (looks += 1) }, cacheMs: 1000 });
    await Promise.all(Array.from({ length: 500 }, () => health.report()));
    expect(looks).toBe(1);
    clock.ms = 999;
    await health.report();
    expect(looks).toBe(1);
    clock.ms = 1000;
    await Promise.all([health.report(), health.report()]);
    expect(looks).toBe(2);
  });

  test('while a slow check runs nobody starts it again, however long it takes', async () => {
    let looks = 0;
    let finish: () => void = () => undefined;
    const slow = () => new Promise<void>((resolve) => ((looks += 1), (finish = resolve)));
    const { clock, health } = healthAt({ checks: { database: slow }, cacheMs: 1000 });
    const first = health.report();
    clock.ms = 60_000;
    const second = health.report();
    finish();
    expect((await Promise.all([first, second])).map(({ status }) => status)).toEqual(['healthy', 'healthy']);
    expect(looks).toBe(1);
    clock.ms = 60_999;
    await health.report();
    expect(looks).toBe(1);
  });

  test('a check that hangs is sick after its time, and is told by its signal', async () => {
    let told = false;
    const hang = (signal: AbortSignal) =>
      new Promise<void>(() => {
        signal.addEventListener('abort', () => (told = true));
      });
    const { health } = healthAt({ checks: { database: hang }, timeoutMs: 5 });
    expect(await health.report()).toMatchObject({
      status: 'unhealthy',
      checks: { database: { status: 'unhealthy', error: 'no answer within 5 ms' } },
    });
    expect(told).toBe(true);
  });

  test('one slow check does not hide what the others found', async () => {
    const hang = () => new Promise<void>(() => undefined);
    const { health } = healthAt({
      checks: { mail: { run: hang, critical: false }, database: () => 1 },
      timeoutMs: 5,
    });
    expect(await health.report()).toMatchObject({
      status: 'degraded',
      checks: { database: { status: 'healthy' }, mail: { status: 'unhealthy' } },
    });
  });

  test.each<[string, () => unknown, string]>([
    [
      'throws',
      () => {
        throw new Error('bad');
      },
      'bad',
    ],
    ['rejects with something odd', () => Promise.reject(new Error('')), 'failed'],
    ['says too much', () => Promise.reject(new Error('x'.repeat(500))), 'x'.repeat(200)],
  ])('a check that %s is sick', async (_how, check, error) => {
    const { health } = healthAt({ checks: { database: check } });
    expect((await health.report()).checks.database).toMatchObject({ status: 'unhealthy', error });
  });

  test('tells changes, not states', async () => {
    const changes: HealthStatus[] = [];
    let sick = false;
    const check = () => (sick ? Promise.reject(new Error('gone')) : undefined);
    const { clock, health } = healthAt({
      checks: { database: check },
      onChange: (status) => changes.push(status),
    });
    for (const state of [false, false, true, true, false]) {
      sick = state;
      clock.ms += 1000;
      await health.report();
    }
    health.leave();
    await health.report();
    expect(changes).toEqual(['unhealthy', 'healthy', 'leaving']);
  });

  test('refuses times that are no times', () => {
    expect(() => healthAt({ timeoutMs: -1 })).toThrow('health: timeoutMs must be a number >= 0, got -1');
    expect(() => healthAt({ cacheMs: NaN })).toThrow('health: cacheMs must be a number >= 0, got NaN');
  });
});
