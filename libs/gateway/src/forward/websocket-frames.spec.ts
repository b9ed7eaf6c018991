import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { FrameBoundaries, goingAway } from './websocket-frames.ts';

interface Frame {
  readonly opcode: number;
  readonly isMasked: boolean;
  readonly length: number;
}

const length = fc.oneof(fc.nat({ max: 200 }), fc.constantFrom(0, 1, 125, 126, 127, 65_535, 65_536, 70_000));

const frame: fc.Arbitrary<Frame> = fc.record({
  opcode: fc.constantFrom(0, 1, 2, 8, 9, 10),
  isMasked: fc.boolean(),
  length,
});

/** The bytes of a frame, as RFC 6455, 5.2 draws them. The payload looks like heads. */
function bytesOf({ opcode, isMasked, length: size }: Frame): Buffer {
  const extended = Buffer.alloc(size > 65_535 ? 8 : size > 125 ? 2 : 0);
  if (extended.length === 8) extended.writeBigUInt64BE(BigInt(size));
  else if (extended.length === 2) extended.writeUInt16BE(size);
  const seven = extended.length === 8 ? 127 : extended.length === 2 ? 126 : size;
  return Buffer.concat([
    Buffer.from([0x80 | opcode, (isMasked ? 0x80 : 0) | seven]),
    extended,
    Buffer.alloc(isMasked ? 4 : 0, 0xfe),
    Buffer.alloc(size, 0x88),
  ]);
}

/** Cuts a buffer at random places. */
function cut(whole: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % (whole.length + 1)), whole.length].sort((a, b) => a - b);
  return at.slice(1).map((end, index) => whole.subarray(at[index], end));
}

const places = fc.array(fc.nat(), { maxLength: 30 });

test('however the bytes come, the ends of the frames are found', () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 8 }), places, (frames, cuts) => {
      const all = frames.map(bytesOf);
      const ends = new Set([0]);
      let closedAt = Infinity;
      let end = 0;
      all.forEach((bytes, index) => {
        if (frames[index]?.opcode === 8) closedAt = Math.min(closedAt, end);
        end += bytes.length;
        ends.add(end);
      });
      const boundaries = new FrameBoundaries();
      let read = 0;
      for (const chunk of cut(Buffer.concat(all), cuts)) {
        expect(boundaries.read(chunk)).toBe(chunk.length);
        read += chunk.length;
        expect(boundaries.isBetween).toBe(ends.has(read));
        expect(boundaries.hasClosed).toBe(read > closedAt);
      }
    }),
  );
});

test('it stops where the frame under way ends, and goes on from there', () => {
  fc.assert(
    fc.property(fc.array(frame, { minLength: 1, maxLength: 8 }), places, (frames, cuts) => {
      const all = frames.map(bytesOf);
      const boundaries = new FrameBoundaries();
      const found: number[] = [];
      let read = 0;
      for (const chunk of cut(Buffer.concat(all), cuts)) {
        for (let at = 0; at < chunk.length;) {
          const step = boundaries.read(chunk.subarray(at), true);
          expect(step).toBeGreaterThan(0);
          at += step;
          read += step;
          if (boundaries.isBetween) found.push(read);
        }
      }
      let end = 0;
      expect(found).toEqual(all.map((bytes) => (end += bytes.length)));
    }),
  );
});

test('a length that nobody can send is never over', () => {
  const boundaries = new FrameBoundaries();
  boundaries.read(Buffer.from([0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]));
  boundaries.read(Buffer.alloc(100_000));
  expect(boundaries.isBetween).toBe(false);
});

test('1001 as a server says it, and as a client does', () => {
  expect(goingAway(false)).toEqual(Buffer.from([0x88, 0x02, 0x03, 0xe9]));
  const masked = goingAway(true);
  const key = masked.subarray(2, 6);
  expect([...masked.subarray(0, 2)]).toEqual([0x88, 0x82]);
  expect([...masked.subarray(6)].map((byte, at) => byte ^ (key[at] ?? 0))).toEqual([0x03, 0xe9]);
  expect(goingAway(true)).not.toEqual(masked);
});
