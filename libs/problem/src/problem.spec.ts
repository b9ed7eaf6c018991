import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { statusByCode } from './codes.ts';
import { HttpProblem, isHttpProblem } from './http-problem.ts';
import { problemHeaders, toProblem } from './problem.ts';

const own = (code: string, message: string, more: object = {}): Error =>
  Object.assign(new Error(message), { code, ...more });

describe('errors of ours', () => {
  test.each(Object.entries(statusByCode).filter(([, status]) => status !== 500))(
    '%s is answered with %d and its message',
    (code, status) => {
      expect(toProblem(own(code, 'what happened'), '/users?token=secret')).toMatchObject({
        type: 'about:blank',
        status,
        code,
        detail: 'what happened',
        instance: '/users',
      });
    },
  );

  test('an open circuit says when to ask again', () => {
    const problem = toProblem(own('ERR_CIRCUIT_OPEN', 'circuit "users" is open', { retryAfterMs: 1200.4 }));
    expect(problem).toEqual({
      type: 'about:blank',
      title: 'Service Unavailable',
      status: 503,
      detail: 'circuit "users" is open',
      code: 'ERR_CIRCUIT_OPEN',
      retryAfterMs: 1201,
    });
    expect(problemHeaders(problem)).toEqual({
      'content-type': 'application/problem+json',
      'retry-after': '2',
    });
  });

  test("the status of an upstream's answer is not ours", () => {
    expect(toProblem(own('ERR_UPSTREAM', 'user-service said 404', { status: 404 })).status).toBe(502);
  });

  test.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])(
    'the prototype key %s is no code',
    (code) => {
      expect(toProblem(own(code, 'hidden'))).toMatchObject({ status: 500, code: 'ERR_INTERNAL' });
    },
  );
});

describe('HttpProblem', () => {
  test('answers as written', () => {
    const cause = new Error('unique constraint');
    const error = new HttpProblem('ERR_EMAIL_TAKEN', 'this e-mail address is taken', {
      status: 409,
      cause,
      retryAfterMs: 0,
      errors: [{ path: 'body/email', message: 'is taken' }],
    });
    expect(error.cause).toBe(cause);
    expect(toProblem(error)).toEqual({
      type: 'about:blank',
      title: 'Conflict',
      status: 409,
      detail: 'this e-mail address is taken',
      code: 'ERR_EMAIL_TAKEN',
      errors: [{ path: 'body/email', message: 'is taken' }],
      retryAfterMs: 0,
    });
    expect(problemHeaders(toProblem(error))['retry-after']).toBe('1');
  });

  test('takes its status from the table, and 500 for a code that is not there', () => {
    expect(new HttpProblem('ERR_NOT_FOUND', 'x').status).toBe(404);
    expect(new HttpProblem('ERR_HOUSE_ON_FIRE', 'x').status).toBe(500);
    expect(toProblem(new HttpProblem('ERR_INTERNAL', 'written for the caller')).detail).toBe(
      'written for the caller',
    );
  });

  test.each([399, 600, 404.5, NaN])('refuses the status %d', (status) => {
    expect(() => new HttpProblem('ERR_NOT_FOUND', 'x', { status })).toThrow(
      new RangeError(`HttpProblem: status must be an integer from 400 to 599, got ${status}`),
    );
  });

  test.each([-1, NaN])('refuses retryAfterMs %d', (retryAfterMs) => {
    expect(() => new HttpProblem('ERR_NOT_FOUND', 'x', { retryAfterMs })).toThrow(RangeError);
  });

  test('is recognised by its brand: a copy is one, a look-alike is not', () => {
    expect(isHttpProblem(new HttpProblem('ERR_CONFLICT', 'x'))).toBe(true);
    const copy = Object.assign(new Error('x'), {
      [Symbol.for('@mesh/problem/HttpProblem')]: true,
      code: 'ERR_CONFLICT',
      status: 409,
    });
    expect(isHttpProblem(copy)).toBe(true);
    expect(toProblem(copy)).toMatchObject({ status: 409, detail: 'x' });
    expect(isHttpProblem(JSON.parse('{"name":"HttpProblem","status":404,"code":"ERR_NOT_FOUND"}'))).toBe(
      false,
    );
  });
});

