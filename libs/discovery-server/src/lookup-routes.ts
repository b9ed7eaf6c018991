import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { entityTag, matchesTag } from './entity-tag.ts';
import type { Gate } from './gate.ts';
import { encodeService } from './instance-page.ts';
import type { InstanceQuery } from './instance-page.ts';
import { serviceQuery, servicesQuery } from './lookup-query.ts';
import { formatPosition } from './position.ts';
import type { Registry } from './registry.ts';
import { RegistryError } from './registry-error.ts';
import { serviceAnswer, serviceParams, servicesAnswer } from './schemas.ts';
import type { ServiceEntry } from './service-entry.ts';
import { serviceKey } from './service-key.ts';
import { ServiceList } from './service-list.ts';
import type { ServicesQuery } from './service-list.ts';
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
      const { wait = 0 } = request.query;
      if (wait > 0) {
        return afterWaiting(request, undefined, wait * 1000).then(() => {
          answerAll(request, reply);
          return reply as never;
        });
      }
      answerAll(request, reply);
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

  function answerAll(request: FastifyRequest & { query: ServicesQuery }, reply: FastifyReply): void {
    const { revision } = registry;
    if (answersUnchanged(request, reply, revision, revision)) return;
    const list = new ServiceList(registry, request.query);
    const isShort = list.size <= instancesAtOnce;
    void reply.type(json).send(isShort ? JSON.stringify(list) : Readable.from(list.pieces()));
  }

  type Lookup = FastifyRequest & { query: InstanceQuery };

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
      .send(isPlain(request.query) ? plainAnswer(service) : encodeService(service, request.query));
  }

  /** The answer to the usual question, which is the same until something changes or beats: encoded once, sent as it is. */
  function plainAnswer(service: ServiceEntry): Buffer {
    const { revision, beats } = service;
    const known = cached.get(service);
    if (known?.revision === revision && known.beats === beats) return known.bytes;
    const bytes = Buffer.from(encodeService(service, {}));
    cached.set(service, { revision, beats, bytes });
    return bytes;
  }

  /** Waits, for one service or all, only when the caller has what there is. */
  async function afterWaiting(request: FastifyRequest, key: string | undefined, ms: number): Promise<void> {
    const none = formatPosition(registry.epoch, 0);
    const revision = key === undefined ? registry.revision : (registry.revisionOf(key) ?? none);
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
