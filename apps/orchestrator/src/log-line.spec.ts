import { expect, test } from '@jest/globals';
import { createLogFormat } from './log-line.ts';

const plain = createLogFormat(false);
const colored = createLogFormat(true);
const record = (fields: object): string =>
  JSON.stringify({
    level: 30,
    time: 0,
    pid: 1,
    hostname: 'h',
    service: 'user',
    instance: 'user-1',
    ...fields,
  });

test('a log record becomes one readable line without what the prefix says', () => {
  expect(plain(record({ msg: 'hello', port: 4000 }))).toEqual([
    expect.stringMatching(/^\[\d\d:\d\d:00\.000\] INFO: hello \{"port":4000\}$/),
  ]);
});

test('an error keeps its stack, line by line', () => {
  const lines = plain(
    record({ level: 50, msg: 'oh', err: { type: 'Error', message: 'oh', stack: 'Error: oh\n  at x' } }),
  );
  expect(lines[0]).toContain('ERROR: oh');
  expect(lines.join('\n')).toContain('at x');
  expect(lines.every((line) => !line.includes('\n'))).toBe(true);
});

test.each(['hello', '', '42', '"text"', '{ not json', 'null', '[1]'])('%j stays as it is', (line) => {
  expect(plain(line)).toEqual([line]);
});

test('a log cannot steer the terminal, neither through JSON nor as it is', () => {
  const evil = 'a\u001b[2Jb\u001b]0;title\u0007c\u009b2Jd\u0007e\rf';
  expect(plain(evil)).toEqual(['abc2Jdef']);
  expect(plain(record({ msg: evil })).join('')).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
  expect(colored(record({ msg: evil })).join('')).not.toMatch(/\u001b(?!\[[\d;]*m)/);
});

test('colours are kept only where there are colours', () => {
  expect(colored('\u001b[31mred\u001b[0m')).toEqual(['\u001b[31mred\u001b[0m']);
  expect(plain('\u001b[31mred\u001b[0m')).toEqual(['red']);
});
