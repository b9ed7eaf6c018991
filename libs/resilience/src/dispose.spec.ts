import { expect, test } from '@jest/globals';
import { discard } from './dispose.ts';
import { settle } from './test-kit/virtual-time.ts';

declare const Response: new (body: string) => { text(): Promise<string>; readonly bodyUsed: boolean };

test('prefers asyncDispose, then dispose, then body.cancel', async () => {
  const log: string[] = [];
  const body = { cancel: () => log.push('cancel') };
  const dispose = (): unknown => log.push('dispose');
  discard({ body, [Symbol.dispose]: dispose, [Symbol.asyncDispose]: () => log.push('asyncDispose') });
  discard({ body, [Symbol.dispose]: dispose });
  discard({ body });
  await settle();
  expect(log).toEqual(['asyncDispose', 'dispose', 'cancel']);
});

test('leaves everything else alone', async () => {
  for (const value of [undefined, null, 1, 'text', {}, { body: null }, { body: {} }, () => 1]) discard(value);
  await settle();
});

test('what disposal throws or rejects with is of no interest', async () => {
  discard({
    [Symbol.dispose]: () => {
      throw new Error('dispose');
    },
  });
  discard({ [Symbol.asyncDispose]: () => Promise.reject(new Error('asyncDispose')) });
  discard({
    get body() {
      throw new Error('getter');
    },
  });
  await settle();
});

test('cancels the body of a Response', async () => {
  const response = new Response('body');
  discard(response);
  await settle();
  await expect(response.text()).rejects.toThrow('Body is unusable');
});
