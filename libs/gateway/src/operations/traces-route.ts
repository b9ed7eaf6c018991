import { HttpProblem } from '@mesh/problem';
import type { RequestGuard } from '@mesh/request-guard';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Siblings } from './siblings.ts';
import type { ExchangeTrace, TraceFilter, TraceLog } from './trace-log.ts';

const topic = 'gateway.traces';

/** `503`, `5xx`, or `0` for clients that left. */
const status = z
  .string()
  .regex(/^(?:0|[1-5]xx|[1-5]\d\d)$/, 'must be a status, a class such as 5xx, or 0')
  .transform((text) => parseInt(text, 10));

const query = z.strictObject({
  traceId: z
    .string()
    .regex(/^[0-9a-f]{32}$/, 'must be 32 hex digits')
    .optional(),
  service: z.string().max(63).optional(),
  status: status.optional(),
  minDurationMs: z.coerce.number().min(0).max(86_400_000).optional(),
  limit: z.coerce.number().int().min(1).max(10_000).default(100),
});

const schema = { summary: 'The last requests, newest first', tags: ['mesh'], querystring: query };

/**
 * `GET /traces?traceId=&service=&status=&minDurationMs=&limit=`: the last exchanges, newest first; of all processes together. It is
 * guarded as `/invoke` is: paths tell who asked for what.
 */
export function addTraces(
  app: FastifyInstance,
  traces: TraceLog,
  guard: RequestGuard,
  siblings: Siblings,
): void {
  siblings.answer(topic, (filter) => traces.read(filter as TraceFilter));
  app.get<{ Querystring: z.output<typeof query> }>(
    '/traces',
    {
      schema,
      onRequest: (request, _reply, done) => {
        const refusal = guard(request);
        done(refusal && new HttpProblem(refusal.code, refusal.detail));
      },
    },
    async (request, reply) => {
      void reply.header('cache-control', 'no-store');
      const lists = (await siblings.gather(topic, request.query)) as ExchangeTrace[][];
      const newestFirst = lists.flat().sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1));
      return { traces: (lists.length > 1 ? newestFirst : lists.flat()).slice(0, request.query.limit) };
    },
  );
}
