import { expect, test } from '@jest/globals';
import { noticeOf } from './notice.ts';
import { abortController } from './signal.ts';
import { verifyWebhook, webhookSink, type WebhookFetch } from './webhook.ts';

const notice = noticeOf('notice-1', 'users', [], 1_700_000_000_000);
const secret = 'a long secret';

function endpoint(status: number, headers: Record<string, string> = {}) {
  const requests: { url: string; headers: Record<string, string>; body: string }[] = [];
  const fetch: WebhookFetch = (url, { headers: sent, body }) => {
    requests.push({ url, headers: sent, body });
    return Promise.resolve({ status, headers: { get: (name) => headers[name] ?? null } });
  };
  return { requests, fetch };
}

test('is signed as an HMAC of time and body, and carries the id of the notice', async () => {
  const { requests, fetch } = endpoint(204);
  const sink = webhookSink({ url: 'http://127.0.0.1/hook', secret, fetch, now: () => 1_700_000_000_999 });
  await sink.deliver(notice, abortController().signal);
  const { headers, body } = requests[0]!;
  // By another implementation (Python's hmac) of the text `1700000000.<body>`.
  const hex = '498049e1d403b266b312cfd29494d78d888ec2f9a545e9e237dac5576210abc4';
  expect(headers).toMatchObject({
    'x-mesh-notice': 'notice-1',
    'x-mesh-signature': `t=1700000000,v1=${hex}`,
  });
  const signature = headers['x-mesh-signature']!;
  const now = 1_700_000_010_000;
  expect(await verifyWebhook({ secret, body, signature, now })).toBe(true);
  expect(await verifyWebhook({ secret, body: `${body} `, signature, now })).toBe(false);
  expect(await verifyWebhook({ secret: 'other', body, signature, now })).toBe(false);
  expect(await verifyWebhook({ secret, body, signature, now: now + 400_000 })).toBe(false);
  expect(await verifyWebhook({ secret, body, signature: 'nonsense', now })).toBe(false);
});

test.each([
  [500, false],
  [503, false],
  [429, false],
  [408, false],
  [400, true],
  [404, true],
])('an answer of %i is final: %s', async (status, permanent) => {
  const { fetch } = endpoint(status, { 'retry-after': '7' });
  const sink = webhookSink({ url: 'https://example.org/hook', fetch });
  await expect(sink.deliver(notice, abortController().signal)).rejects.toMatchObject({
    code: 'ERR_WEBHOOK',
    message: `https://example.org answered ${status}`,
    permanent,
    retryAfterMs: 7000,
  });
});

test('without a secret there is no signature; other schemes are refused', async () => {
  const { requests, fetch } = endpoint(200);
  await webhookSink({ url: 'http://127.0.0.1/', fetch }).deliver(notice, abortController().signal);
  expect(Object.keys(requests[0]!.headers)).not.toContain('x-mesh-signature');
  expect(() => webhookSink({ url: 'file:///etc/passwd' })).toThrow('url must be http or https, got file:');
});
