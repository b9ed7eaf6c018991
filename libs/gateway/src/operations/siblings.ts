/** The other processes that serve the same port; `context.siblings` of `@mesh/service-kit` fits. */
export interface Siblings {
  /** What this process answers to a topic. */
  answer(topic: string, answer: (question: unknown) => unknown): void;
  /** Asks all processes, this one included. One that does not answer in time is left out. */
  gather(topic: string, question?: unknown): Promise<readonly unknown[]>;
}

/** A process that is alone. */
export function alone(): Siblings {
  const answers = new Map<string, (question: unknown) => unknown>();
  return {
    answer(topic, answer) {
      answers.set(topic, answer);
    },
    gather(topic, question) {
      return Promise.resolve([answers.get(topic)?.(question)]);
    },
  };
}
