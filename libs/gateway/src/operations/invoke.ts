import type { ServiceCall, ServiceResponse } from '@mesh/service-client';
import { z } from 'zod';
import { isHopByHop, isMeshOwned } from '../forward/hop-headers.ts';
import { readTarget, targetFault } from '../routing/request-target.ts';
import { isServiceName } from '../routing/route-table.ts';

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/;
const fieldValue = /^[\t\x20-\x7e\x80-\xff]{0,8192}$/;

/** Fields that a call gets from the connection that carries it. */
const perConnection: ReadonlySet<string> = new Set(['host', 'content-length', 'expect']);

const headers = z.record(z.string(), z.string()).superRefine((fields, context) => {
  const entries = Object.entries(fields);
  if (entries.length > 100) context.addIssue({ code: 'custom', message: 'at most 100 headers' });
  for (const [name, value] of entries) {
    const fault = headerFault(name, value);
    if (fault !== undefined) context.addIssue({ code: 'custom', path: [name.slice(0, 64)], message: fault });
  }
});

/** Body of `POST /invoke`. */
export const invocation = z
  .strictObject({
    serviceName: z
      .string()
      .refine(isServiceName, 'must be the name of a service: a-z, 0-9 and -, at most 63'),
    endpoint: z
      .string()
      .max(8192)
      .superRefine((endpoint, context) => {
        const fault = targetFault(readTarget(endpoint));
        if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
      }),
    method: z.enum(methods).default('GET'),
    headers: headers.optional(),
    body: z.unknown().optional(),
  })
  .refine(({ method, body }) => body === undefined || (method !== 'GET' && method !== 'HEAD'), {
    path: ['body'],
    message: 'a GET or HEAD has none',
  });

/** A call through the mesh, as `POST /invoke` takes it. */
export type Invocation = z.output<typeof invocation>;

/** What `POST /invoke` answers. */
export interface InvocationAnswer {
  readonly service: string;
  /** Id of the instance that answered. */
  readonly instance: string;
  /** Status of the instance's answer; it is also the status of this one, unless that status forbids a body. */
  readonly status: number;
  /** Instances that were asked, repetitions included. */
  readonly attempts: number;
  /** From the call to the end of its body, in whole ms. */
  readonly durationMs: number;
  /** Parsed when it is JSON, else text. */
  readonly body: unknown;
}

/** The call of a client that an invocation asks for. */
export function toCall({
  serviceName,
  endpoint,
  method,
  headers: given = {},
  body,
}: Invocation): ServiceCall {
  const call = { service: serviceName, path: endpoint, method, headers: given };
  if (body === undefined) return call;
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const isTyped = Object.keys(given).some((name) => name.toLowerCase() === 'content-type');
  if (isTyped) return { ...call, body: text };
  const type = isJson(text) ? 'application/json' : 'text/plain; charset=utf-8';
  return { ...call, body: text, headers: { ...given, 'content-type': type } };
}

/** Reads the body of an answer: JSON by its content type, text otherwise and where the JSON is broken. */
export async function readBody(response: ServiceResponse): Promise<unknown> {
  const text = await response.text();
  const type = [response.headers['content-type'] ?? ''].flat().join();
  if (!/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)) return text;
  const parsed = parse(text);
  return parsed === undefined ? text : parsed;
}

function headerFault(name: string, value: string): string | undefined {
  const folded = name.toLowerCase();
  if (!token.test(name)) return 'is not the name of a header';
  if (!fieldValue.test(value)) return 'holds characters that a header may not have, or too many';
  if (isHopByHop(folded) || perConnection.has(folded)) return 'belongs to one connection';
  if (isMeshOwned(folded)) return 'is written by the mesh alone';
  return undefined;
}

function isJson(text: string): boolean {
  return parse(text) !== undefined;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
