import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { requestGuard } from './request-guard.ts';
import type { GuardedRequest, GuardOptions } from './request-guard.ts';

type Headers = GuardedRequest['headers'];

const answer = (headers: Headers, options?: GuardOptions, method = 'POST') =>
  requestGuard(options)({ method, headers })?.code ?? 'passes';

const hostAnswer = (host: string | readonly string[] | undefined, options?: GuardOptions) =>
  answer({ host }, options);

describe('Host', () => {
  test.each([
    'localhost',
    'localhost:3000',
    'LocalHost:3000',
    'localhost.',
    'localhost.:3000',
    '127.0.0.1',
    '127.0.0.1:8000',
    '[::1]',
    '[::1]:3000',
  ])('%s passes by default', (host) => {
    expect(hostAnswer(host)).toBe('passes');
  });

  test('DNS rebinding: a page that made evil.example resolve to 127.0.0.1 is refused', () => {
    expect(hostAnswer('evil.example')).toBe('ERR_FORBIDDEN');
    expect(answer({ host: 'evil.example:3000', origin: 'http://evil.example:3000' })).toBe('ERR_FORBIDDEN');
  });

  test.each([
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'evil.localhost',
    'evillocalhost',
    'localhost-evil',
    '127.0.0.10',
    '127.0.0.1.evil.example:3000',
  ])('prefix and suffix trick %s', (host) => {
    expect(hostAnswer(host)).toBe('ERR_FORBIDDEN');
  });

  test.each([
    'localhost:80@evil',
    'localhost@evil.example',
    'evil.example@localhost',
    'user:pass@localhost',
    'localhost:3000@evil.example:80',
  ])('userinfo trick %s', (host) => {
    expect(hostAnswer(host)).toBe('ERR_FORBIDDEN');
  });

  test.each([
    '',
    ' ',
    '.',
    'localhost..',
    'localhost:',
    'localhost:0',
    'localhost:65536',
    'localhost:80:80',
    'localhost:+80',
    'localhost:8e1',
    'localhost, evil.example',
    'localhost evil.example',
    ' localhost',
    'localhost\n',
    'localhost/',
    'localhost#',
    'localhost?',
    'localhost\\evil.example',
    'localhost%00',
    'localhost\0.evil.example',
    'ⓛocalhost',
    '::1',
    '[::1',
    '[::1]evil',
    '[::1].evil.example',
    '[::1%25lo]',
    '[localhost]',
    'a'.repeat(100_000),
  ])('malformed %j', (host) => {
    expect(hostAnswer(host)).toBe('ERR_FORBIDDEN');
  });

  test('missing and duplicate are refused, also under several spellings', () => {
    expect(answer({})).toBe('ERR_FORBIDDEN');
    expect(hostAnswer(undefined)).toBe('ERR_FORBIDDEN');
    expect(hostAnswer([])).toBe('ERR_FORBIDDEN');
    expect(hostAnswer(['localhost', 'localhost'])).toBe('ERR_FORBIDDEN');
    expect(hostAnswer(['localhost', 'evil.example'])).toBe('ERR_FORBIDDEN');
    expect(answer({ host: 'localhost', Host: 'evil.example' })).toBe('ERR_FORBIDDEN');
    expect(hostAnswer(['localhost'])).toBe('passes');
    expect(answer({ Host: 'localhost' })).toBe('passes');
  });

  test('a list replaces the default; an entry with a port means that port alone', () => {
    const options = { allowedHosts: ['Mesh.Example.', '10.0.0.5:3000', '[2001:db8::1]'] };
    expect(hostAnswer('mesh.example', options)).toBe('passes');
    expect(hostAnswer('mesh.example:81', options)).toBe('passes');
    expect(hostAnswer('10.0.0.5:3000', options)).toBe('passes');
    expect(hostAnswer('[2001:DB8::1]:9', options)).toBe('passes');
    expect(hostAnswer('10.0.0.5:3001', options)).toBe('ERR_FORBIDDEN');
    expect(hostAnswer('10.0.0.5', options)).toBe('ERR_FORBIDDEN');
    expect(hostAnswer('localhost', options)).toBe('ERR_FORBIDDEN');
  });

  test('letters that only lower-case to ASCII are other letters', () => {
    expect(hostAnswer('kiosk', { allowedHosts: ['kiosk'] })).toBe('passes');
    expect(hostAnswer('\u212Aiosk', { allowedHosts: ['kiosk'] })).toBe('ERR_FORBIDDEN');
  });

  test('no host outside the list passes, however it is spelt', () => {
    const allowedHosts = ['localhost', '127.0.0.1', '[::1]', 'mesh.example:3000'];
    const guard = requestGuard({ allowedHosts });
    const piece = fc.constantFrom(
      ...['localhost', 'LOCALHOST', '127.0.0.1', '[::1]', 'mesh.example', 'evil', 'example', '3000', '80'],
      ...[
        '.',
        ':',
        '@',
        '/',
        '\\',
        '#',
        '?',
        '%',
        ',',
        ' ',
        '\t',
        '\0',
        '[',
        ']',
        '-',
        '\uFF10',
        '\u017F',
        '\u0130',
        '\u212A',
      ],
    );
    const host = fc.oneof(
      fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join('')),
      fc.array(piece, { minLength: 1, maxLength: 3 }).map((pieces) => pieces.join('.')),
      fc.string(),
      fc.domain(),
      fc.webAuthority({ withIPv4: true, withIPv6: true, withPort: true, withUserInfo: true }),
    );
    let passed = 0;
    fc.assert(
      fc.property(host, (text) => {
        const passes = guard({ method: 'POST', headers: { host: text } }) === undefined;
        passed += Number(passes);
        return passes === isListed(text);
      }),
      { numRuns: 3000, seed: 1 },
    );
    expect(passed).toBeGreaterThan(20);
  });
});

