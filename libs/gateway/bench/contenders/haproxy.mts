import { contend } from './contend.mts';
import { startNative } from './native.mts';

await contend((instances) =>
  startNative({
    command: 'haproxy',
    args: (config) => ['-f', config, '-q'],
    config: (port) => `
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 2s
  option forwardfor
  http-reuse always
frontend front
  bind 127.0.0.1:${port}
  default_backend items
backend items
  balance roundrobin
${instances.map((origin, at) => `  server item${at} ${new URL(origin).host}`).join('\n')}
`,
  }),
);
