import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Client, Instances, ManualTime, send, type Exchange, type Reply } from '../testing/cache-kit.ts';
import { CacheControl } from './cache-control.ts';
import type { CacheRules } from './cache-policy.ts';
import { ResponseCache } from './response-cache.ts';

const seconds = fc.option(fc.constantFrom(0, 1, 5, 20, 60), { nil: undefined });
const flag = fc.constantFrom(false, false, false, true);

const answer = fc.record({
  status: fc.constantFrom(200, 200, 200, 404, 302, 405, 503),
  maxAge: seconds,
  sMaxAge: fc.option(fc.constantFrom(0, 5, 60), { nil: undefined, freq: 1 }),
  expires: fc.option(fc.constantFrom(-5, 0, 5, 60), { nil: undefined, freq: 2 }),
  swr: fc.option(fc.constantFrom(0, 10), { nil: undefined, freq: 2 }),
  sie: fc.option(fc.constantFrom(0, 30), { nil: undefined, freq: 2 }),
  age: fc.option(fc.constantFrom(0, 3, 30), { nil: undefined, freq: 2 }),
  isPublic: flag,
  isPrivate: flag,
  noStore: flag,
  noCache: flag,
  mustRevalidate: flag,
  proxyRevalidate: flag,
  setCookie: flag,
  varies: fc.boolean(),
  dateAgo: fc.constantFrom(0, 0, 2),
});
const request = fc.record({
  foo: fc.constantFrom('a', 'b'),
  cookie: flag,
  auth: flag,
  wish: fc.constantFrom(
    undefined,
    undefined,
    undefined,
    'no-cache',
    'max-age=4',
    'max-age=0',
    'min-fresh=10',
    'max-stale=8',
    'max-stale',
    'no-store',
    'only-if-cached',
  ),
});
const policy = fc.record({
  ttlMs: fc.constantFrom(0, 7_000),
  staleWhileRevalidateMs: fc.constantFrom(0, 6_000),
  staleIfErrorMs: fc.constantFrom(0, 15_000),
});
const step = fc.record({ request, answer, waitS: fc.constantFrom(0, 1, 4, 9, 25) });

type Answer = typeof answer extends fc.Arbitrary<infer T> ? T : never;
type Request = typeof request extends fc.Arbitrary<infer T> ? T : never;
type Policy = Pick<CacheRules, 'ttlMs' | 'staleWhileRevalidateMs' | 'staleIfErrorMs'>;

interface Kept {
  readonly answer: Answer;
  readonly request: Request;
  readonly at: number;
  readonly body: string;
}

/** RFC 9111, 3.5, 4.2 and RFC 5861 as plainly as they can be written; times in seconds. */
class Model {
  kept: Kept[] = [];
  readonly policy: Policy;
  constructor(policy: Policy) {
    this.policy = policy;
  }

  isStorable({ answer, request }: Kept): boolean {
    const { status } = answer;
    if (![200, 404, 302].includes(status) || answer.noStore || answer.isPrivate || answer.setCookie)
      return false;
    if (request.wish === 'no-store') return false;
    if (request.auth && !answer.isPublic && !answer.mustRevalidate && answer.sMaxAge === undefined)
      return false;
    if (this.isSaid(answer)) return true;
    return status === 200 && (!request.cookie || answer.isPublic);
  }

  isSaid({ maxAge, sMaxAge, expires }: Answer): boolean {
    return maxAge !== undefined || sMaxAge !== undefined || expires !== undefined;
  }

  lifetime({ answer, request }: Kept): number {
    if (answer.noCache) return 0;
    if (!this.isSaid(answer)) return request.cookie || request.auth ? 0 : this.policy.ttlMs / 1_000;
    if (answer.sMaxAge !== undefined) return answer.sMaxAge;
    return answer.maxAge ?? Math.max(0, (answer.expires ?? 0) + answer.dateAgo);
  }

  age({ answer, at }: Kept, now: number): number {
    return Math.max(answer.age ?? 0, answer.dateAgo) + (now - at);
  }

  mustAsk({ answer }: Kept): boolean {
    return answer.noCache || answer.mustRevalidate || answer.proxyRevalidate;
  }

  matches({ answer, request }: Kept, other: Request): boolean {
    const isAssumed = !this.isSaid(answer) && !answer.isPublic;
    if (isAssumed && (other.cookie || other.auth)) return false;
    return !answer.varies || request.foo === other.foo;
  }

