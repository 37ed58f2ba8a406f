import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router';
import type { IconName } from '../ui/icons';
import type { Word } from './words';

export interface Place {
  name: string;
  word: Word;
  icon: IconName;
}

/** What the navigation shows; pages of an app need one to be chosen. */
export const appPlaces: Place[] = [
  { name: 'rooms', word: 'rooms', icon: 'people' },
  { name: 'history', word: 'history', icon: 'clock' },
  { name: 'usage', word: 'usage', icon: 'stats' },
  { name: 'jobs', word: 'jobs', icon: 'film' },
  { name: 'webhooks', word: 'webhooks', icon: 'hook' },
  { name: 'settings', word: 'settings', icon: 'settings' },
];
export const accountPlaces: Place[] = [
  { name: 'apps', word: 'apps', icon: 'grid' },
  { name: 'keys', word: 'keys', icon: 'key' },
  { name: 'node', word: 'node', icon: 'server' },
  { name: 'sdk', word: 'sdk', icon: 'code' },
];

const routes: RouteRecordRaw[] = [
  { path: '/', redirect: '/apps' },
  { path: '/apps', name: 'apps', component: () => import('./pages/AppsPage.vue') },
  { path: '/apps/:app', redirect: (to) => ({ name: 'rooms', params: to.params }) },
  { path: '/apps/:app/rooms', name: 'rooms', component: () => import('./pages/RoomsPage.vue'), props: true },
  { path: '/apps/:app/rooms/:room', name: 'room', component: () => import('./pages/RoomPage.vue'), props: true },
  { path: '/apps/:app/rooms/:room/timeline', name: 'timeline', component: () => import('./pages/TimelinePage.vue'), props: true },
  { path: '/apps/:app/history', name: 'history', component: () => import('./pages/HistoryPage.vue'), props: true },
  { path: '/apps/:app/usage', name: 'usage', component: () => import('./pages/UsagePage.vue'), props: true },
  { path: '/apps/:app/jobs', name: 'jobs', component: () => import('./pages/JobsPage.vue'), props: true },
  { path: '/apps/:app/webhooks', name: 'webhooks', component: () => import('./pages/WebhooksPage.vue'), props: true },
  { path: '/apps/:app/settings', name: 'settings', component: () => import('./pages/SettingsPage.vue'), props: true },
  { path: '/keys', name: 'keys', component: () => import('./pages/KeysPage.vue') },
  { path: '/node', name: 'node', component: () => import('./pages/NodePage.vue') },
  { path: '/sdk', name: 'sdk', component: () => import('./pages/SdkPage.vue') },
  { path: '/:rest(.*)*', redirect: '/apps' },
];

export const createConsoleRouter = () =>
  createRouter({ history: createWebHistory('/console'), routes, scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 } });
