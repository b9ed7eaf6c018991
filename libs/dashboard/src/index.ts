export { dashboard, type DashboardOptions } from './dashboard.ts';
