import { HttpProblem, sendProblem } from '@mesh/problem';
import { requestGuard, type GuardOptions, type RequestGuard } from '@mesh/request-guard';
import type { ServiceClient } from '@mesh/service-client';
import type { TraceContext } from '@mesh/trace-context';
import { readTrace } from '@mesh/trace-context';
import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import { invocation, readBody, toCall, type Invocation, type InvocationAnswer } from './invoke.ts';
import { goneSignal } from '../compose/gone-signal.ts';
import { KnownServices } from '../known-services.ts';
import { observeRoutes, ownExchange } from './own-exchange.ts';
import { addMetrics, type MetricsSources } from './metrics-route.ts';
import { alone, type Siblings } from './siblings.ts';
import type { TraceLog } from './trace-log.ts';
import { addTraces } from './traces-route.ts';

/** What {@link meshRoutes} takes. */
export interface MeshRoutesOptions extends MetricsSources {
  /** Makes the calls and counts them. */
  readonly client: Pick<ServiceClient, 'request' | 'getSnapshot'>;
  /** The last exchanges, for `GET /traces`; those of `/invoke` are noted there. Default: there is no such route. */
  readonly traces?: TraceLog;
  /** Who may call `/invoke` and read `/traces`: hosts, origins, token. Default: who addresses this machine by a loopback name. */
  readonly guard?: GuardOptions;
  /** The other processes of this gateway. Default: there are none. */
  readonly siblings?: Siblings;
}

const invokeSchema = {
  summary: 'Calls a service through the mesh, with discovery, circuit breaking and retries',
  tags: ['mesh'],
  body: invocation,
};

/**
 * `POST /invoke`, a call of any service through the mesh, `GET /metrics`, which anybody may read, and `GET /traces`, which is guarded as
 * `/invoke` is. Errors are problem JSON.
 *
 * @example await app.register(meshRoutes, { client, guard: { token } });
 */
export const meshRoutes: FastifyPluginCallback<MeshRoutesOptions> = (app, options, done) => {
  const { client, upstreams = [], siblings = alone() } = options;
  const guard = requestGuard(options.guard);
  const known = new KnownServices(upstreams.map(({ service }) => service));
  app.setValidatorCompiler(validatorCompiler);
  app.setErrorHandler(sendProblem);

  addMetrics(app, options, siblings);
  if (options.traces !== undefined) addTraces(app, options.traces, guard, siblings);
  // In a scope of its own: who reads /metrics and /traces is not noted there.
  void app.register((scope, _options, added) => {
    if (options.traces !== undefined) observeRoutes(scope, { traces: options.traces });
    addInvoke(scope, client, known, guard);
    added();
  });
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
  const exchange = ownExchange(request);
  if (exchange !== undefined) exchange.service = call.service;
  try {
    const response = await client.request({ ...call, trace: traceOf(request), signal: goneSignal(reply) });
    known.add(call.service);
    const retryAfter = response.headers['retry-after'];
    if (retryAfter !== undefined) void reply.header('retry-after', retryAfter);
    const { instance, status, attempts } = response;
    if (exchange !== undefined) exchange.call = { instance, attempts };
    const body = await readBody(response);
    const durationMs = Math.round(performance.now() - startedAt);
    return { service: call.service, instance, status, attempts, durationMs, body };
  } catch (error) {
    throw known.explain(call.service, error);
  }
}

/** Our own answer always has a body; these statuses forbid one (RFC 9110, 15.3.5, 15.3.6, 15.4.5). */
function mayHaveBody(status: number): boolean {
  return status !== 204 && status !== 205 && status !== 304;
}

function traceOf(request: FastifyRequest): TraceContext {
  return (
    (request as { trace?: TraceContext }).trace ?? ownExchange(request)?.trace ?? readTrace(request.headers)
  );
}
