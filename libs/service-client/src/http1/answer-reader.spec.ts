import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { request } from 'node:http';
import { Duplex } from 'node:stream';
import { AnswerReader } from './answer-reader.ts';
import { FieldLines } from './field-lines.ts';

/** Everything that was read, as plain data. */
interface Seen {
  readonly heads: { status: number; message: string; rawHeaders: string[] }[];
  body: string;
  trailers: string[] | undefined;
  /** Bytes after the answer. */
  rest: number;
  error: string | undefined;
}

/** Reads an answer in pieces, then the end of the connection; `before` was read on it earlier. */
function read(pieces: readonly Buffer[], method = 'GET', before: readonly Buffer[] = []): Seen {
  let seen: Seen = { heads: [], body: '', trailers: undefined, rest: 0, error: undefined };
  const reader = new AnswerReader(
    {
      onHead: ({ status, message, rawHeaders }) => seen.heads.push({ status, message, rawHeaders }),
      onData: (bytes, at, end) => (seen.body += bytes.toString('latin1', at, end)),
      onEnd: (trailers) => (seen.trailers = trailers),
    },
    new FieldLines(),
  );
  for (const piece of before) {
    reader.begin('GET');
    reader.read(piece, piece.length);
  }
  seen = { heads: [], body: '', trailers: undefined, rest: 0, error: undefined };
  reader.begin(method);
  try {
    for (const piece of pieces) seen.rest += piece.length - reader.read(piece, piece.length);
    if (seen.trailers === undefined) reader.end();
  } catch (error) {
    seen.error = (error as Error).message;
  }
  return seen;
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const whole = (text: string, method?: string): Seen => read([bytes(text)], method);

/** Cuts a text at some of its places. */
function cut(text: string, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (text.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, index) => bytes(text.slice(from, at[index] ?? text.length)));
}

const token = fc.string({
  unit: fc.constantFrom(...Array.from('abcXYZ019-_!~')),
  minLength: 1,
  maxLength: 20,
});
const framingNames = ['connection', 'content-length', 'transfer-encoding', 'keep-alive'];
const name = token.filter((text) => !framingNames.includes(text.toLowerCase()));
const visible = fc.string({ unit: fc.constantFrom(...Array.from('aZ 0:;,"=\t\x80\xff')), maxLength: 40 });
const value = visible.map((text) => text.replace(/^[ \t]+|[ \t]+$/g, ''));
const fields = fc.array(fc.tuple(name, value), { maxLength: 6 });
const body = fc.string({ unit: fc.constantFrom(...Array.from('a\r\n0;\xff\0')), maxLength: 200 });
const places = fc.array(fc.nat(2_000), { maxLength: 12 });
const lines = (pairs: readonly (readonly [string, string])[]): string =>
  pairs.map(([key, text]) => `${key}: ${text}\r\n`).join('');

