import { afterEach, describe, expect, test } from '@jest/globals';
import { CircuitBreakers } from './circuit-breakers.ts';
import { publishDiagnostics } from './diagnostics.ts';
import type { CircuitEventName } from './events.ts';
import { boom } from './testing/calls.ts';
import { trapRejections } from './testing/rejection-trap.ts';
import { brittle, virtual } from './testing/virtual-breaker.ts';

trapRejections();

type Subscriber = (message: unknown, channel: string) => void;

declare const process: {
  getBuiltinModule(id: 'node:diagnostics_channel'): {
    subscribe(channel: string, subscriber: Subscriber): void;
    unsubscribe(channel: string, subscriber: Subscriber): boolean;
  };
};

const diagnostics = process.getBuiltinModule('node:diagnostics_channel');
const stops: (() => void)[] = [];

/** What arrives on the channels of these events. */
function subscribe(...types: CircuitEventName[]): unknown[] {
  const heard: unknown[] = [];
  for (const type of types) {
    const channel = `mesh:circuit-breaker:${type}`;
    const subscriber: Subscriber = (message, name) => heard.push([name, message]);
    diagnostics.subscribe(channel, subscriber);
    stops.push(() => diagnostics.unsubscribe(channel, subscriber));
  }
  return heard;
}

afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

describe('publishDiagnostics', () => {
  test('publishes every kind of event on a channel of its own, until it is stopped', () => {
    const { breaker } = virtual(brittle);
    const heard = subscribe('stateChange', 'success', 'failure', 'ignored', 'rejected', 'fault');
    const stop = publishDiagnostics(breaker);
    breaker.on('success', () => {
      throw boom;
    });
    for (const outcome of ['success', 'ignored', 'failure'] as const)
      breaker.tryAcquire()?.settle(outcome, boom);
    breaker.tryAcquire();
    const circuit = 'users';
    expect(heard).toEqual([
      ['mesh:circuit-breaker:success', { circuit }],
      ['mesh:circuit-breaker:fault', { circuit, error: boom }],
      ['mesh:circuit-breaker:ignored', { circuit }],
      ['mesh:circuit-breaker:failure', { circuit, error: boom }],
      ['mesh:circuit-breaker:stateChange', { circuit, from: 'closed', to: 'open', cause: boom }],
      [
        'mesh:circuit-breaker:rejected',
        { circuit, reason: 'open', retryAfterMs: 100, cause: boom, shadow: false },
      ],
    ]);
    stop();
    breaker.tryAcquire();
    expect(heard).toHaveLength(6);
  });

  test('publishes only what it is asked for', () => {
    const { breaker } = virtual(brittle);
    const heard = subscribe('stateChange', 'failure');
    publishDiagnostics(breaker, ['stateChange']);
    breaker.tryAcquire()?.settle('failure');
    expect(heard).toEqual([['mesh:circuit-breaker:stateChange', expect.anything()]]);
  });

  test('publishes of all circuits of a set, also of those to come', () => {
    const hosts = new CircuitBreakers({ name: 'hosts', ...brittle });
    const heard = subscribe('failure');
    publishDiagnostics(hosts, ['failure']);
    hosts.get('a').tryAcquire()?.settle('failure', boom);
    expect(heard).toEqual([['mesh:circuit-breaker:failure', { circuit: 'hosts/a', error: boom }]]);
  });

  test('a channel nobody subscribes to costs the message only', () => {
    const { breaker } = virtual(brittle);
    publishDiagnostics(breaker);
    expect(() => breaker.tryAcquire()?.settle('failure')).not.toThrow();
    expect(breaker.state).toBe('open');
  });
});