describe('refusals of Fastify', () => {
  const fastify = (code: string | undefined, statusCode: number, Type: ErrorConstructor = Error): Error =>
    Object.assign(new Type('a text of the framework'), { statusCode, ...(code !== undefined && { code }) });

  test.each([
    ['FST_ERR_CTP_BODY_TOO_LARGE', 413, RangeError, 'ERR_BODY_TOO_LARGE'],
    ['FST_ERR_CTP_INVALID_JSON_BODY', 400, Error, 'ERR_BAD_REQUEST'],
    ['FST_ERR_CTP_EMPTY_JSON_BODY', 400, Error, 'ERR_BAD_REQUEST'],
    [undefined, 400, SyntaxError, 'ERR_BAD_REQUEST'], // secure-json-parse, Fastify before 5.3
    ['FST_ERR_CTP_INVALID_MEDIA_TYPE', 415, Error, 'ERR_MEDIA_TYPE'],
    ['FST_ERR_CTP_INVALID_CONTENT_LENGTH', 400, RangeError, 'ERR_BAD_REQUEST'],
    ['FST_ERR_BAD_URL', 400, URIError, 'ERR_BAD_REQUEST'],
    ['FST_ERR_MAX_PARAM_LENGTH', 414, URIError, 'ERR_URI_TOO_LONG'],
    ['FST_ERR_NOT_FOUND', 404, Error, 'ERR_NOT_FOUND'],
    ['FST_ERR_VALIDATION', 400, Error, 'ERR_VALIDATION'],
    ['FST_ERR_HANDLER_TIMEOUT', 503, Error, 'ERR_UNAVAILABLE'],
    ['FST_JWT_NO_AUTHORIZATION_IN_HEADER', 401, Error, 'ERR_UNAUTHORIZED'],
    ['FST_UNDER_PRESSURE', 503, Error, 'ERR_UNAVAILABLE'],
    [undefined, 429, Error, 'ERR_RATE_LIMITED'], // @fastify/rate-limit
    [undefined, 418, Error, 'ERR_BAD_REQUEST'],
    ['FST_ERR_RESPONSE_SERIALIZATION', 500, Error, 'ERR_INTERNAL'],
  ] as const)('%s with %d (%p) becomes %s', (code, statusCode, Type, stable) => {
    const problem = toProblem(fastify(code, statusCode, Type));
    expect(problem).toMatchObject({ status: statusCode, code: stable });
    expect(problem.detail).not.toBe('a text of the framework');
  });

  test("an HTTP client's error with a status of its own is not a status of ours", () => {
    expect(toProblem(fastify('UND_ERR_RESPONSE', 404))).toMatchObject({ status: 500, code: 'ERR_INTERNAL' });
  });

  test('lists the faults as ajv tells them', () => {
    const error = Object.assign(new Error("body must have required property 'email'"), {
      code: 'FST_ERR_VALIDATION',
      statusCode: 400,
      validationContext: 'body',
      validation: [
        {
          instancePath: '',
          schemaPath: '#/required',
          keyword: 'required',
          params: { missingProperty: 'email' },
          message: "must have required property 'email'",
        },
        {
          instancePath: '/address/zip',
          schemaPath: '#/properties/address/properties/zip/type',
          keyword: 'type',
          params: { type: 'string' },
          message: 'must be string',
        },
        {
          instancePath: '/address',
          schemaPath: '#/additionalProperties',
          keyword: 'additionalProperties',
          params: { additionalProperty: 'planet' },
          message: 'must NOT have additional properties',
        },
      ],
    });
    expect(toProblem(error)).toEqual({
      type: 'about:blank',
      title: 'Bad Request',
      status: 400,
      detail: "body/email: must have required property 'email' (and 2 more)",
      code: 'ERR_VALIDATION',
      errors: [
        { path: 'body/email', message: "must have required property 'email'" },
        { path: 'body/address/zip', message: 'must be string' },
        { path: 'body/address/planet', message: 'must NOT have additional properties' },
      ],
    });
  });

  test('lists the faults as fastify-type-provider-zod tells them', () => {
    const zod = Symbol.for('ZodFastifySchemaValidationError');
    const error = Object.assign(new Error('querystring/page Invalid input'), {
      code: 'FST_ERR_VALIDATION',
      statusCode: 400,
      validationContext: 'querystring',
      validation: [
        {
          [zod]: true,
          keyword: 'invalid_type',
          instancePath: '/page',
          schemaPath: '#/page/invalid_type',
          message: 'Invalid input: expected number, received NaN',
          params: { expected: 'number', received: 'NaN' },
        },
        {
          [zod]: true,
          keyword: 'unrecognized_keys',
          instancePath: '/',
          schemaPath: '#//unrecognized_keys',
          message: 'Unrecognized keys: "a", "b"',
          params: { keys: ['a', 'b'] },
        },
      ],
    });
    expect(toProblem(error)).toMatchObject({
      status: 400,
      code: 'ERR_VALIDATION',
      detail: 'query/page: Invalid input: expected number, received NaN (and 2 more)',
      errors: [
        { path: 'query/page', message: 'Invalid input: expected number, received NaN' },
        { path: 'query/a', message: 'Unrecognized keys: "a", "b"' },
        { path: 'query/b', message: 'Unrecognized keys: "a", "b"' },
      ],
    });
  });

  test('lists at most 100 faults', () => {
    const validation = Array.from({ length: 10_000 }, (_, index) => ({ instancePath: `/${index}` }));
    const problem = toProblem({ code: 'FST_ERR_VALIDATION', validation });
    expect(problem.errors).toHaveLength(100);
    expect(problem.errors?.[99]).toEqual({ path: 'request/99', message: 'is not valid' });
  });
});

