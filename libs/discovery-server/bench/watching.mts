/** A watching client as small as one can be: it calls back for every event, with the moment at which it came. */
import { get } from 'node:http';
import type { ClientRequest } from 'node:http';

export interface Watching {
  readonly request: ClientRequest;
  onEvent: (event: string, data: string, atMs: number) => void;
}

export function watch(port: number, query: string): Promise<Watching> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path: `/watch?${query}`, agent: false });
    const watching: Watching = { request, onEvent: () => undefined };
    request.on('error', reject);
    request.on('response', (response) => {
      let unread = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        const atMs = performance.now();
        const blocks = (unread + text).split('\n\n');
        unread = blocks.pop() ?? '';
        for (const block of blocks) {
          const event = /^event: (.*)$/m.exec(block)?.[1];
          const data = /^data: (.*)$/m.exec(block)?.[1];
          if (event === 'snapshot') resolve(watching);
          if (event !== undefined && data !== undefined) watching.onEvent(event, data, atMs);
        }
      });
      response.on('error', () => undefined);
    });
  });
}

export function percentile(values: readonly number[], ratio: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * ratio))] ?? NaN;
}
