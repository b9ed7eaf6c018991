import { HttpProblem, sendProblem } from '@mesh/problem';
import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingMessage } from 'node:http';
import { isDeepStrictEqual } from 'node:util';
import { assemble, type Kit } from './lane/assemble.ts';
import {
  explain,
  shownRoute,
  type Candidate,
  type Explanation,
  type RequestDescription,
} from './routing/explain.ts';
import type { ProxyClient } from './forward/proxy-client.ts';
import { putFields } from './forward/gateway-fields.ts';
import { discardRest } from './forward/request-body.ts';
import { KnownServices } from './known-services.ts';
import type { Lane, RoutePolicies, Way } from './lane/lane.ts';
import { LiveRoutes, type Claim, type Found } from './routing/live-routes.ts';
import type { Passage } from './passage.ts';
import { Engine, type EngineOptions } from './lane/engine.ts';
import { RequestPassage } from './forward/request-passage.ts';
import { Observation, type Observers } from './operations/observation.ts';
import { claimConstraint, claimOf } from './routing/claim-constraint.ts';
import { diffRoutes, type RouteDiff } from './routing/route-diff.ts';
import { readTarget } from './routing/request-target.ts';
import { routeMethods, type Route, type RoutesInput } from './routing/route-schema.ts';
import type { RolledBack } from './routing/split-guard.ts';
import { runStages } from './lane/run-stages.ts';

/** What {@link createGateway} takes. */
export interface GatewayOptions extends EngineOptions {
  /** Finds the instances and carries the requests. */
  readonly client: ProxyClient;
  /** YAML or JSON, or the same as an object. Default: no routes, until `update`. */
  readonly routes?: string | RoutesInput;
  /** Name of the file of `routes`, for faults. */
  readonly file?: string;
  /** What routes may name: authentication, limits, cache; and protection from overload, which is for all. Default: none. */
  readonly policies?: RoutePolicies;
  /** Counts and notes every exchange. Default: nobody does. */
  readonly observers?: Observers;
  /** The instances of a service, for `explain`. Default: none are shown. */
  readonly instances?: (service: string) => readonly Candidate[];
  /** Called when a branch of a split was turned off because it fails. */
  readonly onRollback?: (route: string, rolledBack: RolledBack) => void;
}

/** The routes of a gateway at one moment. */
export interface GatewaySnapshot {
  /** Counts the configurations, from 1. */
  readonly revision: number;
  /** Without secrets; `turnedOff` names the branches that were rolled back. */
  readonly routes: readonly (Route & { readonly turnedOff: readonly string[] })[];
}

/** What an update has changed, and what to give to the next one to take it back. */
export interface RouteChange extends RouteDiff {
  readonly previous: RoutesInput;
}

/**
 * Streams requests to instances of services by routes that are data, and can be changed while requests are under way.
 *
 *   request -> match -> CORS -> overload -> rate limit -> auth -> rate limit -> cache -> client (balancing, breaker, retry, deadline) -> instance
 *
 * @example
 * const gateway = createGateway({ client, routes: { routes: [{ match: { prefix: '/shop' }, service: 'shop', rewrite: '/' }] } });
 * await app.register(gateway.plugin);
 * gateway.update(await readFile('routes.yaml', 'utf8'), { file: 'routes.yaml' });
 */
export class Gateway {
  /** Takes every request of the app that has a route here and no handler of the app's own. */
  readonly plugin: FastifyPluginCallback = (app, _options, done) => {
    this.#mount(app);
    done();
  };
  readonly #kit: Kit;
  readonly #engine: Engine;
  readonly #observers: Observers | undefined;
  readonly #known = new KnownServices();
  readonly #instances: (service: string) => readonly Candidate[];
  #live: LiveRoutes;
  #revision = 1;

