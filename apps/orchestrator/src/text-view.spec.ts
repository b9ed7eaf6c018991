import { expect, test } from '@jest/globals';
import type { ProcessSnapshot, StateEvent } from '@mesh/orchestrator';
import { processTable, seconds } from './table.ts';
import { TextView, type TextViewOptions } from './text-view.ts';

function create(options: Partial<TextViewOptions> = {}): {
  view: TextView;
  out: () => string;
  err: () => string;
} {
  let out = '';
  let err = '';
  const view = new TextView({
    out: (text) => (out += text),
    err: (text) => (err += text),
    colors: false,
    quiet: false,
    ...options,
  });
  return { view, out: () => out, err: () => err };
}

const state = (change: Partial<StateEvent>): StateEvent => ({
  type: 'state',
  instance: 'user-4000',
  service: 'user',
  state: 'ready',
  previous: 'healthy',
  port: 4000,
  pid: 7,
  elapsedMs: 1234,
  reason: undefined,
  restartInMs: undefined,
  lastLines: undefined,
  ...change,
});

const process: ProcessSnapshot = {
  instance: 'user-4000',
  service: 'user',
  port: 4000,
  url: 'http://127.0.0.1:4000',
  pid: 7,
  state: 'ready',
  restarts: 0,
  gates: {},
  readyMs: 450,
  reason: undefined,
};

test.each([
  [state({ state: 'starting' }), 'starting, pid 7'],
  [state({ state: 'listening', elapsedMs: 42 }), 'listening after 42 ms'],
  [state({}), 'ready after 1.23 s'],
  [state({ state: 'healthy', reason: 'was not registered' }), 'healthy, but was not registered'],
  [state({ state: 'crashed', reason: 'ended with exit code 1' }), 'crashed: ended with exit code 1'],
  [state({ state: 'backing-off', reason: 'x', restartInMs: 500 }), 'starts again in 0.50 s'],
  [state({ state: 'stopped' }), 'stopped'],
])('every change is one line', (event, text) => {
  const { view, out } = create();
  view.event(event);
  expect(out()).toBe(`user-4000 > ${text}\n`);
});

test('a port conflict names the port, its holder and what happens now', () => {
  const { view, out } = create();
  const event = { type: 'portConflict', instance: 'user-4001', service: 'user', port: 4001 } as const;
  view.event({ ...event, holder: { pid: 12, command: 'python3 -m http.server' }, replacement: 4003 });
  view.event({ ...event, holder: undefined, replacement: undefined });
  expect(out()).toBe(
    'user-4001 > port 4001 is held by pid 12 (python3 -m http.server): takes 4003 instead\n' +
      'user-4001 > port 4001 is held by another process: waits for it\n',
  );
});

test('logs have the name of their process in front, or are left out', () => {
  const line = { type: 'line', instance: 'a-1', service: 'a', stream: 'stdout', line: 'hello' } as const;
  const loud = create();
  loud.view.event({ ...line, instance: 'longer-1' });
  loud.view.event(line);
  expect(loud.out()).toBe('longer-1 | hello\na-1      | hello\n');
  const quiet = create({ quiet: true });
  quiet.view.event(line);
  expect(quiet.out()).toBe('');
});

test('colours are used only where they are wanted', () => {
  const { view, out } = create({ colors: true });
  view.event(state({}));
  expect(out()).toContain('\u001b[32mready after 1.23 s');
});

test('the last words when all are ready', () => {
  const { view, out } = create();
  view.ready({
    readyMs: 2310,
    processes: [process],
    urls: ['http://127.0.0.1:8000/', 'http://127.0.0.1:3000/'],
    hints: ['curl x'],
  });
  expect(out()).toContain('\nready in 2.31 s - http://127.0.0.1:8000/ and http://127.0.0.1:3000/\n');
  expect(out()).toContain('  try   curl x\n');
});

test('an error is one line, and the last output of who caused it', () => {
  const { view, err } = create();
  view.error(Object.assign(new Error('user-4000 crashed\nand more'), { lastLines: ['no database'] }));
  expect(err()).toBe('mesh: user-4000 crashed\n    no database\n');
});

test('the table leaves out columns in which nothing stands', () => {
  expect(processTable([process])).toEqual([
    '  instance    state   url                     pid   ready after',
    '  user-4000   ready   http://127.0.0.1:4000   7     0.45 s',
  ]);
  const [head] = processTable([{ ...process, restarts: 2, reason: 'x' }]);
  expect(head).toContain('restarts');
});

test.each([
  [0, '0 ms'],
  [99.4, '99 ms'],
  [100, '0.10 s'],
  [2310, '2.31 s'],
])('%d ms is said as %s', (ms, text) => {
  expect(seconds(ms)).toBe(text);
});
