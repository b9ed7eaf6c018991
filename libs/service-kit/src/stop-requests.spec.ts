import { describe, expect, test } from '@jest/globals';
import { EventEmitter } from 'node:events';
import { onStopRequest } from './stop-requests.ts';

class FakeProcess extends EventEmitter {
  connected = true;
  unrefs = 0;
  channel = { unref: () => (this.unrefs += 1) };
}

function listening(source = new FakeProcess()) {
  const heard: string[] = [];
  const clock = {
    ms: 0,
    now() {
      return this.ms;
    },
  };
  const release = onStopRequest(
    source,
    {
      onStop: (reason) => heard.push(`stop ${reason}`),
      onSecondSignal: (signal) => heard.push(`again ${signal}`),
    },
    clock,
  );
  return { source, heard, clock, release };
}

describe('requests to stop', () => {
  test('the first signal stops; one that follows at once is its echo; a later one is impatience', () => {
    const { source, heard, clock } = listening();
    source.emit('SIGINT');
    clock.ms = 100;
    source.emit('SIGINT');
    source.emit('SIGTERM');
    expect(heard).toEqual(['stop SIGINT']);
    clock.ms = 251;
    source.emit('SIGTERM');
    expect(heard).toEqual(['stop SIGINT', 'again SIGTERM']);
  });

  test('a parent that is gone is a request, but never the second one', () => {
    const { source, heard, clock } = listening();
    source.emit('SIGTERM');
    clock.ms = 5000;
    source.emit('disconnect');
    expect(heard).toEqual(['stop SIGTERM', 'stop disconnect']);
    expect(source.unrefs).toBe(1);
  });

  test('without a parent there is no channel to look at', () => {
    const source = new FakeProcess();
    source.connected = false;
    listening(source);
    expect(source.listenerCount('disconnect')).toBe(0);
    expect(source.unrefs).toBe(0);
  });

  test('releasing leaves no listener behind', () => {
    const { source, release } = listening();
    release();
    expect(source.eventNames()).toEqual([]);
  });
});
