import type { ChildProcess } from 'node:child_process';
import type { Worker } from 'node:cluster';

/** What Node's cluster says to a worker with a connection in its hand, and what it hears when that was taken. */
interface Handover {
  readonly act?: string;
  readonly seq?: number;
  readonly ack?: number;
}

interface Connection {
  close(): void;
}

/**
 * Closes the connections that were on their way to a worker when it died. Node forgets them: it waits for a word of the dead, their
 * clients wait for an answer, for ever. Closed they learn of it and can ask again.
 *
 * It looks at messages that Node does not document; if they change, a dead worker is as bad as it is without this.
 */
export function closeLostConnections(worker: Worker): void {
  const underWay = new Map<number, Connection>();
  const channel: ChildProcess = worker.process;
  const send = channel.send.bind(channel) as (...args: unknown[]) => boolean;
  channel.send = (message: Handover, ...rest: unknown[]) => {
    const [connection] = rest;
    if (message.act === 'newconn' && message.seq !== undefined && connection !== undefined)
      underWay.set(message.seq, connection as Connection);
    return send(message, ...rest);
  };
  channel.on('internalMessage', ({ ack }: Handover) => {
    if (ack !== undefined) underWay.delete(ack);
  });
  worker.once('exit', () => {
    for (const connection of underWay.values()) connection.close();
    underWay.clear();
  });
}
