import type { TraceContext } from '@mesh/trace-context';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { readRawTrace } from '../forward/raw-trace.ts';
import { Observation, type Observed, type Observers } from './observation.ts';

const exchanges = new WeakMap<FastifyRequest, OwnExchange>();

/**
 * Has every exchange of the routes of a scope noted as those of a gateway are, under the path of its route: composed answers, which no
 * `Gateway` sees. Call it before the routes are added.
 *
 * @example app.register((scope, _options, done) => { observeRoutes(scope, { traces }); scope.get('/users-with-orders', handler); done(); });
 */
export function observeRoutes(scope: FastifyInstance, observers: Observers): void {
  scope.addHook('onRequest', (request, reply, next) => {
    exchanges.set(request, new OwnExchange(request, reply, observers));
    next();
  });
  scope.addHook('onSend', (request, _reply, payload, next) => {
    exchanges.get(request)?.answered(payload);
    next();
  });
}

/** The exchange of a request of an observed route, for a handler that knows more of it. */
export function ownExchange(request: FastifyRequest): OwnExchange | undefined {
  return exchanges.get(request);
}

/** One exchange that a handler of the app's own answers. */
class OwnExchange implements Observed {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly trace: TraceContext;
  /** The service that was asked; `''`: several, or none. */
  service = '';
  /** The instance that answered, where one answered for all. */
  call: Observed['call'] = undefined;
  readonly #observation: Observation;

  constructor(request: FastifyRequest, reply: FastifyReply, observers: Observers) {
    this.request = request;
    this.reply = reply;
    this.trace = (request as { trace?: TraceContext }).trace ?? readRawTrace(request.raw.rawHeaders);
    this.#observation = new Observation(this, observers);
  }

  get routeId(): string {
    return this.request.routeOptions.url ?? '';
  }

  onEnd(listener: () => void): void {
    this.reply.raw.once('close', listener);
  }

  /** The answer is whole: what a handler gives is sent at once. */
  answered(payload: unknown): void {
    this.#observation.answered();
    if (typeof payload === 'string') this.#observation.bytesReceived = Buffer.byteLength(payload);
    if (String(this.reply.getHeader('content-type')).startsWith('application/problem+json'))
      this.#observation.code = codeOf(payload);
  }
}

function codeOf(problem: unknown): string {
  try {
    const { code } = JSON.parse(String(problem)) as { code?: unknown };
    return typeof code === 'string' ? code : '';
  } catch {
    return '';
  }
}