  /** Since when it is stale, above 0. */
  staleFor(kept: Kept, now: number): number {
    return this.age(kept, now) - this.lifetime(kept);
  }

  mayServe(kept: Kept, { wish }: Request, now: number): 'fresh' | 'meanwhile' | 'no' {
    const stale = this.staleFor(kept, now);
    const age = this.age(kept, now);
    const limit = kept.answer.sMaxAge === undefined ? this.policy.staleWhileRevalidateMs / 1_000 : 0;
    const swr = this.mustAsk(kept) ? 0 : (kept.answer.swr ?? limit);
    const isMeanwhile = stale >= 0 && stale < swr ? 'meanwhile' : 'no';
    const isFresh = stale < 0;
    switch (wish) {
      case 'no-cache':
      case 'no-store':
        return 'no';
      case 'max-age=0':
      case 'max-age=4':
        if (age > Number(wish.slice('max-age='.length))) return 'no';
        return isFresh ? 'fresh' : isMeanwhile;
      case 'min-fresh=10':
        return stale <= -10 ? 'fresh' : 'no';
      case 'max-stale=8':
      case 'max-stale': {
        const mayBeStale = !this.mustAsk(kept) && kept.answer.sMaxAge === undefined;
        const most = wish === 'max-stale' ? Infinity : 8;
        return isFresh || (mayBeStale && stale <= most) ? 'fresh' : isMeanwhile;
      }
      default:
        return isFresh ? 'fresh' : isMeanwhile;
    }
  }

  /** Nothing but a client's own `max-stale` could ask for it any more. */
  isSpent(kept: Kept, now: number): boolean {
    if (this.mustAsk(kept)) return this.staleFor(kept, now) >= 0;
    const isOpen = kept.answer.sMaxAge === undefined;
    const swr = kept.answer.swr ?? (isOpen ? this.policy.staleWhileRevalidateMs / 1_000 : 0);
    const sie = kept.answer.sie ?? (isOpen ? this.policy.staleIfErrorMs / 1_000 : 0);
    return this.staleFor(kept, now) >= Math.max(swr, sie);
  }

  mayStandIn(kept: Kept, now: number): boolean {
    const ofRoute = kept.answer.sMaxAge === undefined ? this.policy.staleIfErrorMs / 1_000 : 0;
    const stale = this.staleFor(kept, now);
    return stale < 0 || (!this.mustAsk(kept) && stale < (kept.answer.sie ?? ofRoute));
  }
}

function replyOf(answer: Answer, body: string, time: ManualTime): Reply {
  const directives = [
    answer.maxAge !== undefined && `max-age=${answer.maxAge}`,
    answer.sMaxAge !== undefined && `s-maxage=${answer.sMaxAge}`,
    answer.swr !== undefined && `stale-while-revalidate=${answer.swr}`,
    answer.sie !== undefined && `stale-if-error=${answer.sie}`,
    answer.isPublic && 'public',
    answer.isPrivate && 'private',
    answer.noStore && 'no-store',
    answer.noCache && 'no-cache',
    answer.mustRevalidate && 'must-revalidate',
    answer.proxyRevalidate && 'proxy-revalidate',
  ].filter((directive) => directive !== false);
  return {
    status: answer.status,
    headers: {
      Date: time.date(-answer.dateAgo),
      ...(directives.length > 0 && { 'Cache-Control': directives.join(', ') }),
      ...(answer.expires !== undefined && { Expires: time.date(answer.expires) }),
      ...(answer.age !== undefined && { Age: String(answer.age) }),
      ...(answer.setCookie && { 'Set-Cookie': 'a=1' }),
      ...(answer.varies && { Vary: 'Foo' }),
    },
    body,
  };
}

