import type { Instance } from '@mesh/discovery-client';

interface ServerSentEvent {
  readonly id: string;
  readonly event: string;
  readonly data: unknown;
}

/** Reads a stream piece by piece and keeps what it says, as a client does. A piece may end anywhere. */
export class Replica {
  readonly events: ServerSentEvent[] = [];
  readonly #instances = new Map<string, Instance>();
  #unread = '';
  lastEventId: string | undefined;

  /** Name, id, port and weight of each instance, sorted. */
  get list(): unknown[] {
    return [...this.#instances.values()].map(({ name, id, port, weight }) => [name, id, port, weight]).sort();
  }

  /** Forgets the event that was cut off, as a broken connection does. */
  disconnect(): void {
    this.#unread = '';
  }

  read(text: string): void {
    const blocks = (this.#unread + text).split('\n\n');
    this.#unread = blocks.pop() ?? '';
    for (const block of blocks) this.#apply(block);
  }

  #apply(block: string): void {
    const fields = new Map(
      block.split('\n').map((line) => {
        const colon = line.indexOf(': ');
        return [line.slice(0, colon), line.slice(colon + 2)];
      }),
    );
    const [id, event, json] = [fields.get('id'), fields.get('event'), fields.get('data')];
    if (id === undefined || event === undefined || json === undefined) return;
    const data = JSON.parse(json) as {
      instances?: Instance[];
      instance?: Instance;
      name?: string;
      id?: string;
    };
    this.lastEventId = id;
    this.events.push({ id, event, data });
    if (event === 'snapshot') this.#instances.clear();
    for (const instance of data.instances ?? []) this.#set(instance);
    if (data.instance !== undefined) this.#set(data.instance);
    if (event === 'remove') this.#instances.delete(`${String(data.name)}/${String(data.id)}`);
  }

  #set(instance: Instance): void {
    this.#instances.set(`${instance.name}/${instance.id}`, instance);
  }
}
