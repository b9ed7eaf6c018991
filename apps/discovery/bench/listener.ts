/** Accepts connections at every address of this machine, in a process of its own: tells its port, ends with its parent. */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

const server = createServer((socket) => {
  socket.on('error', () => undefined).resume();
});
server.listen(0, '0.0.0.0', 4096, () => {
  process.send?.((server.address() as AddressInfo).port);
});
process.on('disconnect', () => process.exit());