test('serves from memory what a naive reading of the RFCs allows, and whenever it does', () => {
  fc.assert(
    fc.property(policy, fc.array(step, { maxLength: 25 }), (rules, steps) => {
      const time = new ManualTime();
      const cache = new ResponseCache({ clock: time, wallClock: time });
      const instances = new Instances();
      const forward = cache.around(rules, instances.forward);
      const model = new Model(rules);
      steps.forEach(({ request, answer, waitS }, index) => {
        time.pass(waitS);
        const now = time.time / 1_000;
        const body = `body ${index}`;
        const before = instances.exchanges.length;
        // Of the variants that fit the newest counts.
        const found = model.kept.find((kept) => model.matches(kept, request));
        const verdict = found === undefined ? 'no' : model.mayServe(found, request, now);
        const stored =
          found !== undefined && verdict === 'no' && model.isSpent(found, now) ? undefined : found;
        // A request that is not for the cache at all does not tidy up in it either.
        if (stored === undefined && request.wish !== 'no-store')
          model.kept = model.kept.filter((kept) => kept !== found);
        instances.reply = replyOf(answer, body, time);
        const client = send(forward, {
          headers: {
            Foo: request.foo,
            ...(request.cookie && { Cookie: 'a=1' }),
            ...(request.auth && { Authorization: 'x' }),
            ...(request.wish !== undefined && { 'Cache-Control': request.wish }),
          },
        });
        const asked = instances.exchanges.length - before;
        if (verdict !== 'no')
          expect([client.body, asked]).toEqual([stored?.body, verdict === 'fresh' ? 0 : 1]);
        else if (request.wish === 'only-if-cached')
          expect([client.error !== undefined, asked]).toEqual([true, 0]);
        else if (
          answer.status === 503 &&
          request.wish !== 'no-store' &&
          stored !== undefined &&
          model.mayStandIn(stored, now)
        ) {
          expect(client.body).toBe(stored.body);
        } else expect([client.status, client.body]).toEqual([answer.status, body]);
        if (asked === 0) return;
        const kept = { answer, request, at: now, body };
        const isVariant = (other: Kept): boolean =>
          other.answer.varies === answer.varies && (!answer.varies || other.request.foo === request.foo);
        if (model.isStorable(kept) && isOfUse(model, kept, now))
          model.kept = [kept, ...model.kept.filter((other) => !isVariant(other))];
        else if (answer.status !== 503 && request.wish !== 'no-store')
          model.kept = model.kept.filter((other) => other !== stored);
      });
    }),
    { numRuns: 300 },
  );
});

/** What can never be served is not kept. */
function isOfUse(model: Model, kept: Kept, now: number): boolean {
  const ofRoute = kept.answer.sMaxAge === undefined ? model.policy.staleIfErrorMs : 0;
  return model.staleFor(kept, now) < 0 || (!model.mustAsk(kept) && (kept.answer.sie ?? ofRoute) > 0);
}

type Op =
  | { kind: 'get'; foo: string; isSlow: boolean; hasTag: boolean }
  | { kind: 'leave' | 'resume'; which: number }
  | { kind: 'head'; which: number; type: 'keep' | 'vary' | 'private' | 'error' }
  | { kind: 'data' | 'end' | 'fail'; which: number }
  | { kind: 'change' };
const which = fc.nat(6);
const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('get' as const),
      foo: fc.constantFrom('a', 'b'),
      isSlow: fc.boolean(),
      hasTag: flag,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('leave' as const, 'resume' as const), which }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('head' as const),
      which,
      type: fc.constantFrom('keep' as const, 'vary' as const, 'private' as const, 'error' as const),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('data' as const, 'data' as const, 'end' as const, 'fail' as const),
      which,
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'change' as const }) },
);

const heads: Record<string, Reply> = {
  keep: { headers: { 'Cache-Control': 'max-age=10', ETag: '"1"' } },
  vary: { headers: { 'Cache-Control': 'max-age=10', Vary: 'Foo' } },
  private: { headers: { 'Cache-Control': 'private' } },
  error: { status: 503 },
};