describe('answers as they should be', () => {
  const interim = fc.record({ status: fc.constantFrom(100, 102, 103), fields });
  const framed = fc.oneof(
    fc.record({ kind: fc.constant('sized' as const), body }),
    fc.record({ kind: fc.constant('open' as const), body }),
    fc.record({
      kind: fc.constant('chunked' as const),
      chunks: fc.array(body.filter((text) => text !== '')),
      extension: fc.constantFrom('', ';a=b', ';x="y z"'),
      trailers: fields,
    }),
    fc.record({ kind: fc.constant('none' as const), status: fc.constantFrom(204, 304) }),
  );

  test('what was written is read, however it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(interim, { maxLength: 3 }),
        fields,
        framed,
        places,
        (interims, own, message, cuts) => {
          const status = message.kind === 'none' ? message.status : 200;
          let text = interims.map((one) => `HTTP/1.1 ${one.status} x\r\n${lines(one.fields)}\r\n`).join('');
          let framing: [string, string][] = [];
          let wire = '';
          let expected = '';
          let trailers: (readonly [string, string])[] = [];
          if (message.kind === 'sized') {
            framing = [['Content-Length', String(message.body.length)]];
            wire = expected = message.body;
          } else if (message.kind === 'open') wire = expected = message.body;
          else if (message.kind === 'none') framing = [['Content-Length', '7']];
          else {
            framing = [['Transfer-Encoding', 'chunked']];
            expected = message.chunks.join('');
            trailers = message.trailers;
            for (const chunk of message.chunks) {
              wire += `${chunk.length.toString(16)}${message.extension}\r\n${chunk}\r\n`;
            }
            wire += `0\r\n${lines(trailers)}\r\n`;
          }
          const all = [...own, ...framing];
          text += `HTTP/1.1 ${status} Fine\r\n${lines(all)}\r\n${wire}`;
          expect(read(cut(text, cuts))).toEqual({
            heads: [
              ...interims.map((one) => ({ status: one.status, message: 'x', rawHeaders: one.fields.flat() })),
              { status, message: 'Fine', rawHeaders: all.flat() },
            ],
            body: expected,
            trailers: trailers.flat(),
            rest: 0,
            error: undefined,
          });
        },
      ),
      { numRuns: 500 },
    );
  });

  test('what was said before changes nothing', () => {
    const field = fc.constantFrom(
      ...[
        'Date: 1',
        'Date: 12',
        'date: 1',
        'X: Date: 1',
        'X:',
        'X: ',
        'Connection: close',
        'Keep-Alive: timeout=9',
        'D: \xff',
      ],
    );
    const answer = fc
      .array(field, { maxLength: 8 })
      .map((all) => bytes(['HTTP/1.1 200 OK', ...all, 'Content-Length: 0', '', ''].join('\r\n')));
    fc.assert(
      fc.property(fc.array(answer, { maxLength: 4 }), answer, (before, last) => {
        expect(read([last], 'GET', before)).toEqual(read([last]));
      }),
      { numRuns: 500 },
    );
  });

  test('what comes after it is not part of it', () => {
    const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
    expect(whole(`${answer}HTTP/1.1 200 OK\r\n\r\n`)).toMatchObject({ body: 'ok', rest: 19 });
    const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n';
    expect(whole(`${chunked}more`)).toMatchObject({ body: 'ok', rest: 4, trailers: [] });
  });

  test('HEAD has no body, a new protocol and CONNECT no end', () => {
    expect(whole('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n', 'HEAD')).toMatchObject({ trailers: [] });
    const switched = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nbytes';
    expect(whole(switched)).toMatchObject({ body: '', trailers: undefined, rest: 5 });
    expect(whole('HTTP/1.1 200 OK\r\n\r\nbytes', 'CONNECT')).toMatchObject({ trailers: undefined, rest: 5 });
  });

  test.each([
    ['no reason phrase', 'HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n'],
    ['an empty reason phrase', 'HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n'],
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['an empty value', 'HTTP/1.1 200 OK\r\nX:\r\nContent-Length: 0\r\n\r\n'],
    ['blanks around a length', 'HTTP/1.1 200 OK\r\nContent-Length: \t0 \r\n\r\n'],
  ])('%s is taken', (_, text) => {
    expect(whole(text)).toMatchObject({ error: undefined, trailers: [] });
  });
});

