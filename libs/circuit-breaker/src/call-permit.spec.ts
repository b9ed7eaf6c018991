import { describe, expect, test } from '@jest/globals';
import { boom, succeed } from './testing/calls.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { trip, virtual } from './testing/virtual-breaker.ts';

trapRejections();

describe('tryAcquire', () => {
  test('counts the first word of a permit only', () => {
    const { breaker } = virtual();
    const permit = breaker.tryAcquire();
    permit?.settle('failure', boom);
    permit?.settle('failure');
    permit?.settle('success');
    permit?.[Symbol.dispose]();
    expect(breaker.getSnapshot().totals).toEqual({ success: 0, failure: 1, ignored: 0, rejected: 0 });
  });

  test('a disposed permit is told as ignored', () => {
    const { breaker } = virtual();
    let ignored = 0;
    breaker.on('ignored', () => ignored++);
    breaker.tryAcquire()?.[Symbol.dispose]();
    expect(ignored).toBe(1);
  });

  test('a disposed permit says nothing and gives a trial place back', async () => {
    const { breaker, pass } = virtual({ successThreshold: 1 });
    await trip(breaker);
    expect(breaker.tryAcquire()).toBeUndefined();
    pass(30_000);
    {
      using permit = breaker.tryAcquire();
      expect(permit).toBeDefined();
      expect(breaker.tryAcquire()).toBeUndefined();
    }
    expect(breaker.available).toBe(true);
    breaker.tryAcquire()?.settle('success');
    expect(breaker.state).toBe('closed');
  });

  test('the error of the failure that opened the circuit is the cause of refusals', async () => {
    const { breaker } = virtual({ maximumFailuresAllowed: 1 });
    breaker.tryAcquire()?.settle('failure', boom);
    await expect(breaker.execute(succeed)).rejects.toMatchObject({ cause: boom });
  });
});
