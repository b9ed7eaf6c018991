import { expect, test } from '@jest/globals';
import { parseCommandLine, usage, UsageError } from './command-line.ts';

test('without options everything in mesh.config.ts is started', () => {
  expect(parseCommandLine([])).toEqual({
    config: 'mesh.config.ts',
    isolated: false,
    only: undefined,
    json: false,
    noColor: false,
    quiet: false,
    help: false,
    version: false,
  });
});

test('every option of the help is understood', () => {
  const names = [...usage.matchAll(/^ {2}--([a-z-]+)( <[^>]+>)?/gm)].map(([, name = '', value]) => ({
    name,
    value,
  }));
  expect(names.length).toBe(8);
  for (const { name, value } of names) {
    const parsed = parseCommandLine(value === undefined ? [`--${name}`] : [`--${name}`, 'a,b']);
    expect(parsed).not.toEqual(parseCommandLine([]));
  }
  expect(parseCommandLine(['--only', 'a, b']).only).toEqual(['a', 'b']);
});

test.each([
  [['--wat'], "Unknown option '--wat'; --help lists the options"],
  [['up'], /^Unexpected argument 'up'/],
  [['--only'], /^Option '--only <value>' argument missing/],
  [['--only', 'a,,b'], '--only needs the names of services, separated by commas'],
])('%j is refused in one line', (argv, message) => {
  expect(() => parseCommandLine(argv)).toThrow(UsageError);
  expect(() => parseCommandLine(argv)).toThrow(message);
  expect(() => parseCommandLine(argv)).not.toThrow('\n');
});
