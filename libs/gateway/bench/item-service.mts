/** The instances where nginx is not installed: the same answers, from one Node process. Its arguments are the ports. */
import { createServer } from 'node:http';
import { itemHeaders, itemJson, megabyte } from './upstreams.ts';

const chunk = Buffer.alloc(64 * 1024);
const sizes = new Map([
  ['/items/1m', megabyte],
  ['/items/100m', 100 * megabyte],
]);
const small = { 'content-type': 'application/json', 'content-length': itemJson.length, ...itemHeaders };

for (const port of process.argv.slice(2)) {
  createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
    const size = sizes.get(request.url ?? '');
    request.resume();
    if (size === undefined) {
      response.writeHead(200, small).end(itemJson);
      return;
    }
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': size });
    let left = size;
    const send = (): void => {
      while (left > 0) {
        left -= chunk.length;
        if (!response.write(chunk)) break;
      }
      if (left > 0) response.once('drain', send);
      else response.end();
    };
    send();
  }).listen(Number(port), '127.0.0.1');
}
