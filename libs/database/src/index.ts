export { database } from './database.ts';
