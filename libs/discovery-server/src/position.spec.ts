import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatPosition, parsePosition } from './position.ts';

test('reads back what it wrote', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z0-9-]{1,64}$/), fc.nat(), (epoch, revision) => {
      expect(parsePosition(formatPosition(epoch, revision))).toEqual({ epoch, revision });
    }),
  );
});

test.each(['', ':', 'a:', ':1', 'a:-1', 'a:01', 'a:1:2', 'a:1e3', 'A:1', `a:${'9'.repeat(17)}`, 'a:1\n'])(
  'refuses %j',
  (text) => {
    expect(parsePosition(text)).toBeUndefined();
  },
);