/** The naive model: spell out every accepted form of an entry and compare whole texts. */
function isListed(text: string): boolean {
  const port = /:0*([0-9]+)$/.exec(text)?.[1] ?? '';
  const digits = /:([0-9]+)$/.exec(text)?.[1] ?? '';
  if (digits !== '' && (Number(port) > 65_535 || Number(port) < 1 || digits.length > 5)) return false;
  const end = digits === '' ? '' : `:${digits}`;
  const lower = text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  const names = ['localhost', '127.0.0.1', '[::1]', ...(port === '3000' ? ['mesh.example'] : [])];
  return names.some((name) => lower === `${name}${end}` || lower === `${name}.${end}`);
}

describe('Origin', () => {
  const from = (
    origin: string | readonly string[] | undefined,
    options?: GuardOptions,
    host = 'localhost:3000',
  ) => answer({ host, origin }, options);

  test('absent is fine: callers that are no browser send none', () => {
    expect(from(undefined)).toBe('passes');
  });

  test('CSRF: a page of evil.example that posts to this machine is refused', () => {
    expect(from('http://evil.example')).toBe('ERR_FORBIDDEN');
    expect(from('http://evil.example:3000')).toBe('ERR_FORBIDDEN');
    expect(from('http://localhost.evil.example:3000')).toBe('ERR_FORBIDDEN');
    expect(from('http://localhost:3000@evil.example')).toBe('ERR_FORBIDDEN');
  });

  test('an opaque origin (sandboxed frame, file:, data:) says null and is refused', () => {
    expect(from('null')).toBe('ERR_FORBIDDEN');
  });

  test('the same host passes; another port is another host', () => {
    expect(from('http://localhost:3000')).toBe('passes');
    expect(from('HTTP://LOCALHOST:3000')).toBe('passes');
    expect(from('http://localhost:3001')).toBe('ERR_FORBIDDEN');
    expect(from('http://127.0.0.1:3000')).toBe('ERR_FORBIDDEN');
    expect(from('http://[::1]:3000', {}, '[::1]:3000')).toBe('passes');
  });

  test('an unnamed port is the one of the scheme', () => {
    expect(from('http://localhost', {}, 'localhost')).toBe('passes');
    expect(from('http://localhost', {}, 'localhost:80')).toBe('passes');
    expect(from('https://localhost:443', {}, 'localhost')).toBe('passes');
    expect(from('https://localhost', {}, 'localhost:80')).toBe('ERR_FORBIDDEN');
    expect(from('gopher://localhost', {}, 'localhost')).toBe('ERR_FORBIDDEN');
  });

  test.each([
    '',
    'localhost:3000',
    'http://',
    'http://localhost:3000/',
    'http://localhost:3000 http://evil.example',
  ])('malformed %j', (origin) => {
    expect(from(origin)).toBe('ERR_FORBIDDEN');
  });

  test('given twice is refused', () => {
    expect(from(['http://localhost:3000', 'http://localhost:3000'])).toBe('ERR_FORBIDDEN');
    expect(answer({ host: 'localhost', origin: 'http://localhost', ORIGIN: 'http://evil.example' })).toBe(
      'ERR_FORBIDDEN',
    );
  });

  test('a spelling of the header in other letters is not overlooked', () => {
    expect(answer({ host: 'localhost', Origin: 'http://evil.example' })).toBe('ERR_FORBIDDEN');
  });

  test('listed origins pass whole, never by prefix', () => {
    const options = { allowedOrigins: ['http://localhost:5173', 'https://Shop.Example:443'] };
    expect(from('http://localhost:5173', options)).toBe('passes');
    expect(from('https://shop.example', options)).toBe('passes');
    expect(from('http://shop.example', options)).toBe('ERR_FORBIDDEN');
    expect(from('https://shop.example.evil.example', options)).toBe('ERR_FORBIDDEN');
    expect(from('https://shop.example:444', options)).toBe('ERR_FORBIDDEN');
  });
});

