import { expect, test } from '@jest/globals';
import { HttpProblem } from './http-problem.ts';
import { notFound, sendProblem, type ProblemReply } from './reply.ts';

class RecordedReply implements ProblemReply {
  status = 0;
  values: Record<string, string> = {};
  body = '';
  code(status: number): this {
    this.status = status;
    return this;
  }
  headers(values: Record<string, string>): this {
    this.values = values;
    return this;
  }
  send(body: string): this {
    this.body = body;
    return this;
  }
}

test('sendProblem answers status, headers and text, and returns the reply', () => {
  const reply = new RecordedReply();
  const error = new HttpProblem('ERR_NO_INSTANCE', 'no instance of user-service', { retryAfterMs: 500 });
  expect(sendProblem(error, { url: '/users?x=1' }, reply)).toBe(reply);
  expect(reply.status).toBe(503);
  expect(reply.values).toEqual({ 'content-type': 'application/problem+json', 'retry-after': '1' });
  expect(JSON.parse(reply.body)).toEqual({
    type: 'about:blank',
    title: 'Service Unavailable',
    status: 503,
    detail: 'no instance of user-service',
    code: 'ERR_NO_INSTANCE',
    instance: '/users',
    retryAfterMs: 500,
  });
});

test('what the answer hides, the log gets; nothing else is logged', () => {
  const lines: unknown[] = [];
  const log = {
    error: (details: { err: unknown }, message: string) => {
      lines.push([details.err, message]);
    },
  };
  const bug = new TypeError('x is not a function');
  const reply = new RecordedReply();
  sendProblem(new HttpProblem('ERR_NOT_FOUND', 'no such user'), { url: '/', log }, reply);
  sendProblem(bug, { url: '/', log }, reply);
  expect(lines).toEqual([[bug, 'request failed']]);
  expect(reply.body).not.toContain('function');
});

test('notFound answers 404', () => {
  const reply = new RecordedReply();
  notFound({ url: '/nowhere', method: 'GET' }, reply);
  expect(reply.status).toBe(404);
  expect(JSON.parse(reply.body)).toMatchObject({ code: 'ERR_NOT_FOUND', instance: '/nowhere' });
});