describe('any thrown value', () => {
  const secret = 'SECRET-9f2c';
  const hostile: Record<string, () => unknown> = {
    'a revoked proxy': () => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      return proxy;
    },
    'a getter that throws': () => ({
      get code(): string {
        throw new Error(secret);
      },
    }),
    'issues of no shape': () => ({
      code: 'FST_ERR_VALIDATION',
      validation: [null, undefined, 1, { params: null }, { params: 3 }],
    }),
    'a problem spoilt afterwards': () =>
      Object.assign(new HttpProblem('ERR_CONFLICT', secret), { errors: [null] }),
    'too much text': () => ({ code: 'ERR_NOT_FOUND', message: 'x'.repeat(1e6), retryAfterMs: 1e300 }),
  };

  test.each(Object.entries(hostile))('survives %s', (_, make) => {
    const problem = toProblem(make(), '/x');
    expect(problem.status).toBeGreaterThanOrEqual(400);
    expect(JSON.stringify(problem)).not.toContain(secret);
    expect(JSON.stringify(problem).length).toBeLessThan(10_000);
    expect(problemHeaders(problem)['retry-after'] ?? '1').toMatch(/^[1-9]\d*$/);
  });

  const shaped = fc.record(
    {
      message: fc.constant(secret),
      code: fc.oneof(
        fc.string(),
        fc.constantFrom('FST_X', 'FST_ERR_VALIDATION', 'ECONNREFUSED'),
        fc.integer(),
      ),
      status: fc.anything(),
      statusCode: fc.oneof(fc.integer({ min: 390, max: 610 }), fc.double(), fc.anything()),
      retryAfterMs: fc.oneof(fc.double(), fc.anything()),
      validation: fc.anything(),
      validationContext: fc.anything(),
    },
    { requiredKeys: ['message'] },
  );
  const thrown = fc.oneof(
    fc.anything(),
    shaped.map((members) => Object.assign(new Error(secret), members)),
    shaped,
  );

  test('gives a valid, bounded problem and never the message of an unknown error', () => {
    fc.assert(
      fc.property(thrown, fc.option(fc.string(), { nil: undefined }), (error, url) => {
        const problem = toProblem(error, url);
        const text = JSON.stringify(problem);
        expect(JSON.parse(text)).toEqual(problem);
        expect(text).not.toContain(secret);
        expect(text.length).toBeLessThan(10_000);
        expect(Number.isInteger(problem.status)).toBe(true);
        expect(problem.status).toBeGreaterThanOrEqual(400);
        expect(problem.status).toBeLessThanOrEqual(599);
        expect(problem.title).not.toBe('');
        expect(problem.code).toMatch(/^ERR_[A-Z_]+$/);
        if (url !== undefined) expect(problem.instance).not.toMatch(/[?#]/);
        expect(problemHeaders(problem)['retry-after'] ?? '1').toMatch(/^[1-9]\d*$/);
      }),
      { numRuns: 3_000, examples: [[{ statusCode: 400, retryAfterMs: -0 }, undefined]] },
    );
  });

  test.each([undefined, null, 'text', 42, Symbol('s'), () => 'x', [], new Error(secret)])(
    'is a 500 that tells nothing: %p',
    (error) => {
      expect(toProblem(error)).toEqual({
        type: 'about:blank',
        title: 'Internal Server Error',
        status: 500,
        detail: 'The server failed to answer this request.',
        code: 'ERR_INTERNAL',
      });
    },
  );
});
