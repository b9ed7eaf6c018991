/** The processes that serve one port together, as one of them sees them; see `runService({ workers })`. */
export interface Siblings {
  /** What this process answers to a topic. */
  answer(topic: string, answer: (question: unknown) => unknown): void;
  /**
   * Asks all processes that listen, this one included: with plain data, for plain data. One that does not answer within a second is left
   * out, as one that ended meanwhile.
   */
  gather(topic: string, question?: unknown): Promise<readonly unknown[]>;
}

/** A worker's line to the process that started it; `process` fits. */
export interface WorkerChannel {
  send?(message: object): unknown;
  on(event: 'message', listener: (message: unknown) => void): unknown;
}

/** What workers and their primary tell each other. */
export type WorkerMessage =
  | { readonly mesh: 'port'; readonly port: number }
  | { readonly mesh: 'leave' }
  /** From a worker, and on to every worker. */
  | {
      readonly mesh: 'ask';
      readonly id: number;
      readonly from?: number;
      readonly topic: string;
      readonly question: unknown;
    }
  /** How many were asked. */
  | { readonly mesh: 'asked'; readonly id: number; readonly count: number }
  /** From a worker, and back to the one that asked. */
  | { readonly mesh: 'answer'; readonly id: number; readonly to: number; readonly answer: unknown };

/** Longest wait for answers, in ms. */
const gatherMs = 1000;

/** True for what our own processes send each other. */
export function isWorkerMessage(message: unknown): message is WorkerMessage {
  return typeof message === 'object' && message !== null && 'mesh' in message;
}

/** A process that is alone, or one of several when it is given a channel. */
export class Relatives implements Siblings {
  readonly #answers = new Map<string, (question: unknown) => unknown>();
  readonly #channel: WorkerChannel | undefined;
  readonly #asked = new Map<number, Gathering>();
  #lastId = 0;

  constructor(channel?: WorkerChannel) {
    this.#channel = channel;
    channel?.on('message', (message) => {
      if (isWorkerMessage(message)) this.#hear(message);
    });
  }

  answer(topic: string, answer: (question: unknown) => unknown): void {
    this.#answers.set(topic, answer);
  }

  async gather(topic: string, question?: unknown): Promise<readonly unknown[]> {
    if (this.#channel === undefined) return [await this.#answers.get(topic)?.(question)];
    const id = ++this.#lastId;
    const gathering = new Gathering();
    this.#asked.set(id, gathering);
    this.#say({ mesh: 'ask', id, topic, question });
    const answers = await gathering.done;
    this.#asked.delete(id);
    return answers;
  }

  #hear(message: WorkerMessage): void {
    if (message.mesh === 'asked') this.#asked.get(message.id)?.expect(message.count);
    else if (message.mesh === 'answer') this.#asked.get(message.id)?.add(message.answer);
    else if (message.mesh === 'ask') void this.#reply(message);
  }

  async #reply({ id, from = 0, topic, question }: WorkerMessage & { mesh: 'ask' }): Promise<void> {
    try {
      const answer = await this.#answers.get(topic)?.(question);
      this.#say({ mesh: 'answer', id, to: from, answer });
    } catch {
      // Who asked does without it after its second.
    }
  }

  #say(message: WorkerMessage): void {
    this.#channel?.send?.(message);
  }
}

/** Answers to one question, until all are here or it has taken too long. */
class Gathering {
  readonly done: Promise<readonly unknown[]>;
  readonly #answers: unknown[] = [];
  #expected = Infinity;
  #finish: () => void = () => undefined;

  constructor() {
    this.done = new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#finish();
      }, gatherMs).unref();
      this.#finish = () => {
        clearTimeout(timer);
        resolve(this.#answers);
      };
    });
  }

  expect(count: number): void {
    this.#expected = count;
    this.#look();
  }

  add(answer: unknown): void {
    this.#answers.push(answer);
    this.#look();
  }

  #look(): void {
    if (this.#answers.length >= this.#expected) this.#finish();
  }
}
