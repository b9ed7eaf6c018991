import { Readable } from 'node:stream';
import { formatHash } from '@mesh/discovery-client';
import type { Instance } from '@mesh/discovery-client';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { entityTag, matchesTag } from './entity-tag.ts';
import type { Gate } from './gate.ts';
import { predicateOf, serviceQuery, servicesQuery, viewOf } from './lookup-query.ts';
import type { LookupFilter } from './lookup-query.ts';
import { formatPosition } from './position.ts';
import type { Registry } from './registry.ts';
import { RegistryError } from './registry-error.ts';
import { serviceAnswer, serviceParams, servicesAnswer } from './schemas.ts';
import type { ServiceEntry } from './service-entry.ts';
import { namespaceOf, serviceKey, serviceName } from './service-key.ts';
import type { TypedApp } from './typed-app.ts';
import type { WaitRoom } from './wait-room.ts';

const json = 'application/json; charset=utf-8';

/** Services that are encoded without a pause in an answer of all of them: a few milliseconds. */
const instancesAtOnce = 1000;

interface CachedAnswer {
  readonly revision: string;
  readonly beats: number;
  readonly bytes: Buffer;
}

/** `GET /services` and `GET /services/:name`. */
export function lookupRoutes(app: TypedApp, registry: Registry, gate: Gate, waitRoom: WaitRoom): void {
  const onRequest = gate.hook('read');
  const cached = new WeakMap<ServiceEntry, CachedAnswer>();

  app.get(
    '/services',
    {
      exposeHeadRoute: true,
      onRequest,
      schema: { summary: 'All services', querystring: servicesQuery, response: { 200: servicesAnswer } },
    },
    (request, reply) => {
      const { revision } = registry;
      if (answersUnchanged(request, reply, revision, revision)) return;
      const { namespace = 'default', after = '', limit = Infinity } = request.query;
      const matching = registry
        .services()
        .filter(({ key }) => key > after && (namespace === '*' || namespaceOf(key) === namespace));
      const page = matching.slice(0, limit);
      const next = page.length < matching.length ? page.at(-1)?.key : undefined;
      const services = page.map((service) => ({
        ...serviceName(service.key),
        instances: select(service, request.query),
      }));
      const count = services.reduce((sum, { instances }) => sum + instances.length, 0);
      if (count <= instancesAtOnce) return { services, revision, ...(next !== undefined && { next }) };
      reply.type(json);
      void (reply as { send(body: unknown): unknown }).send(
        Readable.from(encodeServices(services, revision, next)),
      );
      return;
    },
  );

  app.get(
    '/services/:name',
    {
      exposeHeadRoute: true,
      onRequest,
      schema: {
        summary: 'The instances of one service',
        params: serviceParams,
        querystring: serviceQuery,
        response: { 200: serviceAnswer },
      },
    },
    (request, reply) => {
      const { namespace, wait = 0 } = request.query;
      const key = serviceKey({ name: request.params.name, namespace });
      if (wait > 0) {
        return afterWaiting(request, key, wait * 1000).then(() => {
          answer(request, reply, key);
          return reply as never;
        });
      }
      answer(request, reply, key);
      return;
    },
  );

  type Lookup = FastifyRequest & { query: LookupFilter & { limit?: number | undefined } };

  function answer(request: Lookup, reply: FastifyReply, key: string): void {
    const service = registry.service(key);
    const revision = service?.revision ?? formatPosition(registry.epoch, 0);
    if (service === undefined) setValidators(reply, registry.revision, entityTag(revision));
    else if (answersUnchanged(request, reply, registry.revision, revision)) return;
    if (service === undefined) {
      throw new RegistryError('ERR_SERVICE_UNKNOWN', `no instance of ${key} is registered`);
    }
    void reply
      .type(json)
      .send(isPlain(request.query) ? plainAnswer(service) : encode(service, request.query));
  }

  /** The answer to the usual question, which is the same until something changes or beats: encoded once, sent as it is. */
  function plainAnswer(service: ServiceEntry): Buffer {
    const { revision, beats } = service;
    const known = cached.get(service);
    if (known?.revision === revision && known.beats === beats) return known.bytes;
    const bytes = Buffer.from(encode(service, {}));
    cached.set(service, { revision, beats, bytes });
    return bytes;
  }

  /** Waits only when the caller has what there is. */
  async function afterWaiting(request: FastifyRequest, key: string, ms: number): Promise<void> {
    const revision = registry.revisionOf(key) ?? formatPosition(registry.epoch, 0);
    if (!matchesTag(request.headers['if-none-match'], entityTag(revision))) return;
    const close = gate.openStream(request);
    const gone = new AbortController();
    const abort = (): void => {
      gone.abort();
    };
    request.raw.socket.once('close', abort);
    try {
      await waitRoom.wait(key, ms, gone.signal);
    } finally {
      request.raw.socket.off('close', abort);
      close();
    }
  }
}

function isPlain(query: object): boolean {
  for (const key in query) if (key !== 'wait' && key !== 'namespace') return false;
  return true;
}

function encode(
  service: ServiceEntry,
  query: LookupFilter & { readonly limit?: number | undefined },
): string {
  const { revision, hashes } = service;
  const instances = select(service, query).slice(0, query.limit);
  const hash = formatHash(hashes[viewOf(query)]);
  return JSON.stringify({ ...serviceName(service.key), instances, revision, hash });
}

function select(service: ServiceEntry, query: LookupFilter): Instance[] {
  const passes = predicateOf({ ...query });
  const instances = service.describe(viewOf(query));
  return passes === undefined ? instances : instances.filter(passes);
}

/** A long list in pieces, so that nobody else waits until all of it is encoded. */
async function* encodeServices(
  services: readonly object[],
  revision: string,
  next: string | undefined,
): AsyncGenerator<string> {
  let separator = '{"services":[';
  for (const service of services) {
    yield separator + JSON.stringify(service);
    separator = ',';
    await new Promise(setImmediate);
  }
  yield `],"revision":${JSON.stringify(revision)}${next === undefined ? '' : `,"next":${JSON.stringify(next)}`}}`;
}

/** Sets the validators of the answer; sends 304 and answers true when the caller has it already. */
function answersUnchanged(
  request: FastifyRequest,
  reply: FastifyReply,
  position: string,
  revision: string,
): boolean {
  const tag = entityTag(revision);
  setValidators(reply, position, tag);
  if (!matchesTag(request.headers['if-none-match'], tag)) return false;
  void reply.code(304).send();
  return true;
}

function setValidators(reply: FastifyReply, position: string, tag: string): void {
  reply.header('etag', tag).header('cache-control', 'no-cache').header('x-registry-revision', position);
}
