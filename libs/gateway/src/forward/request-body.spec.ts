import { afterEach, expect, jest, test } from '@jest/globals';
import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { discardRest } from './request-body.ts';

afterEach(() => {
  jest.useRealTimers();
});

test('the rest of an injected request, which has no socket of its own, is cut off as well', () => {
  jest.useFakeTimers();
  const request = Object.assign(new PassThrough(), { complete: false, socket: {} });
  discardRest(request as unknown as IncomingMessage);
  jest.advanceTimersByTime(1_001);
  expect(request.destroyed).toBe(true);
});
