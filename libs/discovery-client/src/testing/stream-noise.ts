import { instanceOf } from './fake-registry.ts';

type Random = () => number;

const pick = <T>(random: Random, all: readonly T[]): T => all[Math.floor(random() * all.length)] as T;

/** Values that a registry would not send, and some that it would. */
const values: readonly unknown[] = [
  null,
  0,
  -1,
  1e308,
  '',
  'users',
  '__proto__',
  [],
  {},
  [null],
  { __proto__: null },
  'x'.repeat(300),
  instanceOf('users', 4000),
  { ...instanceOf('users', 4001), port: '4001' },
  { ...instanceOf('users', 4002), metadata: null },
  { ...instanceOf('users', 4003), metadata: 'text', weight: -1, status: 7 },
  { ...instanceOf('users', 4004), id: '__proto__', name: 'constructor' },
];

const fields = [
  'instances',
  'instance',
  'name',
  'id',
  'reason',
  'hash',
  'hashes',
  'epoch',
  'revision',
  '__proto__',
];
const kinds = ['snapshot', 'upsert', 'remove', 'bookmark', 'reset', 'open', 'close', 'ping', '', 'new-kind'];
const ids = ['e1:1', 'e1:2', 'e2:1', 'e1:', ':1', 'e1:99999999999999999', '\0', '', 'e1:-1', 'é:7'];
const ends = ['\n\n', '\r\n\r\n', '\r\r', '\n', '', '\n\n\n\n', '\n\r\n'];
const debris = [
  'data',
  ':',
  ': comment',
  'retry: 9e9',
  'retry: -1',
  '\uFEFF',
  'data:{',
  'id',
  '\0',
  'event:',
  '\u2028',
];

function event(random: Random): string {
  const data: Record<string, unknown> = {};
  for (let count = random() * 4; count > 0; count--) data[pick(random, fields)] = pick(random, values);
  if (random() < 0.4) data['instances'] = Array.from({ length: 3 }, () => pick(random, values));
  if (random() < 0.4) data['instance'] = pick(random, values);
  let text = JSON.stringify(data);
  if (random() < 0.2) text = text.slice(0, random() * text.length);
  return `id: ${pick(random, ids)}\nevent: ${pick(random, kinds)}\ndata: ${text}${pick(random, ends)}`;
}

/** The bytes of a stream that is anything but a registry's, in any pieces. */
export function streamNoise(random: Random): Uint8Array[] {
  let text = '';
  for (let count = 1 + random() * 5; count > 0; count--) {
    text += random() < 0.8 ? event(random) : pick(random, debris) + pick(random, ends);
  }
  const bytes = new TextEncoder().encode(text);
  for (let count = random() < 0.3 ? random() * 8 : 0; count > 0; count--)
    bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = 1 + Math.floor(random() * (random() < 0.2 ? 3 : 400));
    pieces.push(bytes.slice(at, at + length));
    at += length;
  }
  return pieces;
}