describe('answers that two readers could take for two things are refused', () => {
  const ok = 'HTTP/1.1 200 OK\r\n';
  test.each([
    ['another protocol', 'SSH-2.0-OpenSSH\r\n'],
    ['HTTP/2', 'HTTP/2 200\r\n\r\n'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
    ['a blank before the status line', ` ${ok}\r\n`],
    ['two blanks', 'HTTP/1.1  200 OK\r\n\r\n'],
    ['a line feed alone', 'HTTP/1.1 200 OK\nX: y\r\n\r\n'],
    ['a carriage return alone', `${ok}X: y\rZ: 1\r\n\r\n`],
    ['a folded line', `${ok}X: y\r\n z\r\n\r\n`],
    ['NUL', `${ok}X: y\0\r\n\r\n`],
    ['a line without a colon', `${ok}X\r\n\r\n`],
    ['a blank before the colon', `${ok}Content-Length : 2\r\n\r\nok`],
    ['an empty name', `${ok}: y\r\n\r\n`],
    ['two lengths', `${ok}Content-Length: 2\r\nContent-Length: 3\r\n\r\nok`],
    ['one length twice', `${ok}Content-Length: 2\r\ncontent-length: 2\r\n\r\nok`],
    ['a list of lengths', `${ok}Content-Length: 2, 2\r\n\r\nok`],
    ['a signed length', `${ok}Content-Length: +2\r\n\r\nok`],
    ['a length in hexadecimal', `${ok}Content-Length: 0x2\r\n\r\nok`],
    ['an empty length', `${ok}Content-Length:\r\n\r\nok`],
    ['a length beyond counting', `${ok}Content-Length: 9007199254740993\r\n\r\nok`],
    ['a length beside chunks', `${ok}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['another coding', `${ok}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
    ['chunked twice', `${ok}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['a tab beside chunked', `${ok}Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n`],
    ['a length in the trailers', `${ok}Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 1\r\n\r\n`],
    ['chunks in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['no length of a chunk', `${ok}Transfer-Encoding: chunked\r\n\r\n\r\nok\r\n0\r\n\r\n`],
    ['a chunk that is too long', `${ok}Transfer-Encoding: chunked\r\n\r\n1\r\nok\r\n0\r\n\r\n`],
    ['a chunk that ends with LF', `${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nok\n0\r\n\r\n`],
    ['a chunk line that ends with LF', `${ok}Transfer-Encoding: chunked\r\n\r\n2\nok\r\n0\r\n\r\n`],
    ['an extension with LF', `${ok}Transfer-Encoding: chunked\r\n\r\n2;a\nb\r\nok\r\n0\r\n\r\n`],
    ['a chunk beyond counting', `${ok}Transfer-Encoding: chunked\r\n\r\n1000000000000\r\n`],
    ['a signed chunk', `${ok}Transfer-Encoding: chunked\r\n\r\n-1\r\n`],
    ['a trailer that is none', `${ok}Transfer-Encoding: chunked\r\n\r\n0\r\nX\r\n\r\n`],
    [
      'endless extensions',
      `${ok}Transfer-Encoding: chunked\r\n\r\n2;${'a'.repeat(20_000)}\r\nok\r\n0\r\n\r\n`,
    ],
    ['endless interim answers', 'HTTP/1.1 103 x\r\n\r\n'.repeat(40)],
  ])('%s', (_, text) => {
    const seen = whole(text);
    expect(seen.error).toMatch(/^malformed answer: /);
    expect(seen.trailers).toBeUndefined();
  });

  test.each([
    ['a head', ok + 'X: y\r\n'.repeat(20_000)],
    ['trailers', `${ok}Transfer-Encoding: chunked\r\n\r\n0\r\n${'X: y\r\n'.repeat(5_000)}`],
  ])('%s without an end', (_, text) => {
    expect(whole(text).error).toMatch(/overflow/i);
  });

  test('half an answer is none', () => {
    expect(whole(`${ok}Content-Length: 3\r\n\r\nok`).trailers).toBeUndefined();
    expect(whole(`${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n`).trailers).toBeUndefined();
    expect(whole('HTTP/1.1 200 OK\r\n').trailers).toBeUndefined();
  });
});

/** The same bytes read by Node's own client. */
function readByNode(
  text: string,
): Promise<{ status: number; rawHeaders: string[]; body: string } | undefined> {
  return new Promise((resolve) => {
    const socket = new Duplex({
      read: () => undefined,
      write: (_chunk, _encoding, written) => {
        written();
        socket.push(bytes(text));
        socket.push(null);
      },
    });
    const asking = request({ createConnection: () => socket }, (answer) => {
      let read = '';
      answer.setEncoding('latin1');
      answer.on('data', (part: string) => (read += part));
      answer.on('error', () => {
        resolve(undefined);
      });
      answer.on('close', () => {
        const { statusCode: status = 0, rawHeaders, complete } = answer;
        resolve(complete ? { status, rawHeaders, body: read } : undefined);
      });
    });
    asking.on('error', () => {
      resolve(undefined);
    });
    asking.on('upgrade', () => {
      resolve(undefined);
    });
    asking.end();
  });
}

test('an answer that is taken is one that Node takes, for the same', async () => {
  const seeds = [
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nok',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n2\r\nok\r\n1;a=b\r\n!\r\n0\r\nX-T: 1\r\n\r\n',
    'HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\nnothing',
  ];
  const piece = fc.constantFrom(
    ...Array.from('\r\n\t :;,01aX\0\x7f\xff'),
    '\r\n',
    'Content-Length: 1\r\n',
    'Transfer-Encoding: chunked\r\n',
  );
  const edit = fc.record({ at: fc.nat(200), drop: fc.nat(2), put: piece });
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...seeds),
      fc.array(edit, { minLength: 1, maxLength: 3 }),
      async (seed, edits) => {
        let text = seed;
        for (const { at, drop, put } of edits) {
          const place = at % (text.length + 1);
          text = text.slice(0, place) + put + text.slice(place + drop);
        }
        const ours = whole(text);
        const [final] = ours.heads.filter(({ status }) => status >= 200);
        if (ours.trailers === undefined || ours.rest > 0 || final === undefined) return;
        taken++;
        const { status, rawHeaders } = final;
        expect(await readByNode(text)).toEqual({ status, rawHeaders, body: ours.body });
      },
    ),
    { numRuns: 1_500 },
  );
  expect(taken).toBeGreaterThan(100);
});
