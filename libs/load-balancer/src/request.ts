import type { Endpoint } from './endpoint.ts';
import { hashOf } from './hash.ts';
import type { PickContext } from './load-balancer.ts';
import type { Member } from './member.ts';
import type { Clock, PickRequest, Random } from './policy.ts';

/** The one request of a balancer, begun anew for each pick: picks are synchronous, so nothing needs to be allocated. */
export class MemberRequest<E extends Endpoint> implements PickRequest<Member<E>> {
  readonly #clock: Clock;
  readonly #random: Random;
  #nowMs: number | undefined;
  #context: PickContext = {};
  #excluded: ReadonlySet<string> | undefined;
  #panics = false;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  begin(context: PickContext): this {
    this.#nowMs = undefined;
    this.#context = context;
    this.#excluded = context.excluded?.size ? context.excluded : undefined;
    this.#panics = false;
    return this;
  }

  /** From here on all that are not excluded will do. */
  panic(): this {
    this.#panics = true;
    return this;
  }

  accepts(member: Member<E>): boolean {
    if (this.#excluded?.has(member.id)) return false;
    return this.#panics || member.available;
  }

  get hash(): number {
    const { key } = this.#context;
    return key === undefined ? (this.#random() * 2 ** 32) >>> 0 : hashOf(key);
  }

  get nowMs(): number {
    return (this.#nowMs ??= this.#clock.now());
  }
}
