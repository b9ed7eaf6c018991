import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { Call } from './call.ts';
import { caller } from './testing/abort-controller.ts';

const fn = (): number => 1;

describe('Call', () => {
  test('is the first attempt, without a deadline, and nobody has given up', () => {
    const call = new Call(fn);
    expect([call.attempt, call.deadline, call.aborted, call.reason]).toEqual([
      1,
      undefined,
      false,
      undefined,
    ]);
  });

  test('a child inherits what it does not change', () => {
    const child = new Call(fn).child({ attempt: 2, deadline: 50 });
    expect([child.attempt, child.deadline]).toEqual([2, 50]);
    expect([child.child().attempt, child.child().deadline]).toEqual([2, 50]);
    expect(child.fn).toBe(fn);
  });

  test('an abort reaches children and grandchildren, with its reason, also those that nobody listens to', () => {
    const call = new Call(fn);
    const child = call.child();
    const grandchild = child.child();
    const heard: string[] = [];
    grandchild.onAbort(() => heard.push(`grandchild: ${String(grandchild.reason)}`));
    call.abort('gone');
    expect(heard).toEqual(['grandchild: gone']);
    expect([child.aborted, child.reason, grandchild.reason]).toEqual([true, 'gone', 'gone']);
  });

  test("a child's abort stays below", () => {
    const call = new Call(fn);
    const [one, two] = [call.child(), call.child()];
    one.abort('lost');
    expect([call.aborted, one.aborted, two.aborted]).toEqual([false, true, false]);
  });

  test('the first reason counts, for the signal too', () => {
    const call = new Call(fn);
    const child = call.child();
    const { signal } = child;
    child.abort('first');
    child.abort('second');
    call.abort('third');
    expect([child.reason, signal.reason, call.reason]).toEqual(['first', 'first', 'third']);
  });

  test('a child aborted after its parent keeps the reason of the parent', () => {
    const call = new Call(fn);
    const child = call.child();
    call.abort('gone');
    child.abort('late');
    expect(child.reason).toBe('gone');
  });

  test('the signal is made once, and aborts also when it is first read afterwards', () => {
    const call = new Call(fn);
    expect(call.signal).toBe(call.signal);
    const child = call.child();
    child.abort('gone');
    expect([child.signal.aborted, child.signal.reason]).toEqual([true, 'gone']);
    expect(call.signal.aborted).toBe(false);
  });

  test("the root hands out the caller's own signal", () => {
    const { signal } = caller();
    expect(new Call(fn, 1, undefined, undefined, signal).signal).toBe(signal);
  });

  test("a child's signal follows the caller's after the call has ended, and costs it no listener", () => {
    const user = caller();
    const child = new Call(fn, 1, undefined, undefined, user.signal).child();
    const { signal } = child;
    child.end();
    expect([signal.aborted, user.listeners]).toEqual([false, 0]);
    user.abort('enough');
    expect([signal.aborted, signal.reason]).toEqual([true, 'enough']);
  });

  test('a child that has ended is not told any more', () => {
    const call = new Call(fn);
    const child = call.child();
    const { signal } = child;
    child.end();
    call.abort('late');
    expect(signal.aborted).toBe(false);
  });

  test('who listens after the abort hears of it at once, who stopped listening does not', () => {
    const call = new Call(fn);
    const heard: string[] = [];
    const stop = call.onAbort(() => heard.push('stopped'));
    stop();
    stop();
    call.abort('gone');
    call.onAbort(() => heard.push('late'));
    expect(heard).toEqual(['late']);
  });

  test('one listener registered twice is two registrations', () => {
    const call = new Call(fn);
    let heard = 0;
    const listener = (): void => {
      heard++;
    };
    call.onAbort(listener)();
    call.onAbort(listener);
    call.onAbort(listener);
    call.abort('gone');
    expect(heard).toBe(2);
  });

  test('any tree of calls agrees with the naive rule: aborted if it or an ancestor was, by the nearest first reason', () => {
    const steps = fc.array(fc.record({ kind: fc.constantFrom('child', 'abort', 'signal'), at: fc.nat() }), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(steps, (schedule) => {
        const calls = [new Call(fn)];
        const parents = [-1];
        const reasons: (string | undefined)[] = [undefined];
        const reasonOf = (index: number): string | undefined =>
          index < 0 ? undefined : (reasons[index] ?? reasonOf(parents[index]!));
        for (const [step, { kind, at }] of schedule.entries()) {
          const index = at % calls.length;
          const call = calls[index]!;
          if (kind === 'child') {
            calls.push(call.child());
            parents.push(index);
            reasons.push(undefined);
          } else if (kind === 'signal') expect(call.signal).toBe(call.signal);
          else {
            // What is under an abort was aborted by it, and later aborts above it change nothing.
            if (reasonOf(index) === undefined) {
              const below = (other: number): boolean =>
                other === index || (other > index && below(parents[other]!));
              for (const other of calls.keys())
                if (below(other)) reasons[other] = reasonOf(other) ?? `abort ${step}`;
            }
            call.abort(`abort ${step}`);
          }
          for (const [other, each] of calls.entries()) {
            expect([each.aborted, each.reason]).toEqual([reasonOf(other) !== undefined, reasonOf(other)]);
          }
        }
        for (const each of calls) expect(each.signal.aborted).toBe(each.aborted);
      }),
    );
  });
});
