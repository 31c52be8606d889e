import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { howMany, RequestCounter, sentBetween } from './request-counter.ts';

let folder: string;
let file: string;
let made = 0;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'counter-'));
  file = path.join(folder, 'audit.log');
  await writeFile(file, '');
});
afterEach(() => rm(folder, { recursive: true }));

function line(who: string, verb: string, resource: string, more: object = {}): string {
  made += 1;
  const entry = {
    auditID: `${made}`,
    stage: 'ResponseComplete',
    verb,
    requestURI: '/',
    userAgent: `lockkeeper-${who}/0.1.0`,
    objectRef: { resource },
    responseStatus: { code: 200 },
    ...more,
  };
  return `${JSON.stringify(entry)}\n`;
}

test('counts by who, what and outcome, only of the product', async () => {
  const counter = new RequestCounter(file);
  await appendFile(file, line('controller', 'patch', 'nodes') + line('controller', 'patch', 'nodes'));
  const first = await counter.read();
  await appendFile(file, line('agent', 'patch', 'nodehosts', { objectRef: { resource: 'nodehosts', subresource: 'status' } }));
  await appendFile(file, line('controller', 'patch', 'nodes', { responseStatus: { code: 409 } }) + line('controller', 'patch', 'nodes'));
  await appendFile(file, line('x', 'patch', 'nodes') + line('controller', 'list', 'pods', { userAgent: 'kubelet of lockkeeper-1' }));
  const second = await counter.read();
  expect(Object.fromEntries(first.requests)).toEqual({ 'controller patch nodes': 2 });
  const sent = sentBetween(first, second);
  expect(sent).toEqual({ 'agent patch nodehosts/status': 1, 'controller patch nodes (409)': 1, 'controller patch nodes': 1 });
  expect(howMany(sent)).toBe(3);
  expect(howMany(sent, /^agent/)).toBe(1);
});

test('reads a line that comes in two halves once', async () => {
  const counter = new RequestCounter(file);
  const whole = line('agent', 'get', 'nodehosts');
  await appendFile(file, whole.slice(0, 40));
  expect((await counter.read()).requests.size).toBe(0);
  await appendFile(file, whole.slice(40));
  expect(Object.fromEntries((await counter.read()).requests)).toEqual({ 'agent get nodehosts': 1 });
});

test('counts a watch once, and knows which are open', async () => {
  const counter = new RequestCounter(file);
  await appendFile(file, line('agent', 'watch', 'nodehosts', { auditID: 'w1', stage: 'ResponseStarted' }));
  await appendFile(file, line('controller', 'watch', 'nodes', { auditID: 'w2', stage: 'ResponseStarted' }));
  expect(Object.fromEntries((await counter.read()).watches)).toEqual({ agent: 1, controller: 1 });
  await appendFile(file, line('agent', 'watch', 'nodehosts', { auditID: 'w1' }));
  // Refused: it never began.
  await appendFile(file, line('agent', 'watch', 'nodehosts', { auditID: 'w3', responseStatus: { code: 403 } }));
  const { requests, watches } = await counter.read();
  expect(Object.fromEntries(watches)).toEqual({ controller: 1 });
  expect(Object.fromEntries(requests)).toEqual({
    'agent watch nodehosts': 1,
    'controller watch nodes': 1,
    'agent watch nodehosts (403)': 1,
  });
});
