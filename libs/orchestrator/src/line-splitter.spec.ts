import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { LineSplitter } from './line-splitter.ts';

function split(chunks: readonly Buffer[], longest?: number): string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line), longest);
  for (const chunk of chunks) splitter.push(chunk);
  splitter.end();
  return lines;
}

function cut(bytes: Buffer, points: readonly number[]): Buffer[] {
  const at = [0, ...points.map((point) => point % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return at.slice(1).map((to, index) => bytes.subarray(at[index], to));
}

test('however the bytes are cut, the lines are those of the text', () => {
  const text = fc
    .array(fc.constantFrom('a', 'é', '😀', '\n', '\r\n', ' '), { maxLength: 40 })
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(text, fc.array(fc.nat(200), { maxLength: 10 }), (whole, points) => {
      const expected = whole.split(/\r?\n/);
      if (expected.at(-1) === '') expected.pop();
      expect(split(cut(Buffer.from(whole), points))).toEqual(expected);
    }),
  );
});

test('of a long line the beginning is kept, and the lines after it are whole', () => {
  fc.assert(
    fc.property(fc.nat(500), fc.array(fc.nat(600), { maxLength: 10 }), (length, points) => {
      const lines = split(cut(Buffer.from(`${'x'.repeat(length)}\nnext`), points), 100);
      const expected =
        length <= 100 ? 'x'.repeat(length) : `${'x'.repeat(100)} ... [${length - 100} more characters]`;
      expect(lines).toEqual([expected, 'next']);
    }),
  );
});

test('a limit below 1 is refused', () => {
  expect(() => new LineSplitter(() => undefined, 0)).toThrow(RangeError);
});
