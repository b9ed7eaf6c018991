import { HttpProblem, sendProblem } from '@mesh/problem';
import { requestGuard, type GuardOptions, type RequestGuard } from '@mesh/request-guard';
import type { ServiceClient } from '@mesh/service-client';
import type { TraceContext } from '@mesh/trace-context';
import { readTrace } from '@mesh/trace-context';
import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import { invocation, readBody, toCall, type Invocation, type InvocationAnswer } from './invoke.ts';
import { KnownServices } from '../known-services.ts';
import { meshMetrics } from './metrics.ts';
import type { Upstream } from '../compose/upstream.ts';

/** What {@link meshRoutes} takes. */
export interface MeshRoutesOptions {
  /** Makes the calls and counts them. */
  readonly client: Pick<ServiceClient, 'request' | 'getSnapshot'>;
  /** Upstreams whose circuits `/metrics` shows for their services. Default: none. */
  readonly upstreams?: readonly Upstream[];
  /** Who may call `/invoke`: hosts, origins, token. Default: who addresses this machine by a loopback name. */
  readonly guard?: GuardOptions;
}

const invokeSchema = {
  summary: 'Calls a service through the mesh, with discovery, circuit breaking and retries',
  tags: ['mesh'],
  body: invocation,
};
const metricsSchema = { summary: 'Requests, circuits and instances', tags: ['mesh'] };

/**
 * `POST /invoke`, a call of any service through the mesh, and `GET /metrics`. Errors are problem JSON.
 *
 * @example await app.register(meshRoutes, { client, guard: { token } });
 */
export const meshRoutes: FastifyPluginCallback<MeshRoutesOptions> = (app, options, done) => {
  const { client, upstreams = [] } = options;
  const guard = requestGuard(options.guard);
  const known = new KnownServices(upstreams.map(({ service }) => service));
  app.setValidatorCompiler(validatorCompiler);
  app.setErrorHandler(sendProblem);

  app.get('/metrics', { schema: metricsSchema }, (_request, reply) => {
    void reply.header('cache-control', 'no-store');
    return meshMetrics(client.getSnapshot(), upstreams);
  });
  addInvoke(app, client, known, guard);
  done();
};

function addInvoke(
  app: FastifyInstance,
  client: MeshRoutesOptions['client'],
  known: KnownServices,
  guard: RequestGuard,
): void {
  app.post<{ Body: Invocation }>(
    '/invoke',
    {
      schema: invokeSchema,
      onRequest: (request, _reply, done) => {
        const refusal = guard(request);
        done(refusal && new HttpProblem(refusal.code, refusal.detail));
      },
    },
    async (request, reply) => {
      const answer = await invoke(client, known, request, reply);
      return reply.code(mayHaveBody(answer.status) ? answer.status : 200).send(answer);
    },
  );
}

async function invoke(
  client: MeshRoutesOptions['client'],
  known: KnownServices,
  request: FastifyRequest<{ Body: Invocation }>,
  reply: FastifyReply,
): Promise<InvocationAnswer> {
  const call = toCall(request.body);
  const startedAt = performance.now();
  try {
    const response = await client.request({ ...call, trace: traceOf(request), signal: goneSignal(reply) });
    known.add(call.service);
    const retryAfter = response.headers['retry-after'];
    if (retryAfter !== undefined) void reply.header('retry-after', retryAfter);
    const body = await readBody(response);
    const { instance, status, attempts } = response;
    const durationMs = Math.round(performance.now() - startedAt);
    return { service: call.service, instance, status, attempts, durationMs, body };
  } catch (error) {
    throw known.explain(call.service, error);
  }
}

/** Aborts when the client goes away before its answer is out. */
function goneSignal({ raw }: FastifyReply): AbortSignal {
  const controller = new AbortController();
  raw.once('close', () => {
    if (!raw.writableFinished) controller.abort();
  });
  return controller.signal;
}

/** Our own answer always has a body; these statuses forbid one (RFC 9110, 15.3.5, 15.3.6, 15.4.5). */
function mayHaveBody(status: number): boolean {
  return status !== 204 && status !== 205 && status !== 304;
}

function traceOf(request: FastifyRequest): TraceContext {
  return (request as { trace?: TraceContext }).trace ?? readTrace(request.headers);
}