test('whoever waits with others, leaves, reads slowly: everyone gets one whole answer of the right variant, or an error', () => {
  fc.assert(
    fc.property(fc.array(op, { maxLength: 60 }), fc.constantFrom(3, 1_000), (ops, maxEntryBytes) => {
      const time = new ManualTime();
      const cache = new ResponseCache({ clock: time, wallClock: time });
      const instances = new Instances();
      const forward = cache.around({ maxEntryBytes, staleIfErrorMs: 0 }, instances.forward);
      const clients: { client: Client; foo: string; hasLeft: boolean }[] = [];
      const talks: Talk[] = [];
      const talk = (at: number): Talk | undefined => {
        for (const exchange of instances.exchanges.slice(talks.length))
          talks.push(new Talk(exchange, talks.length));
        return talks[at % Math.max(1, talks.length)];
      };
      for (const one of ops) {
        const talking = 'which' in one ? talk(one.which) : undefined;
        const who = 'which' in one ? clients[one.which % Math.max(1, clients.length)] : undefined;
        if (one.kind === 'get') {
          const client = new Client();
          client.isSlow = one.isSlow;
          clients.push({ client, foo: one.foo, hasLeft: false });
          send(forward, { headers: { Foo: one.foo, ...(one.hasTag && { 'If-None-Match': '"1"' }) } }, client);
        } else if (one.kind === 'change') {
          send(
            cache.around(
              {},
              (_passage, sink) => (
                sink.head(200, '', []),
                sink.end([]),
                { abort: () => undefined, resume: () => undefined }
              ),
            ),
            { method: 'POST' },
          );
        } else if (one.kind === 'leave' && who !== undefined && !isOver(who.client)) {
          who.hasLeft = true;
          who.client.flow?.abort(new Error('gone'));
          // It must hear nothing from now on.
          who.client.end =
            who.client.fail =
            who.client.head =
            who.client.data =
              () => {
                throw new Error('heard after it left');
              };
        } else if (one.kind === 'resume') {
          who?.client.flow?.resume();
        } else if (one.kind === 'head') talking?.head(one.type);
        else if (one.kind === 'data') talking?.data();
        else if (one.kind === 'end') talking?.end();
        else talking?.fail();
      }
      for (let round = 0; round < 200; round++) {
        talk(0);
        const open = talks.find(({ isOver }) => !isOver);
        if (open === undefined) break;
        open.head('keep');
        open.end();
      }
      for (let round = 0; round < 100; round++) for (const { client } of clients) client.flow?.resume();

      for (const { client, foo, hasLeft } of clients) {
        if (hasLeft) continue;
        expect(isOver(client)).toBe(true);
        if (client.error !== undefined || client.status === 304) continue;
        const source = talks[Number(client.header('x-id'))];
        expect([client.body, client.status]).toEqual([source?.body, statusOf(source?.type)]);
        if (source?.type === 'vary') expect(source.foo).toBe(foo);
      }
      const { hits, misses, coalesced, stale, revalidated } = cache.getSnapshot();
      const answered = clients.filter(({ hasLeft }) => !hasLeft).length;
      expect(hits + misses + coalesced + stale + revalidated).toBeGreaterThanOrEqual(answered);
      expect(talks.every(({ isOver }) => isOver)).toBe(true);
    }),
    { numRuns: 300 },
  );
});

const isOver = (client: Client): boolean => client.isEnded || client.error !== undefined;
const statusOf = (type: string | undefined): number => (type === 'error' ? 503 : 200);

/** An instance that speaks in order, and not to whom has hung up. */
class Talk {
  body = '';
  type: string | undefined;
  readonly foo: string;
  readonly #id: number;
  readonly #exchange: Exchange;
  #isOver = false;
  constructor(exchange: Exchange, id: number) {
    this.#exchange = exchange;
    this.#id = id;
    const { rawHeaders } = exchange.passage.request.raw;
    this.foo = rawHeaders[rawHeaders.indexOf('Foo') + 1] ?? '';
  }
  get isOver(): boolean {
    return this.#isOver || this.#exchange.abortedFor !== undefined;
  }
  head(type: string): void {
    if (this.isOver || this.type !== undefined) return;
    this.type = type;
    const reply = heads[type] ?? {};
    this.#exchange.head({ ...reply, headers: { ...reply.headers, 'X-Id': String(this.#id) } });
  }
  data(): void {
    if (this.isOver || this.type === undefined || this.#exchange.isPaused) return;
    this.body += `[${this.#id}]`;
    this.#exchange.data(`[${this.#id}]`);
  }
  end(): void {
    if (this.isOver || this.type === undefined) return;
    this.#isOver = true;
    this.#exchange.sink.end([]);
  }
  fail(): void {
    if (this.isOver) return;
    this.#isOver = true;
    this.#exchange.sink.fail(new Error('broke'));
  }
}

test('a directive that forbids is never overlooked, whatever stands around it', () => {
  const junk = fc.string({
    unit: fc.constantFrom('a', '=', ' ', '\t', ';', '1', '-', '\\', 'x'),
    maxLength: 8,
  });
  const elements = fc.array(fc.oneof(junk, fc.constantFrom('max-age=60', 'public', 'x="a,b"', '')), {
    maxLength: 4,
  });
  fc.assert(
    fc.property(
      elements,
      elements,
      fc.constantFrom('private', 'no-store', 'NO-STORE', ' Private ', 'private="x"'),
      (before, after, word) => {
        const control = new CacheControl([[...before, word, ...after].join(',')]);
        expect(control.isMalformed || control.has('private') || control.has('no-store')).toBe(true);
      },
    ),
    { numRuns: 300 },
  );
});
