import { expect, test } from '@jest/globals';
import { Events, type Fault } from './events.ts';
import { settle } from './test-kit/virtual-time.ts';

interface Types {
  tick: { readonly n: number };
  fault: Fault;
}

test('tells listeners in order, until they stop', () => {
  const events = new Events<Types>();
  const heard: string[] = [];
  expect(events.active).toBe(false);
  const stop = events.on('tick', ({ n }) => heard.push(`a${n}`));
  events.on('tick', ({ n }) => heard.push(`b${n}`));
  events.emit('tick', { n: 1 });
  stop();
  stop();
  events.emit('tick', { n: 2 });
  expect([events.active, heard]).toEqual([true, ['a1', 'b1', 'b2']]);
});

// opossum 10 B3, cockatiel 4 B18: an exception of a listener turns a success into a failure.
test('what a listener throws or rejects with becomes a fault, and the others still hear', async () => {
  const events = new Events<Types>();
  const heard: unknown[] = [];
  events.on('tick', () => {
    throw new Error('thrown');
  });
  events.on('tick', () => Promise.reject(new Error('rejected')));
  events.on('tick', ({ n }) => heard.push(n));
  events.on('fault', ({ error }) => heard.push(String(error)));
  events.on('fault', () => {
    throw new Error('again');
  });
  events.emit('tick', { n: 1 });
  await settle();
  expect(heard).toEqual(['Error: thrown', 1, 'Error: rejected']);
});

test('a listener that comes or goes during a delivery does not disturb it', () => {
  const events = new Events<Types>();
  const heard: string[] = [];
  const stop = events.on('tick', () => {
    heard.push('a');
    stop();
    events.on('tick', () => heard.push('late'));
  });
  events.on('tick', () => heard.push('b'));
  events.emit('tick', { n: 1 });
  expect(heard).toEqual(['a', 'b']);
});
