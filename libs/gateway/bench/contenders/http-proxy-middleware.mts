import { contend } from './contend.mts';
import { middlewareInExpress } from './middleware.mts';

await contend((instances) => middlewareInExpress('http-proxy-middleware', instances));
