import { expect, test } from '@jest/globals';
import { emptyHash } from '@mesh/discovery-client';
import fc from 'fast-check';
import { ChangeLog } from './change-log.ts';
import type { Change } from './change-log.ts';

const gone = {
  type: 'remove',
  service: 'a',
  name: 'a',
  id: 'a',
  reason: 'expired',
  wasListed: true,
  hashes: { listed: emptyHash, any: emptyHash },
} as const;

test('answers what a list of everything answers, as long as it reaches back', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10 }),
      fc.nat(40),
      fc.integer({ min: -2, max: 45 }),
      (capacity, n, from) => {
        const log = new ChangeLog(capacity);
        const all: Change[] = [];
        for (let revision = 1; revision <= n; revision++) {
          const change: Change = { ...gone, revision };
          log.append(change);
          all.push(change);
        }
        const isKnown = from >= Math.max(0, n - capacity) && from <= n;
        expect(log.since(from)).toEqual(isKnown ? all.slice(from) : undefined);
      },
    ),
  );
});
