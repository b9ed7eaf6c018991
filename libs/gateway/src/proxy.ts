import type { FastifyPluginCallback } from 'fastify';
import type { ProxyClient } from './forward/proxy-client.ts';
import { Gateway } from './gateway.ts';
import type { EngineOptions } from './lane/engine.ts';
import { isRouteConfigError } from './routing/config-error.ts';
import { isPrefix } from './routing/path-pattern.ts';
import type { RouteInput } from './routing/route-schema.ts';

/** One configured route: everything under a prefix goes to one service. */
export interface ProxyRoute {
  /** `/shop`: matches `/shop`, `/shop?x` and `/shop/...`, never `/shopping`. The longest prefix that matches wins. */
  readonly prefix: string;
  /** Name of the service in the registry. */
  readonly service: string;
  /** What the instance gets in the place of the prefix; `/` cuts the prefix off. Default: the path stays as it is. */
  readonly rewrite?: string;
}

/** What {@link proxyRoutes} takes. */
export interface ProxyRoutesOptions extends Omit<EngineOptions, 'bodyLimitBytes'> {
  /** Finds the instances and carries the requests. */
  readonly client: ProxyClient;
  /** Fixed routes. Default: none. */
  readonly routes?: readonly ProxyRoute[];
  /** `/api`: every service of the registry is at `/api/<service>/...`. Default: no such route. */
  readonly dynamicPrefix?: string;
  /** Whether WebSockets pass; `origins`: also those of pages from there. Default true: those of pages of the gateway's own host. */
  readonly websocket?: boolean | { readonly origins: readonly string[] };
  /** Most bytes of a request body, declared or counted; above it 413. Default 10 MiB. */
  readonly bodyLimit?: number;
}

/**
 * A {@link Gateway} of prefixes, for who needs no more: no file, no policies. Register it as a plugin of its own: in its scope no body is parsed.
 *
 * @throws RangeError when an option or a route makes no sense.
 * @example app.register(proxyRoutes, { client, routes: [{ prefix: '/shop', service: 'shop', rewrite: '/' }], dynamicPrefix: '/api' })
 */
export const proxyRoutes: FastifyPluginCallback<ProxyRoutesOptions> = (app, options, done) => {
  try {
    gatewayOf(app.prefix, options).plugin(app, {}, done);
  } catch (error) {
    // Thrown here it would be an uncaught exception, not a failed start.
    done(isRouteConfigError(error) ? new RangeError(error.message, { cause: error }) : (error as Error));
  }
};

function gatewayOf(
  base: string,
  { routes = [], dynamicPrefix, bodyLimit, websocket = true, ...options }: ProxyRoutesOptions,
): Gateway {
  if (dynamicPrefix !== undefined && !isPrefix(dynamicPrefix)) {
    throw new RangeError(`proxyRoutes: dynamicPrefix must look like "/api", got ${dynamicPrefix}`);
  }
  const fixed = routes.map(({ prefix, service, rewrite }) => toRoute(base, prefix, service, rewrite));
  return new Gateway({
    ...options,
    routes: {
      defaults: {
        websocket: typeof websocket === 'boolean' ? websocket : { origins: [...websocket.origins] },
      },
      routes: dynamicPrefix === undefined ? fixed : [...fixed, toRoute(base, dynamicPrefix, '*')],
    },
    ...(bodyLimit !== undefined && { bodyLimitBytes: bodyLimit }),
  });
}

function toRoute(base: string, prefix: string, service: string, rewrite?: string): RouteInput {
  return { match: { prefix: base + prefix }, service, ...(rewrite !== undefined && { rewrite }) };
}
