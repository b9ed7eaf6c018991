import { expect, test } from '@jest/globals';
import { isDatabaseOpenError } from './errors.ts';
import { assertSafeToShare } from './sqlite-file.ts';

test.each(['3.7.0', '3.47.2', '3.50.4', '3.51.2', undefined])(
  'a shared file is refused under SQLite %s',
  (version) => {
    let failure: unknown;
    try {
      assertSafeToShare(version);
    } catch (error) {
      failure = error;
    }
    expect(isDatabaseOpenError(failure)).toBe(true);
    expect(String(failure)).toContain('3.51.3');
    expect(String(failure)).toContain('shared: false');
  },
);

test.each(['3.51.3', '3.51.10', '3.52.0', '3.53.4', '4.0.0'])('and welcome under SQLite %s', (version) => {
  expect(() => {
    assertSafeToShare(version);
  }).not.toThrow();
});
