import { afterEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Socket } from 'node:net';
import { cleanUp, client, gateway, meshClient, eventually, upstream } from '../testing/raw-http.ts';

afterEach(cleanUp);

/** Where the client leaves; `never` waits for the end of the answer. */
const leaves = fc.constantFrom('at once', 'while sending', 'before the head', 'in the body', 'never');
/** What the instance does when its turn comes. */
const answers = fc.constantFrom('silence', 'whole', 'in parts', 'breaks off', 'resets', '503');
const schedule = fc.array(
  fc.record({ leave: leaves, answer: answers, hasBody: fc.boolean(), turns: fc.nat({ max: 6 }) }),
  { minLength: 1, maxLength: 12 },
);

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn <= count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

const wholeAnswer = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1234567890';

async function respond(socket: Socket, answer: string): Promise<void> {
  await turns(answer.length % 3);
  if (answer === 'whole') socket.write(wholeAnswer);
  else if (answer === '503') socket.write('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n');
  else if (answer === 'resets') socket.resetAndDestroy();
  else if (answer !== 'silence') {
    socket.write(wholeAnswer.slice(0, -5));
    await turns(2);
    if (answer === 'in parts') socket.write('67890');
    else socket.destroy();
  }
}

test('whenever clients leave, their requests end, and every permit and lease is free afterwards', async () => {
  await fc.assert(
    fc.asyncProperty(schedule, async (calls) => {
      const up = await upstream(
        (socket, head) => void respond(socket, calls[Number(/\/(\d+) /.exec(head)?.[1])]?.answer ?? ''),
      );
      const mesh = meshClient({ a: up.port }, { circuitBreaker: { maximumFailuresAllowed: 1_000 } });
      const port = await gateway({}, { client: mesh });

      await Promise.all(
        calls.map(async ({ leave, answer, hasBody, turns: pause }, at) => {
          const length = hasBody ? 'Content-Length: 10\r\n' : '';
          const head = `${hasBody ? 'POST' : 'GET'} /api/a/${at} HTTP/1.1\r\nHost: h\r\n${length}\r\n`;
          const near = await client(port, head);
          if (leave !== 'at once') {
            if (hasBody) near.socket.write(leave === 'while sending' ? '12345' : '1234567890');
            await turns(pause);
            if (leave === 'in the body' && answer !== 'silence') {
              await Promise.race([near.until(/\r\n\r\n/), near.closed]).catch(() => undefined);
            }
            if (leave === 'never' && answer !== 'silence') {
              await Promise.race([near.until(/67890$|\}$|Busy[^]*\r\n\r\n/), near.closed]).catch(
                () => undefined,
              );
            }
          }
          near.socket.destroy();
          await near.closed;
        }),
      );

      // Ends by itself, or the test does not.
      const instance = () => mesh.getSnapshot().services['a']?.instances[0];
      await eventually(() => (instance()?.inflight ?? 0) === 0);
      const { totals } = mesh.getSnapshot();
      expect(totals.requests).toBe(totals.succeeded + totals.failed + totals.aborted);
      expect(totals.requests).toBeLessThanOrEqual(calls.length);
      await cleanUp();
    }),
    { numRuns: 40 },
  );
}, 60_000);

test('the request at the instance ends in the turn in which the gateway hears that the client is gone', async () => {
  const up = await upstream(() => undefined);
  const heard: string[] = [];
  const mesh = meshClient({ a: up.port });
  const port = await gateway({}, { client: mesh }, (app) => {
    app.addHook('onRequest', (_request, reply, done) => {
      reply.raw.once('close', () => {
        heard.push('gone');
        process.nextTick(() => heard.push(`aborted: ${mesh.getSnapshot().totals.aborted}`));
      });
      done();
    });
  });
  const { socket } = await client(port, 'GET /api/a/x HTTP/1.1\r\nHost: h\r\n\r\n');
  await eventually(() => up.received().includes('\r\n\r\n'));
  socket.destroy();
  await eventually(() => heard.length === 2);
  expect(heard).toEqual(['gone', 'aborted: 1']);
});
