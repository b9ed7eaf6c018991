import { HttpProblem, notFound, sendProblem } from '@mesh/problem';
import { fastify } from 'fastify';
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { refuseWrongMethods } from './allowed-methods.ts';
import { answerClientError } from './client-error.ts';
import type { ServiceConfig } from './config.ts';
import { addHealth } from './health-route.ts';
import type { HealthView } from './health-route.ts';
import type { HealthCheck } from './health.ts';
import type { Identity } from './identity.ts';
import { addLingeringAnswer } from './lingering-answer.ts';
import { OpenStreams } from './open-streams.ts';
import { addOpenApi } from './openapi.ts';
import type { OpenApiInfo } from './openapi.ts';
import { originForm } from './origin-form.ts';
import { RequestLog } from './request-log.ts';
import { addCors, securityHeaders } from './security.ts';
import { addLimits, limitOptions, readLimits } from './server-limits.ts';
import type { ServerLimits } from './server-limits.ts';
import { addTracing, identityHeaders, traceOptions } from './tracing.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Answers that end only when somebody ends them; those that are here are ended in order when the service leaves. */
    readonly streams: OpenStreams;
  }
}

/** A Fastify instance whose schemas are written in zod. */
export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** What {@link createApp} takes. */
export interface AppOptions {
  readonly identity: Identity;
  /** Level of the log, largest body and CORS are taken from here. */
  readonly config: Pick<ServiceConfig, 'LOG_LEVEL' | 'BODY_LIMIT' | 'CORS_ORIGIN'>;
  /** What `GET /health` looks at, by name. Default: nothing, so it is healthy while it runs. */
  readonly checks?: Readonly<Record<string, HealthCheck>>;
  /** The body of `GET /health`, made from the report. Default: the report. */
  readonly health?: HealthView;
  /** What `/docs` says. Default: the name of the service. `false`: there is no `/docs`. */
  readonly openapi?: OpenApiInfo | false;
  /** How long and how large requests may be before a route sees them. */
  readonly limits?: ServerLimits;
  /** Where log lines go. Default: standard output. */
  readonly logTo?: { write(line: string): void };
}

const brokenOff = new HttpProblem('ERR_BAD_REQUEST', 'The request broke off.');

/**
 * A Fastify instance with all that services of the mesh share: zod at the doors, problem JSON, traces, CORS, a strict
 * content policy, `GET /health` and `/docs`. It does not listen; tests use `inject`, `main.ts` uses `runService`.
 *
 * Add routes in plugins (`app.register(routes)`), or after `await app.after()`, so that `/docs` learns of them.
 */
export function createApp(options: AppOptions): App {
  const { identity, config, openapi = { title: identity.service } } = options;
  const limits = readLimits(options.limits);
  const app = fastify({
    ...traceOptions,
    logger: {
      level: config.LOG_LEVEL,
      base: { ...identity },
      redact: ['req.headers.authorization', 'req.headers.cookie'],
      ...(options.logTo && { stream: options.logTo }),
    },
    logController: new RequestLog(),
    bodyLimit: config.BODY_LIMIT,
    ...limitOptions(limits),
    rewriteUrl: originForm,
    // A request that crossed the close on a kept-alive connection is served (and told to go), not refused.
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) => {
      reply.headers(securityHeaders).headers(identityHeaders(identity, request.raw));
      sendProblem(error, request, reply);
    },
    clientErrorHandler: answerClientError,
  }).withTypeProvider<ZodTypeProvider>();

  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((error, request, reply) => {
    // Its own stream failed: the client left in the middle of its body. No fault of ours, and nobody reads the answer.
    if (error === request.raw.errored) return sendProblem(brokenOff, request, reply);
    const sent = sendProblem(error, request, reply);
    // A 500 was logged there, with its stack; a 502 or 503 is somebody else's trouble and worth one line.
    if (reply.statusCode > 500) request.log.warn(reasonOf(error), 'request refused');
    return sent;
  });
  app.setNotFoundHandler((request, reply) => notFound(request, reply));

  addTracing(app);
  addLimits(app, limits);
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(securityHeaders).headers(identityHeaders(identity, request.raw));
    done();
  });
  addCors(app, config.CORS_ORIGIN);
  addLingeringAnswer(app);
  refuseWrongMethods(app);
  if (openapi !== false) addOpenApi(app, openapi);
  addHealth(app, options);
  app.decorate('streams', new OpenStreams());
  return app;
}

function reasonOf(error: unknown): { code: unknown; reason: unknown } {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return { code, reason: message };
}
