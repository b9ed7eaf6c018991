import { HttpProblem, sendProblem } from '@mesh/problem';
import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';
import { valuesOf } from './forward/hop-headers.ts';
import { hopsOf, maxHops } from './forward/hops.ts';
import { KnownServices } from './known-services.ts';
import type { ProxyClient } from './forward/proxy-client.ts';
import { ProxyExchange, type ProxySettings } from './forward/proxy-handler.ts';
import { readTarget, targetFault } from './routing/request-target.ts';
import { RouteTable, type Destination, type ProxyRoute } from './routing/route-table.ts';
import { upstreamProblem } from './upstream-failure.ts';

/** What {@link proxyRoutes} takes. */
export interface ProxyRoutesOptions {
  /** Finds the instances and carries the requests. */
  readonly client: ProxyClient;
  /** Fixed routes. Default: none. */
  readonly routes?: readonly ProxyRoute[];
  /** `/api`: every service of the registry is at `/api/<service>/...`. Default: no such route. */
  readonly dynamicPrefix?: string;
  /** Most bytes of a request body, declared or counted; above it 413. Default 10 MiB. */
  readonly bodyLimit?: number;
  /** Longest silence within a response body in ms, 0 for any; streams of events may always be silent. Default 60 000. */
  readonly idleTimeoutMs?: number;
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/**
 * Routes that stream requests to instances of a service and their answers back, without looking into either. Register it as a plugin of its
 * own: in its scope no body is parsed.
 *
 * @throws RangeError when an option or a route makes no sense.
 * @example app.register(proxyRoutes, { client, routes: [{ prefix: '/shop', service: 'shop', rewrite: '/' }], dynamicPrefix: '/api' })
 */
export const proxyRoutes: FastifyPluginCallback<ProxyRoutesOptions> = (app, options, done) => {
  try {
    addRoutes(app, options);
  } catch (error) {
    // Thrown here it would be an uncaught exception, not a failed start.
    done(error as Error);
    return;
  }
  done();
};

function addRoutes(app: FastifyInstance, options: ProxyRoutesOptions): void {
  const base = app.prefix;
  const table = new RouteTable(withBase(base, options.routes ?? []), under(base, options.dynamicPrefix));
  const settings = readSettings(options);

  // The body stays a stream: what is forwarded is what came.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, parsed) => {
    parsed(null);
  });
  app.setErrorHandler(sendProblem);

  const handler = (request: FastifyRequest, reply: FastifyReply): void => {
    const destination = findDestination(table, request);
    if (destination instanceof HttpProblem) sendProblem(destination, request, reply);
    else new ProxyExchange(request, reply, destination, settings).start();
  };
  for (const url of routeUrls(options)) app.route({ method: methods, url, handler });
}

function findDestination(table: RouteTable, request: FastifyRequest): Destination | HttpProblem {
  const target = readTarget(request.raw.url ?? '');
  const fault = targetFault(target);
  if (fault !== undefined) return new HttpProblem('ERR_BAD_REQUEST', `Not forwarded: ${fault}.`);
  if (valuesOf(request.raw.rawHeaders, 'host').length > 1) {
    return new HttpProblem('ERR_BAD_REQUEST', 'Not forwarded: there is more than one Host.');
  }
  if (hopsOf(request.headers) >= maxHops) {
    return new HttpProblem('ERR_LOOP', 'Not forwarded: the request goes in a circle.', { status: 508 });
  }
  const destination = table.match(target);
  if (destination === undefined) return new HttpProblem('ERR_SERVICE_UNKNOWN', 'No service has this name.');
  if (destination.path.startsWith('//')) {
    return new HttpProblem('ERR_BAD_REQUEST', 'Not forwarded: the path must not start with "//".');
  }
  return { ...destination, path: destination.path + target.query };
}

function readSettings(options: ProxyRoutesOptions): ProxySettings {
  const { client, bodyLimit = 10 * 1024 * 1024, idleTimeoutMs = 60_000 } = options;
  const known = new KnownServices(options.routes?.map(({ service }) => service));
  return {
    client,
    bodyLimit: wholeNumber('bodyLimit', bodyLimit),
    idleTimeoutMs: wholeNumber('idleTimeoutMs', idleTimeoutMs),
    onAnswer: ({ service, isDynamic }) => {
      if (isDynamic) known.add(service);
    },
    explain: (error, { service, isDynamic }) => {
      // What Node takes and undici does not: a request that is odd, not an instance that is ill.
      if ((error as { code?: unknown }).code === 'UND_ERR_INVALID_ARG') {
        return new HttpProblem('ERR_BAD_REQUEST', 'The request cannot be passed on.', { cause: error });
      }
      return isDynamic ? known.explain(service, error) : upstreamProblem(service, error);
    },
  };
}

function routeUrls({ routes = [], dynamicPrefix }: ProxyRoutesOptions): string[] {
  const fixed = routes.flatMap(({ prefix }) => [prefix, `${prefix}/*`]);
  return dynamicPrefix === undefined ? fixed : [...fixed, `${dynamicPrefix}/*`];
}

function under(base: string, prefix: string | undefined): string | undefined {
  return prefix === undefined ? undefined : base + prefix;
}

function withBase(base: string, routes: readonly ProxyRoute[]): ProxyRoute[] {
  return routes.map((route) => ({ ...route, prefix: base + route.prefix }));
}

function wholeNumber(option: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new RangeError(`proxyRoutes: ${option} must be an integer >= 0, got ${value}`);
}
