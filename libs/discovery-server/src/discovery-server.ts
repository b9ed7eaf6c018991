import { sendProblem } from '@mesh/problem';
import type { GuardOptions } from '@mesh/request-guard';
import type { FastifyPluginCallback } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import { controlRoutes } from './control-routes.ts';
import { registryHealth } from './health.ts';
import { lookupRoutes } from './lookup-routes.ts';
import { methodRoutes } from './method-routes.ts';
import { Registry } from './registry.ts';
import { healthAnswer, noQuery } from './schemas.ts';
import type { TypedApp } from './typed-app.ts';
import { WatchHub } from './watch-hub.ts';
import { watchRoute } from './watch-route.ts';

/** Options of the {@link discoveryServer} plugin. */
export interface DiscoveryServerOptions {
  /** The registry to serve; closing it is up to its owner. Default: one of its own, closed with the app. */
  readonly registry?: Registry;
  /** The streams of `GET /watch`, closed with the app. Default: one of its own. */
  readonly watchHub?: WatchHub;
  /** Who may register, beat and remove: hosts, origins, token. Default: loopback names, no token. */
  readonly guard?: GuardOptions;
  /** Whether to serve `GET /health`; `registryHealth` gives the same object for a route of the app. Default true. */
  readonly health?: boolean;
}

const readOnly = ['GET', 'HEAD'] as const;

const allowedMethods = {
  '/register': ['POST'],
  '/heartbeat': ['POST'],
  '/services': readOnly,
  '/services/:name': readOnly,
  '/services/:name/:port': ['DELETE'],
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
  const registry = options.registry ?? new Registry();
  const hub = options.watchHub ?? new WatchHub(registry);
  const app: TypedApp = scope.withTypeProvider();
  app.setValidatorCompiler(validatorCompiler);
  // The types of the routes check the answers; checking them again at run time would cost more than the registry itself.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.setErrorHandler(sendProblem);
  acceptJsonOnly(app);

  controlRoutes(app, registry, options.guard);
  lookupRoutes(app, registry);
  watchRoute(app, hub);
  methodRoutes(app, allowedMethods);
  if (options.health !== false) healthRoute(app, registry, hub);

  app.addHook('preClose', (closed) => {
    hub.close();
    closed();
  });
  app.addHook('onClose', (_, closed) => {
    if (options.registry === undefined) registry.close();
    closed();
  });
  done();
};

function healthRoute(app: TypedApp, registry: Registry, hub: WatchHub): void {
  const schema = {
    summary: 'Whether the registry runs, and its counts',
    querystring: noQuery,
    response: { 200: healthAnswer },
  };
  app.get('/health', { exposeHeadRoute: true, schema }, () => registryHealth(registry, hub));
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
