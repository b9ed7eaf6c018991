import { expect, test } from '@jest/globals';
import { errors } from 'undici';
import { errorKind, toError } from './error-kind.ts';
import { NoInstanceError, TimeoutError, UpstreamError } from './errors.ts';

const system = (code: string, syscall?: string): Error => Object.assign(new Error(code), { code, syscall });

test.each([
  [new errors.SocketError('other side closed'), 'network'],
  [new errors.HeadersTimeoutError(), 'timeout'],
  [new errors.BodyTimeoutError(), 'timeout'],
  [new errors.ConnectTimeoutError(), 'timeout'],
  [new errors.HTTPParserError('not HTTP'), 'network'],
  [system('ECONNRESET', 'read'), 'network'],
  [new UpstreamError('user-service', 'reset'), 'network'],
  [new TimeoutError('late'), 'timeout'],
  // Node's IncomingMessage breaks off with a bare ECONNRESET: the caller's body, not the instance.
  [system('ECONNRESET'), 'other'],
  [system('ENOENT', 'open'), 'other'],
  [new errors.InvalidArgumentError('bad'), 'other'],
  [new errors.RequestAbortedError(), 'other'],
  [new errors.ClientClosedError(), 'other'],
  [new NoInstanceError('user-service'), 'other'],
  [new Error('body stream failed'), 'other'],
  ['text', 'other'],
] as const)('%s after sending is %s', (error, kind) => {
  expect(errorKind(error, true)).toBe(kind);
});

test('before sending, a system code is enough: happy eyeballs reports an AggregateError without a system call', () => {
  expect(errorKind(system('ECONNREFUSED'), false)).toBe('network');
  expect(errorKind(new NoInstanceError('user-service'), false)).toBe('other');
});

test('toError keeps an error and wraps anything else', () => {
  const error = new Error('x');
  expect(toError(error)).toBe(error);
  expect(toError('text')).toMatchObject({ message: 'text', cause: 'text' });
});