describe('token', () => {
  const options = { token: 's3cret-Token' };
  const bearing = (authorization: string | readonly string[] | undefined, method?: string) =>
    answer({ host: 'localhost', authorization }, options, method);

  test('the right one passes, everything else is 401', () => {
    expect(bearing('Bearer s3cret-Token')).toBe('passes');
    expect(bearing('bearer s3cret-Token')).toBe('passes');
    for (const wrong of [
      undefined,
      '',
      'Bearer',
      'Bearer s3cret',
      'Bearer s3cret-Token2',
      'Bearer s3cret-token',
    ]) {
      expect(bearing(wrong)).toBe('ERR_UNAUTHORIZED');
    }
    expect(bearing(['Bearer s3cret-Token', 'Bearer s3cret-Token'])).toBe('ERR_UNAUTHORIZED');
    expect(bearing('Basic s3cret-Token')).toBe('ERR_UNAUTHORIZED');
  });

  test('every method needs it', () => {
    for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS']) {
      expect(bearing(undefined, method)).toBe('ERR_UNAUTHORIZED');
    }
  });

  test('a preflight of an allowed page needs none, for a browser can not send it', () => {
    const preflight = {
      host: 'localhost',
      origin: 'http://localhost',
      'access-control-request-method': 'POST',
    };
    expect(answer(preflight, options, 'OPTIONS')).toBe('passes');
    expect(answer(preflight, options, 'POST')).toBe('ERR_UNAUTHORIZED');
    expect(answer({ ...preflight, origin: 'http://evil.example' }, options, 'OPTIONS')).toBe('ERR_FORBIDDEN');
  });

  test('does not open the door to another host or origin', () => {
    const authorization = 'Bearer s3cret-Token';
    expect(answer({ host: 'evil.example', authorization }, options)).toBe('ERR_FORBIDDEN');
    expect(answer({ host: 'localhost', origin: 'http://evil.example', authorization }, options)).toBe(
      'ERR_FORBIDDEN',
    );
  });

  test('no wrong token passes', () => {
    const token = fc.stringMatching(/^[\x21-\x7e]{1,20}$/);
    fc.assert(
      fc.property(token, token, (secret, presented) => {
        const headers = { host: 'localhost', authorization: `Bearer ${presented}` };
        return (answer(headers, { token: secret }) === 'passes') === (secret === presented);
      }),
    );
  });
});

describe('refusals', () => {
  const detail = (headers: Headers, options?: GuardOptions) =>
    requestGuard(options)({ method: 'POST', headers })?.detail ?? '';

  test('say what was refused, shortened and escaped', () => {
    expect(detail({ host: 'evil.example' })).toBe('Host "evil.example" is not allowed here');
    expect(detail({})).toBe('Host given 0 times is not allowed here');
    expect(detail({ host: 'localhost', origin: 'null' })).toBe('Origin "null" is not allowed here');
    expect(detail({ host: `${'a'.repeat(1000)}\n` }).length).toBeLessThan(120);
    expect(detail({ host: 'a\nb' })).not.toContain('\n');
  });

  test('never repeat a token', () => {
    const headers = { host: 'localhost', authorization: 'Bearer nearly' };
    expect(detail(headers, { token: 'secret' })).not.toMatch(/nearly|secret/);
  });
});

test.each<[GuardOptions, RegExp]>([
  [{ token: '' }, /token/],
  [{ token: 'has blank' }, /token/],
  [{ allowedHosts: [] }, /allowedHosts/],
  [{ allowedHosts: ['*'] }, /allowedHosts must hold name\[:port\], got "\*"/],
  [{ allowedHosts: ['::1'] }, /allowedHosts/],
  [{ allowedHosts: ['a'.repeat(300)] }, /allowedHosts/],
  [{ allowedHosts: ['http://localhost'] }, /allowedHosts/],
  [{ allowedOrigins: ['null'] }, /allowedOrigins/],
  [{ allowedOrigins: ['*'] }, /allowedOrigins/],
  [{ allowedOrigins: ['http://localhost/'] }, /allowedOrigins/],
])('options %j are refused', (options, message) => {
  expect(() => requestGuard(options)).toThrow(RangeError);
  expect(() => requestGuard(options)).toThrow(message);
});
