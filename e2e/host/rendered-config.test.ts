import { expect, test } from '@jest/globals';
import { RenderedConfig } from './rendered-config.ts';
import { SettingsStore } from './settings-store.ts';

const old = { 'version-lock': 'latest', 'ignore-waves': false, seed: 1 };

/** A config after a commit of another lock and other waves, and the two renderings that are still to happen. */
function committed(random: number) {
  const settings = new SettingsStore({ updates: old });
  const config = new RenderedConfig(settings, () => random);
  const renderings: (() => void)[] = [];
  const delays: unknown[] = [];
  settings.patch('a', { updates: { 'version-lock': '1.26.1', 'ignore-waves': true } });
  settings.commit('a');
  config.renderAfter(50, { draw: (delay) => Number(delay), after: (delay, action) => delays.push(delay) && renderings.push(action) });
  const step = () => renderings.shift()?.();
  return { config, step, delays };
}

test('nothing changes before the rendering', () => {
  const { config } = committed(0);
  expect(config.dispatcherLock).toBe('latest');
  expect(config.updater).toEqual({ versionLock: 'latest', ignoreWaves: false, seed: 1 });
});

test.each([
  [0.1, '1.26.1', { versionLock: 'latest', ignoreWaves: false, seed: 1 }],
  [0.9, 'latest', { versionLock: '1.26.1', ignoreWaves: true, seed: 1 }],
])('between the two files either may be the new one (%d)', (random, lock, updater) => {
  const { config, step, delays } = committed(random);
  step();
  expect([config.dispatcherLock, config.updater]).toEqual([lock, updater]);
  step();
  expect([config.dispatcherLock, config.updater]).toEqual(['1.26.1', { versionLock: '1.26.1', ignoreWaves: true, seed: 1 }]);
  expect(delays).toEqual([50, 2.5]);
});
