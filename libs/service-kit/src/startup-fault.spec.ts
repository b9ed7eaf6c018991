import { expect, test } from '@jest/globals';
import { ConfigError } from './config.ts';
import { describeStartupFault } from './startup-fault.ts';

function systemError(message: string, fields: object): Error {
  return Object.assign(new Error(message), fields);
}

test.each<[string, unknown, string]>([
  [
    'a configuration',
    new ConfigError([{ path: 'PORT', message: 'must be a whole number' }]),
    'notes: configuration: PORT must be a whole number',
  ],
  [
    'a port that is taken',
    systemError('listen EADDRINUSE', {
      code: 'EADDRINUSE',
      syscall: 'listen',
      address: '127.0.0.1',
      port: 4000,
    }),
    'notes: port 4000 on 127.0.0.1 is already in use; stop what listens there or choose another PORT',
  ],
  [
    'a port for root',
    systemError('listen EACCES', { code: 'EACCES', syscall: 'listen', address: '127.0.0.1', port: 80 }),
    'notes: port 80 on 127.0.0.1 needs more rights; choose a PORT above 1023',
  ],
  [
    'a host nobody knows',
    systemError('getaddrinfo ENOTFOUND nohost', { code: 'ENOTFOUND', syscall: 'getaddrinfo' }),
    'notes: getaddrinfo ENOTFOUND nohost; check HOST',
  ],
  ['a database that is away', systemError('', { code: 'ECONNREFUSED', errors: [] }), 'notes: ECONNREFUSED'],
  ['several lines', systemError('one\n  two', { code: 'ERR_X' }), 'notes: one two'],
  ['what is no error', 'odd', 'notes: odd'],
])('%s is one line', (_what, error, line) => {
  expect(describeStartupFault('notes', error)).toBe(line);
});

test('a fault of the program keeps its stack', () => {
  const fault = new TypeError('x is not a function');
  expect(describeStartupFault('notes', fault)).toBe(`notes: ${fault.stack ?? ''}`);
});
