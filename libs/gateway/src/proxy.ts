import { HttpProblem, isHttpProblem, sendProblem } from '@mesh/problem';
import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';
import type { TraceContext } from '@mesh/trace-context';
import { ClientSink, type ClientSinkSettings } from './forward/client-sink.ts';
import { dispatcherTransport } from './forward/dispatcher-transport.ts';
import { forwardTo, type ForwardOptions } from './forward/forward.ts';
import { ForwardedFields, type ForwardedOptions } from './forward/forwarded.ts';
import { readRawTrace } from './forward/raw-trace.ts';
import { KnownServices } from './known-services.ts';
import type { IncomingMessage } from 'node:http';
import type { ProxyClient } from './forward/proxy-client.ts';
import { RequestPassage } from './forward/request-passage.ts';
import { Tunnels, type TunnelOptions } from './forward/tunnels.ts';
import { acceptExpectations } from './forward/expectations.ts';
import { acceptUpgrades } from './forward/upgrades.ts';
import { Watch } from './forward/watch.ts';
import { readTarget, targetFault, type RequestTarget } from './routing/request-target.ts';
import { RouteTable, type Destination, type ProxyRoute } from './routing/route-table.ts';
import { upstreamProblem } from './upstream-failure.ts';

/** What {@link proxyRoutes} takes. */
export interface ProxyRoutesOptions
  extends ForwardedOptions, TunnelOptions, Pick<ForwardOptions, 'host' | 'origins' | 'pseudonym' | 'wishes'> {
  /** Finds the instances and carries the requests. */
  readonly client: ProxyClient;
  /** Fixed routes. Default: none. */
  readonly routes?: readonly ProxyRoute[];
  /** `/api`: every service of the registry is at `/api/<service>/...`. Default: no such route. */
  readonly dynamicPrefix?: string;
  /** Most bytes of a request body, declared or counted; above it 413. Default 10 MiB. */
  readonly bodyLimit?: number;
  /** Longest silence of a client in the middle of its request body in ms, 0 for any; then 408. Default 15 000. */
  readonly bodyIdleTimeoutMs?: number;
  /** Longest silence within a response body in ms, 0 for any; streams of events may always be silent. Default 60 000. */
  readonly idleTimeoutMs?: number;
  /** Longest time for a whole exchange in ms; streams of events have none. Default 0, which is no limit: an upload may take its time. */
  readonly totalTimeoutMs?: number;
  /** How long a client may leave its answer unread, in ms, before it is cut off; 0 for ever. Default 60 000. */
  readonly stallTimeoutMs?: number;
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
  const answers = readAnswerSettings(options);

  // The body stays a stream: what is forwarded is what came.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, parsed) => {
    parsed(null);
  });
  app.setErrorHandler(sendProblem);

  const forwarded = new ForwardedFields(options);
  const { tunnels, watch } = answers;
  const forward = forwardTo(dispatcherTransport(options.client), {
    ...options,
    bodyLimit: wholeNumber('bodyLimit', options.bodyLimit ?? 10 * 1024 * 1024),
    bodyIdleTimeoutMs: wholeNumber('bodyIdleTimeoutMs', options.bodyIdleTimeoutMs ?? 15_000),
    forwarded,
    tunnels,
    watch,
  });
  const owns = ({ url = '' }: IncomingMessage): boolean => table.match(readTarget(url)) !== undefined;
  acceptExpectations(app, owns);
  acceptUpgrades(app, owns);
  app.addHook('preClose', (closed) => {
    tunnels.close();
    closed();
  });

  const handler = (request: FastifyRequest, reply: FastifyReply): void => {
    const target = readTarget(request.raw.url ?? '');
    const destination = findDestination(table, target);
    if (destination instanceof HttpProblem) {
      sendProblem(destination, request, reply);
      return;
    }
    const { rawHeaders, socket } = request.raw;
    const passage = new RequestPassage({
      request,
      reply,
      target,
      routeId: destination.isDynamic ? dynamicRoute : destination.service,
      service: destination.service,
      path: destination.path,
      trace: (request as { trace?: TraceContext }).trace ?? readRawTrace(rawHeaders),
      clientAddress: forwarded.clientAddress(socket, rawHeaders),
    });
    const sink = new ClientSink(passage, answers);
    sink.follow(forward(passage, sink));
  };
  for (const url of routeUrls(options)) app.route({ method: methods, url, handler });
}

/** The route whose services are named by the caller. */
const dynamicRoute = '*';

function findDestination(table: RouteTable, target: RequestTarget): Destination | HttpProblem {
  const fault = targetFault(target);
  if (fault !== undefined) return new HttpProblem('ERR_BAD_REQUEST', `Not forwarded: ${fault}.`);
  const destination = table.match(target);
  if (destination === undefined) return new HttpProblem('ERR_SERVICE_UNKNOWN', 'No service has this name.');
  if (destination.path.startsWith('//')) {
    return new HttpProblem('ERR_BAD_REQUEST', 'Not forwarded: the path must not start with "//".');
  }
  return { ...destination, path: destination.path + target.query };
}

function readAnswerSettings(options: ProxyRoutesOptions): ClientSinkSettings {
  const { idleTimeoutMs = 60_000, totalTimeoutMs = 0, stallTimeoutMs = 60_000 } = options;
  const known = new KnownServices(options.routes?.map(({ service }) => service));
  const watch = new Watch();
  return {
    watch,
    tunnels: new Tunnels(watch, options),
    idleTimeoutMs: wholeNumber('idleTimeoutMs', idleTimeoutMs),
    totalTimeoutMs: wholeNumber('totalTimeoutMs', totalTimeoutMs),
    stallTimeoutMs: wholeNumber('stallTimeoutMs', stallTimeoutMs),
    onAnswer: ({ service, routeId }) => {
      if (routeId === dynamicRoute) known.add(service);
    },
    explain: (error, { service, routeId }) => {
      if (isHttpProblem(error)) return error;
      // What Node takes and undici does not: a request that is odd, not an instance that is ill.
      if ((error as { code?: unknown }).code === 'UND_ERR_INVALID_ARG') {
        return new HttpProblem('ERR_BAD_REQUEST', 'The request cannot be passed on.', { cause: error });
      }
      return routeId === dynamicRoute ? known.explain(service, error) : upstreamProblem(service, error);
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
