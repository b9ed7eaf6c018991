import { contend } from './contend.mts';
import { startNative } from './native.mts';

await contend((instances) =>
  startNative({
    command: 'nginx',
    cached: '/items/cached',
    args: (config, folder) => ['-c', config, '-p', folder, '-e', 'stderr'],
    config: (port, folder) => `
      daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr crit;
      events { worker_connections 20000; }
      http {
        access_log off; keepalive_requests 100000000; client_max_body_size 0;
        client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/1;
        uwsgi_temp_path ${folder}/2; scgi_temp_path ${folder}/3;
        proxy_cache_path ${folder}/cache keys_zone=items:10m;
        map $http_upgrade $upgraded { default upgrade; '' ''; }
        upstream items {
          ${instances.map((origin) => `server ${new URL(origin).host};`).join(' ')}
          keepalive 128; keepalive_requests 100000000;
        }
        server {
          listen 127.0.0.1:${port} backlog=4096;
          proxy_http_version 1.1; proxy_set_header Host $host;
          proxy_set_header Connection $upgraded; proxy_set_header Upgrade $http_upgrade;
          proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
          proxy_max_temp_file_size 0;
          location / { proxy_pass http://items; }
          location /items/cached { proxy_cache items; proxy_cache_valid 200 1h; proxy_pass http://items; }
        }
      }`,
  }),
);