  /** @throws RouteConfigError for routes that make no sense; RangeError for another option. */
  constructor(options: GatewayOptions) {
    const { client, policies = {}, observers } = options;
    const { routes = { routes: [] }, file, instances = () => [], onRollback = () => undefined } = options;
    this.#instances = instances;
    this.#observers = observers;
    this.#engine = new Engine(client, {
      ...options,
      onAnswer: ({ service }) => {
        this.#known.add(service);
      },
      explain: (error, passage) => this.#problemOf(error, passage),
    });
    this.#kit = { engine: this.#engine, policies, onRollback };
    this.#live = this.#read(routes, file);
    this.#note(this.#live);
  }

  /** The routes at this moment, with ids and defaults in them; frozen. */
  get routes(): readonly Route[] {
    return this.#live.routes;
  }

  /**
   * Changes the routes for all requests that come from now on; those under way end as they began. What did not change keeps what it has
   * counted (limits, splits).
   *
   * @throws RouteConfigError with everything that is wrong; then nothing has changed.
   */
  update(routes: string | RoutesInput, { file }: { readonly file?: string } = {}): RouteChange {
    const before = this.#live;
    const after = this.#read(routes, file, before);
    this.#note(after);
    this.#live = after;
    this.#revision++;
    return { ...diffRoutes(before.routes, after.routes), previous: { routes: [...before.routes] } };
  }

  /** The routes as they may be shown, and what has become of their splits; plain data. */
  getSnapshot(): GatewaySnapshot {
    const live = this.#live;
    return {
      revision: this.#revision,
      routes: live.routes.map((route) => ({ ...shownRoute(route), turnedOff: live.turnedOff(route.id) })),
    };
  }

  /** What would happen to a request, without sending it. */
  explain(request: RequestDescription): Explanation {
    return explain(this.#live, request, this.#instances);
  }

  #read(routes: string | RoutesInput, file: string | undefined, before?: LiveRoutes): LiveRoutes {
    return LiveRoutes.read(routes, file, (route) => {
      const lane = before?.laneOf(route.id);
      return isDeepStrictEqual(lane?.route, route) && lane !== undefined
        ? lane
        : assemble(route, this.#kit, lane);
    });
  }

  #note(live: LiveRoutes): void {
    for (const service of live.services) this.#known.add(service);
  }

  #mount(app: FastifyInstance): void {
    // The body stays a stream: what is forwarded is what came.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, _payload, parsed) => {
      parsed(null);
    });
    app.setErrorHandler(sendProblem);
    this.#engine.attach(app, (message) => this.#claim(message) !== undefined);
    const constraintOf = claimConstraint(app, (request) => this.#live.claim(request));
    for (const kind of ['plain', 'cors'] as const) {
      app.route({
        method: [...routeMethods],
        url: '/*',
        constraints: constraintOf(kind),
        schema: { hide: true },
        // An `@fastify/cors` of the app leaves alone what has rules of its own.
        config: kind === 'cors' ? ({ cors: false } as object) : {},
        handler: (request, reply) => {
          this.#take(request, reply, claimOf(request.raw));
        },
      });
    }
  }

  #take(request: FastifyRequest, reply: FastifyReply, claim: Claim | undefined): void {
    if (claim === undefined) {
      reply.callNotFound();
      return;
    }
    if ('redirect' in claim) {
      void reply.redirect(claim.redirect, 308);
      return;
    }
    if ('preflight' in claim) {
      // Some browsers wait for a body that has no length.
      void reply
        .code(204)
        .headers({ 'content-length': '0', ...claim.preflight })
        .send();
      return;
    }
    if ('problem' in claim) {
      if (claim.allow !== undefined) void reply.header('allow', claim.allow);
      refuse(claim.problem, request, reply);
      return;
    }
    this.#send(request, reply, claim);
  }

  #send(request: FastifyRequest, reply: FastifyReply, { lane, target, path, service }: Found): void {
    const { split, ways, requestRules, stages, answer, cors } = lane;
    if (cors !== undefined) putFields(reply, Object.entries(cors.fields(request.headers.origin)).flat());
    const way = split === undefined ? ways[0] : this.#branchOf(lane, request);
    const passage = new RequestPassage({
      request,
      reply,
      routeId: lane.route.id,
      target,
      service: way.service ?? service,
      path,
      hasCors: cors !== undefined,
      forwarded: this.#engine.forwarded,
    });
    if (this.#observers !== undefined) passage.notes = new Observation(passage, this.#observers);
    if (requestRules !== undefined) {
      passage.withheldHeaders = [...requestRules.dropped];
      passage.requestHeaders.push(...requestRules.added);
    }
    if (stages.length === 0) {
      this.#engine.answer(passage, way.forward, answer);
      return;
    }
    runStages(stages, passage, (refusal) => {
      // Who left while a stage waited needs nothing any more; the stages have heard of it by `onEnd`.
      if (!passage.isOpen) return;
      if (refusal === undefined) {
        passage.notes?.passed();
        this.#engine.answer(passage, way.forward, answer);
      } else {
        if (passage.notes !== undefined) passage.notes.code = refusal.code;
        refuse(refusal, request, reply, passage.answerHeaders);
      }
    });
  }

  /** What is to be done with a message that did not come through the router. */
  #claim({ method = '', url = '', rawHeaders }: IncomingMessage): Claim | undefined {
    return this.#live.claim({ method, target: readTarget(url), rawHeaders });
  }

  #branchOf(lane: Lane, { raw }: FastifyRequest): Way {
    const clientAddress = this.#engine.forwarded.clientAddress(raw.socket, raw.rawHeaders);
    const name = lane.split?.choose({ rawHeaders: raw.rawHeaders, clientAddress }).name;
    return lane.ways.find((way) => way.name === name) ?? lane.ways[0];
  }

  #problemOf(error: Error, { service }: Passage): Error {
    if (error instanceof HttpProblem) return error;
    // What Node takes and undici does not: a request that is odd, not an instance that is ill.
    if ((error as { code?: unknown }).code === 'UND_ERR_INVALID_ARG') {
      return new HttpProblem('ERR_BAD_REQUEST', 'The request cannot be passed on.', { cause: error });
    }
    return this.#known.explain(service, error);
  }
}

/** A {@link Gateway}. @throws RouteConfigError, RangeError as its constructor does. */
export function createGateway(options: GatewayOptions): Gateway {
  return new Gateway(options);
}

function refuse(
  problem: HttpProblem,
  request: FastifyRequest,
  reply: FastifyReply,
  answerHeaders: readonly string[] = [],
): void {
  putFields(reply, answerHeaders);
  sendProblem(problem, request, reply);
  discardRest(request.raw);
}
