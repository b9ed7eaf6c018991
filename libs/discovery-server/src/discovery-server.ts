import { sendProblem } from '@mesh/problem';
import type { GuardOptions } from '@mesh/request-guard';
import type { FastifyInstance, FastifyPluginCallback } from 'fastify';
import type { AccessOptions } from './access.ts';
import type { AuditListener } from './audit.ts';
import { controlRoutes } from './control-routes.ts';
import { Gate } from './gate.ts';
import { registryHealth } from './health.ts';
import type { RegistryHealth } from './health.ts';
import { interopRoutes } from './interop-routes.ts';
import { Liveness } from './liveness.ts';
import { lookupRoutes } from './lookup-routes.ts';
import { methodRoutes } from './method-routes.ts';
import { OpenApiDocument } from './openapi.ts';
import { overrideRoutes } from './override-routes.ts';
import { platformTimers } from './platform-timers.ts';
import { quickValidator } from './quick-validator.ts';
import type { QuotaOptions } from './quota.ts';
import { Registry } from './registry.ts';
import { healthAnswer, noQuery } from './schemas.ts';
import type { TypedApp } from './typed-app.ts';
import { WatchHub } from './watch-hub.ts';
import { sessionRoute } from './session-route.ts';
import { WaitRoom } from './wait-room.ts';
import { watchRoute } from './watch-route.ts';

/** Options of the {@link discoveryServer} plugin. */
export interface DiscoveryServerOptions {
  /** The registry to serve; closing it is up to its owner. Default: one of its own, closed with the app. */
  readonly registry?: Registry;
  /** The streams of `GET /watch`, closed with the app. Default: one of its own. */
  readonly watchHub?: WatchHub;
  /** Sessions, health checks and what becomes of lost ones; yours to close. Default: of its own, closed with the app. */
  readonly liveness?: Liveness;
  /** Who may change something: hosts, origins, and a token that may do everything. Default: loopback names, no token. */
  readonly guard?: GuardOptions;
  /** Tokens with scopes. Default none; without any token, only this machine may call. */
  readonly access?: AccessOptions;
  /** What a caller may ask for in a second, and hold open. */
  readonly quota?: QuotaOptions;
  /** Hears who did what, and what was refused. */
  readonly onAudit?: AuditListener;
  /** Whether to serve `GET /health`; `registryHealth` gives the same object for a route of the app. Default true. */
  readonly health?: boolean;
}

const readOnly = ['GET', 'HEAD'] as const;

/** Long polls at once. */
const maximumWaiting = 1000;

const allowedMethods = {
  '/register': ['POST'],
  '/heartbeat': ['POST'],
  '/heartbeats': ['POST'],
  '/session': ['POST'],
  '/services': readOnly,
  '/services/:name': readOnly,
  '/services/:name/:port': ['DELETE'],
  '/services/:name/:id/drain': ['PUT', 'DELETE'],
  '/services/:name/:id/status': ['PUT'],
  '/services/:name/:id/weight': ['PUT'],
  '/sd/prometheus': readOnly,
  '/openapi.json': readOnly,
  '/watch': ['GET'],
} as const;

/**
 * A Fastify plugin that serves a {@link Registry} over HTTP: register, heartbeat, look up, remove, watch. It stays in its own
 * scope: its validation, its problem JSON and its content types change nothing for the rest of the app.
 *
 * @example
 * const registry = new Registry();
 * await app.register(discoveryServer, { registry });
 */
export const discoveryServer: FastifyPluginCallback<DiscoveryServerOptions> = (scope, options, done) => {
  try {
    serve(scope, options);
    done();
  } catch (error) {
    done(error as Error);
  }
};

function serve(scope: FastifyInstance, options: DiscoveryServerOptions): void {
  // First, because it refuses options that make no sense, and holds nothing.
  const gate = new Gate(options);
  const registry = options.registry ?? new Registry();
  const hub = options.watchHub ?? new WatchHub(registry);
  const liveness = options.liveness ?? new Liveness(registry);
  const app: TypedApp = scope.withTypeProvider();
  app.setValidatorCompiler(quickValidator);
  // The types of the routes check the answers; checking them again at run time would cost more than the registry itself.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.setErrorHandler(sendProblem);
  acceptJsonOnly(app);

  const waitRoom = new WaitRoom(registry, platformTimers, Math.random, maximumWaiting);
  const document = new OpenApiDocument();
  app.addHook('onRoute', (route) => {
    document.add(route);
  });
  controlRoutes(app, registry, gate);
  sessionRoute(app, registry, liveness.sessions, gate);
  overrideRoutes(app, registry, gate);
  lookupRoutes(app, registry, gate, waitRoom);
  watchRoute(app, hub, gate);
  interopRoutes(app, registry, gate, document);
  methodRoutes(app, allowedMethods);
  if (options.health !== false) healthRoute(app, () => registryHealth(registry, hub, liveness));

  app.addHook('preClose', (closed) => {
    waitRoom.close();
    hub.close();
    liveness.sessions.close();
    closed();
  });
  app.addHook('onClose', (_, closed) => {
    if (options.liveness === undefined) liveness.close();
    if (options.registry === undefined) registry.close();
    closed();
  });
}

function healthRoute(app: TypedApp, health: () => RegistryHealth): void {
  const schema = {
    summary: 'Whether the registry runs, and its counts',
    querystring: noQuery,
    response: { 200: healthAnswer },
  };
  app.get('/health', { exposeHeadRoute: true, schema }, health);
  methodRoutes(app, { '/health': readOnly });
}

/**
 * Whatever the app reads elsewhere: bodies here are JSON (as text/plain a foreign page could send one without asking, a CORS
 * "simple request"), and a body with a prototype key is refused.
 */
function acceptJsonOnly(app: TypedApp): void {
  app.removeAllContentTypeParsers();
  const parser = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, parser);
}
