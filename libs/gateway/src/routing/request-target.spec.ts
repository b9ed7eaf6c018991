import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { encodedSlashFault, readTarget, targetFault } from './request-target.ts';

const piece = fc.constantFrom(
  'a',
  'Z',
  '0',
  '-',
  '.',
  '_',
  '~',
  '/',
  '%41',
  '%7e',
  '%2E',
  '%2e',
  '%20',
  '%25',
  '%3F',
  '%c3%bc',
  ':',
  '@',
  ';',
  '!',
  '?',
);
const path = fc.array(piece, { maxLength: 20 }).map((pieces) => `/${pieces.join('')}`);

/** RFC 3986, 6.2.2.2, one character after the other. */
function naiveNormalised(text: string): string {
  let result = '';
  for (let at = 0; at < text.length;) {
    const escape = text.slice(at, at + 3);
    const decoded = /^%[0-9A-Fa-f]{2}$/.test(escape)
      ? String.fromCharCode(parseInt(escape.slice(1), 16))
      : undefined;
    const isUnreserved = decoded !== undefined && /^[A-Za-z0-9._~-]$/.test(decoded);
    result += isUnreserved ? decoded : (text[at] ?? '');
    at += isUnreserved ? 3 : 1;
  }
  return result;
}

test('the two halves are the target, and the copy has its unreserved characters decoded', () => {
  fc.assert(
    fc.property(path, (url) => {
      const target = readTarget(url);
      expect(target.path + target.query).toBe(url);
      expect(target.path).not.toContain('?');
      expect(target.normalised).toBe(naiveNormalised(target.path));
    }),
  );
});

test('a path without a fault is the same place for a URL parser', () => {
  fc.assert(
    fc.property(path, (url) => {
      const target = readTarget(url);
      if (targetFault(target) !== undefined) return;
      const parsed = new URL(`http://mesh.example${url}`);
      expect(parsed.host).toBe('mesh.example');
      expect(parsed.pathname).toBe(target.path);
    }),
  );
});

describe('faults', () => {
  test.each([
    ['', 'start'],
    ['x', 'start'],
    ['*', 'start'],
    ['http://a/b', 'start'],
    ['//a', '"//"'],
    ['/a\\b', 'backslash'],
    ['/a#b', 'fragment'],
    ['/a?b#c', 'fragment'],
    ['/a b', 'blanks'],
    ['/a?b c', 'blanks'],
    ['/a\r\nb', 'blanks'],
    ['/a\x7f', 'blanks'],
    ['/\u20ac', 'blanks'],
    ['/%', 'escape'],
    ['/%g0', 'escape'],
    ['/a%2Fb', 'escaped slash'],
    ['/a%5cb', 'escaped slash'],
    ['/a%00', 'escaped slash'],
    ['/..', 'dot'],
    ['/.', 'dot'],
    ['/a/%2E%2e', 'dot'],
    ['/a/.%2e;x/b', 'dot'],
  ])('%j', (url, words) => {
    expect(targetFault(readTarget(url))).toContain(words);
  });

  test.each(['/', '/...', '/.a', '/a..', '/a//b', '/%252f', '/\xfc', '/a?../\\%2f%', '/a;..', '/%C3%BC'])(
    '%j has none',
    (url) => {
      expect(targetFault(readTarget(url))).toBeUndefined();
    },
  );
});

describe('an escaped slash that a route keeps', () => {
  test.each(['/a%2Fb', '/%2fa', '/a%5Cb'])('%s is let through', (url) => {
    expect(targetFault(readTarget(url), true)).toBeUndefined();
    expect(encodedSlashFault(readTarget(url))).toContain('escaped slash');
  });

  test.each(['/a/..%2Fb', '/a%2f..', '/a%2f.%2fb', '/%2E%2e%5cb', '/a%5c..;x/b'])(
    '%s would be dot segments for who decodes it, and is refused',
    (url) => {
      expect(targetFault(readTarget(url), true)).toContain('dot');
    },
  );

  test.each(['/a%00b', '/a\\b', '//a', '/%2f%00'])('%j stays refused', (url) => {
    expect(targetFault(readTarget(url), true)).toBeDefined();
  });
});
