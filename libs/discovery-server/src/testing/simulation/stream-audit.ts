import type { Registry } from '../../registry.ts';
import { encodeChange } from '../../server-sent-event.ts';

interface Told {
  readonly revision: number;
  readonly service: string;
}

interface Seen {
  readonly event: string;
  readonly epoch: string;
  readonly revision: number;
}

/** What was to be told to watchers, run by run of the registry, to hold against what they were told. */
export class StreamAudit {
  readonly violations: string[] = [];
  readonly #told = new Map<string, Told[]>();
  events = 0;

  /** Writes down every change of this run that callers can see. */
  listen(registry: Registry): void {
    const told: Told[] = [];
    this.#told.set(registry.epoch, told);
    registry.subscribe((change) => {
      if (encodeChange(registry.epoch, change, 'listed') === undefined) return;
      told.push({ revision: change.revision, service: change.service });
    });
  }

  /**
   * Follows one connection: after its beginning each change comes once, in order, and none is left out.
   *
   * @returns what to call with each piece of text that arrives.
   */
  follow(services: ReadonlySet<string>, lastEventId: string | undefined): (text: string) => void {
    let at = lastEventId === undefined ? undefined : read(`id: ${lastEventId}`);
    return (text) => {
      for (const block of text.split('\n\n')) {
        const seen = read(block);
        if (seen === undefined) continue;
        this.events += 1;
        if (seen.event === 'snapshot') at = seen;
        else if (seen.event === 'reset') at = undefined;
        else at = this.#check(services, at, seen);
      }
    };
  }

  #check(services: ReadonlySet<string>, at: Seen | undefined, seen: Seen): Seen {
    const { epoch, revision, event } = seen;
    if (at?.epoch !== epoch) {
      this.violations.push(`watch: ${event} ${epoch}:${revision} without a snapshot of its epoch`);
      return seen;
    }
    const isChange = event === 'upsert' || event === 'remove';
    const due = this.#between(services, epoch, at.revision, revision);
    const expected = isChange ? [revision] : [];
    if (due.join() !== expected.join() || (isChange ? revision <= at.revision : revision < at.revision)) {
      this.violations.push(`watch: ${event} ${revision} after ${at.revision}, due were ${due.join()}`);
    }
    return seen;
  }

  /** Revisions of what was to be told after one and up to another. */
  #between(services: ReadonlySet<string>, epoch: string, after: number, upTo: number): number[] {
    const told = this.#told.get(epoch) ?? [];
    const due: number[] = [];
    for (let index = told.length - 1; index >= 0; index -= 1) {
      const { revision, service } = told[index] ?? { revision: 0, service: '' };
      if (revision <= after) break;
      if (revision <= upTo && services.has(service)) due.unshift(revision);
    }
    return due;
  }
}

function read(block: string): Seen | undefined {
  const [, epoch, revision] = /^id: (.+):(\d+)$/m.exec(block) ?? [];
  const [, event = 'start'] = /^event: (.+)$/m.exec(block) ?? [];
  if (epoch === undefined) return event === 'reset' ? { event, epoch: '', revision: 0 } : undefined;
  return { event, epoch, revision: Number(revision) };
}
