import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { answerFields, rawPairs, trailerFields } from './answer-head.ts';

describe('rawPairs', () => {
  test('raw headers are latin1, however undici gives them', () => {
    const parsed = { a: '1', b: ['2', '3'], c: undefined };
    expect(rawPairs([Buffer.from('A'), Buffer.from('\xfc', 'latin1')], parsed)).toEqual(['A', '\xfc']);
    expect(rawPairs(['A', '1'], parsed)).toEqual(['A', '1']);
    expect(rawPairs([], parsed)).toEqual([]);
    expect(rawPairs(null, parsed)).toEqual(['a', '1', 'b', '2', 'b', '3']);
  });

  const text = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) });

  test('pieces of one chunk, of several and of none are read byte for byte', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(text, fc.boolean())), (parts) => {
        const chunk = Buffer.from(parts.map(([part]) => part).join(''), 'latin1');
        let at = 0;
        const pieces = parts.map(([part, isApart]) => {
          at += part.length;
          return isApart ? Buffer.from(part, 'latin1') : chunk.subarray(at - part.length, at);
        });
        expect(rawPairs(pieces, {})).toEqual(parts.map(([part]) => part));
      }),
    );
  });
});

describe('answerFields', () => {
  test('names who answered, unless the answer does', () => {
    expect(answerFields(['A', '1'], 'i-1')).toEqual(['A', '1', 'x-instance', 'i-1']);
    expect(answerFields(['X-Instance', 'me'], 'i-1')).toEqual(['X-Instance', 'me']);
    expect(answerFields(['A', '1'], undefined)).toEqual(['A', '1']);
  });

  test('what Connection names is gone, what it may not name stays', () => {
    const raw = ['X-A', '1', 'Connection', 'x-a, set-cookie, close', 'Set-Cookie', 'b', 'Keep-Alive', '5'];
    expect(answerFields(raw, undefined)).toEqual(['Set-Cookie', 'b']);
  });
});

test('trailers carry no field that frames, routes or guards a message', () => {
  const raw = [
    'X-Sum',
    '1',
    'Content-Length',
    '9',
    'Transfer-Encoding',
    'x',
    'Set-Cookie',
    'a',
    'Host',
    'h',
    'x-sum',
    '2',
  ];
  expect(trailerFields(raw)).toEqual(['X-Sum', '1', 'x-sum', '2']);
});
