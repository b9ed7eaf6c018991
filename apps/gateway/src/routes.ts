import type { RoutesInput } from '@mesh/gateway';

/**
 * Where requests go when GATEWAY_ROUTES names no file. The paths of the shop's API are not rewritten: then a `Location` of the service is
 * true here as well. Any other service of the mesh is at `/api/<service>/*`.
 */
export const routes: RoutesInput = {
  routes: [
    { id: 'users', match: { prefix: '/api/users' }, service: 'user-service' },
    { id: 'orders', match: { prefix: '/api/orders' }, service: 'order-service' },
    { id: 'services', match: { prefix: '/api' }, service: '*' },
  ],
};
