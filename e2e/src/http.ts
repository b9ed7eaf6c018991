export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: any;
  readonly ms: number;
}

/** One request as a user's script would send it; a body object becomes JSON. */
export async function call(
  method: string,
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const started = performance.now();
  const json = body !== undefined && typeof body !== 'string';
  const response = await fetch(url, {
    method,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: json ? JSON.stringify(body) : body }),
    signal: AbortSignal.timeout(20_000),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: /json/.test(response.headers.get('content-type') ?? '') ? (JSON.parse(text) as unknown) : text,
    ms: performance.now() - started,
  };
}

export const get = (url: string): Promise<Answer> => call('GET', url);

/** Requests in flight all the time until `stop`; remembers every answer that was not as it should be. */
export function load(
  concurrency: number,
  once: () => Promise<string | undefined>,
): () => Promise<{ sent: number; faults: string[] }> {
  let running = true;
  let sent = 0;
  const faults: string[] = [];
  const worker = async (): Promise<void> => {
    while (running && sent < 50_000) {
      sent++;
      const fault = await once().catch((error: unknown) => String(error));
      if (fault !== undefined) faults.push(fault);
    }
  };
  const workers = Array.from({ length: concurrency }, worker);
  return async () => {
    running = false;
    await Promise.all(workers);
    return { sent, faults };
  };
}
