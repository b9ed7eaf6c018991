import { expect, test } from '@jest/globals';
import { entityTag, matchesTag } from './entity-tag.ts';

const tag = entityTag('epoch:7');

test.each(['W/"epoch:7"', '"epoch:7"', '*', '"other", W/"epoch:7"', ' W/"epoch:7" ,"x"'])(
  '%s matches',
  (header) => {
    expect(matchesTag(header, tag)).toBe(true);
  },
);

test.each([undefined, '', 'epoch:7', 'W/"epoch:70"', '"epoch:6"', 'W/W/"epoch:7"', ',,,'])(
  '%s does not',
  (header) => {
    expect(matchesTag(header, tag)).toBe(false);
  },
);
