import { connect } from 'node:http2';
import { hostPort } from './address.ts';
import { mayConnect, probeLookup } from './probe-address.ts';

/** A message of gRPC over HTTP/2: not compressed, its length, itself. */
function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** `HealthCheckRequest { string service = 1; }` in protobuf. */
function healthRequest(service: string): Buffer {
  const name = Buffer.from(service);
  return name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
}

/** Whether it is `HealthCheckResponse { ServingStatus status = 1; }` with SERVING, which is 1. */
function isServing(body: Buffer): boolean {
  return body.length >= 7 && body[0] === 0 && body[5] === 0x08 && body[6] === 0x01;
}

/** Most bytes of an answer that are read; a right one has 7. */
const maximumAnswer = 1024;

/** `grpc.health.v1.Health/Check` without TLS. Rejects when there is no answer; the caller's signal bounds the time. */
export function checkGrpcHealth(
  { host, port }: { readonly host: string; readonly port: number },
  service: string,
  signal: AbortSignal,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    if (!mayConnect(host)) {
      reject(new Error(`${host} must not be called`));
      return;
    }
    const session = connect(`http://${hostPort(host, port)}`, { lookup: probeLookup } as object);
    const fail = (error: unknown): void => {
      session.destroy();
      reject(error instanceof Error ? error : new Error('aborted'));
    };
    const abort = (): void => {
      fail(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    session.on('error', fail);
    session.on('close', () => {
      signal.removeEventListener('abort', abort);
      reject(new Error('closed without an answer'));
    });
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const chunks: Buffer[] = [];
    stream.on('error', fail);
    stream.on('data', (chunk: Buffer) => {
      if (chunks.reduce((sum, { length }) => sum + length, 0) < maximumAnswer) chunks.push(chunk);
    });
    stream.on('end', () => {
      resolve(isServing(Buffer.concat(chunks)));
      session.destroy();
    });
    stream.end(frame(healthRequest(service)));
  });
}
