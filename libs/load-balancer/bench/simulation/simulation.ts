import type { Balancer, Contender, Outcome, Ticket } from './balancer.ts';
import { EventHeap } from './event-heap.ts';
import type { Behaviour, Fault, Setting } from './fault.ts';
import { Line } from './line.ts';
import { type Figures, Measure } from './measure.ts';
import { erlang4, exponential, type Random, seededRandom } from './random.ts';

/** Bound once: in a test's context each look-up of a global is slow. */
const { floor, min } = Math;
const never = Infinity;

const refusalMs = 0.2;
const checkEveryMs = 100;

interface Request {
  readonly ticket: Ticket;
  readonly startMs: number;
  /** Drawn on arrival, as is its luck, so that every contender sees the same work. */
  readonly workMs: number;
  readonly luck: number;
  served: boolean;
  ended: boolean;
}

interface Server {
  readonly waiting: Line<Request>;
  free: number;
}

/** One run: a setting, a fault, a way to balance. The same seed gives the same figures on every machine. */
export class Simulation {
  readonly #setting: Setting;
  readonly #fault: Fault;
  readonly #random: Random;
  readonly #clients: readonly Balancer[];
  readonly #servers: readonly Server[];
  readonly #measure: Measure;
  readonly #answers = new EventHeap<Request>();
  /** All time out after the same time, so they do in the order of their start. */
  readonly #timeouts = new Line<Request>();
  /** The fault begins at 0. */
  #nowMs: number;
  #checkMs: number;

  constructor(setting: Setting, fault: Fault, contender: Contender, seed: number) {
    this.#setting = setting;
    this.#fault = fault;
    this.#random = seededRandom(seed);
    this.#nowMs = -setting.healthyMs;
    this.#checkMs = setting.faultMs + setting.timeoutMs;
    this.#measure = new Measure(setting);
    this.#clients = Array.from({ length: setting.clients }, (_, client) =>
      contender.create(seededRandom(seed * 1_000 + client)),
    );
    const { slots } = setting;
    this.#servers = Array.from({ length: setting.servers }, () => ({ waiting: new Line(), free: slots }));
  }

  run(): Figures {
    const { servers, healthyMs, faultMs, recoveryMs, timeoutMs } = this.#setting;
    this.#grow(this.#fault.joins ? servers - 1 : servers);
    this.#send(-healthyMs, 0);
    if (this.#fault.joins) this.#grow(servers);
    this.#send(0, faultMs);
    this.#send(faultMs, faultMs + recoveryMs);
    this.#settle(faultMs + recoveryMs + timeoutMs);
    return this.#measure.figures;
  }

  #send(fromMs: number, untilMs: number): void {
    const { servers, slots, serviceMs, loadRatio } = this.#setting;
    const everyMs = serviceMs / (servers * slots * loadRatio);
    let nextMs = fromMs;
    while ((nextMs += exponential(this.#random, everyMs)) < untilMs && !this.#isRegained()) {
      this.#settle(nextMs);
      this.#arrive();
    }
    this.#settle(untilMs);
  }

  /** Nothing is left to be measured once the fault is over, its last requests are, and the share is regained. */
  #isRegained(): boolean {
    if (this.#nowMs < this.#checkMs) return false;
    this.#checkMs += checkEveryMs;
    return this.#measure.regainMs < Infinity;
  }

  #grow(count: number): void {
    for (const client of this.#clients) client.update(count, this.#nowMs);
  }

  /** Lets everything happen that comes before `untilMs`. */
  #settle(untilMs: number): void {
    for (;;) {
      const first = this.#timeouts.first;
      const expiryMs = first ? first.startMs + this.#setting.timeoutMs : never;
      const answerMs = this.#answers.nextMs;
      if (min(expiryMs, answerMs) > untilMs) break;
      this.#nowMs = min(expiryMs, answerMs);
      if (expiryMs <= answerMs) this.#end(this.#timeouts.shift(), 'timeout');
      else this.#answer(this.#answers.pop());
    }
    this.#nowMs = untilMs;
  }

  #arrive(): void {
    const client = this.#clients[floor(this.#random() * this.#clients.length)];
    const workMs = erlang4(this.#random, this.#setting.serviceMs);
    const luck = this.#random();
    const ticket = client?.pick(this.#nowMs);
    if (!ticket) return;
    const request = { ticket, startMs: this.#nowMs, workMs, luck, served: false, ended: false };
    this.#measure.sent(this.#nowMs, ticket.server);
    this.#timeouts.push(request);
    this.#reach(request);
  }

  #reach(request: Request): void {
    const behaviour = this.#behaviour(request.ticket.server);
    if (behaviour === 'silent') return;
    if (behaviour === 'down') this.#answers.push(this.#nowMs + refusalMs, request);
    else if (this.#serverOf(request).free > 0) this.#serve(request);
    else this.#serverOf(request).waiting.push(request);
  }

  #serve(request: Request): void {
    this.#serverOf(request).free--;
    request.served = true;
    this.#answers.push(this.#finishMs(request), request);
  }

  #answer(request: Request | undefined): void {
    if (!request) return;
    const behaviour = this.#behaviour(request.ticket.server);
    const fails = !request.served || behaviour === 'down' || request.luck < this.#failureRatio(request);
    if (request.served) this.#serveNext(this.#serverOf(request), behaviour);
    if (!request.served || behaviour !== 'silent') this.#end(request, fails ? 'failure' : 'success');
  }

  /** What waits at a server that went down fails with it. */
  #serveNext(server: Server, behaviour: Behaviour): void {
    server.free++;
    while (server.free > 0) {
      const next = server.waiting.shift();
      if (!next) return;
      if (behaviour === 'down') this.#end(next, 'failure');
      else if (!next.ended) this.#serve(next);
    }
  }

  #end(request: Request | undefined, outcome: Outcome): void {
    if (!request || request.ended) return;
    request.ended = true;
    const latencyMs = this.#nowMs - request.startMs;
    request.ticket.done(this.#nowMs, outcome, latencyMs);
    this.#measure.ended(request.startMs, outcome, latencyMs);
  }

  #serverOf({ ticket }: Request): Server {
    const server = this.#servers[ticket.server];
    if (!server) throw new RangeError(`simulation: server must exist, got ${ticket.server}`);
    return server;
  }

  #finishMs({ ticket, workMs }: Request): number {
    if (!this.#isFaulty) return this.#nowMs + workMs;
    const slowness = this.#fault.slowness?.(ticket.server, this.#nowMs, this.#setting) ?? 1;
    const pausedMs = this.#fault.finishMs?.(ticket.server, this.#nowMs, workMs, this.#setting);
    return pausedMs ?? this.#nowMs + workMs * slowness;
  }

  #behaviour(server: number): Behaviour {
    if (!this.#isFaulty) return 'well';
    return this.#fault.behaviour?.(server, this.#nowMs, this.#setting) ?? 'well';
  }

  #failureRatio({ ticket }: Request): number {
    return this.#isFaulty ? (this.#fault.failureRatio?.(ticket.server, this.#setting) ?? 0) : 0;
  }

  get #isFaulty(): boolean {
    return this.#nowMs >= 0 && this.#nowMs < this.#setting.faultMs;
  }
}
