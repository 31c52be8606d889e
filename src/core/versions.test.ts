import { describe, expect, test } from '@jest/globals';
import { compareVersions, inRange, isRange, isVersion, newest, parseOSImage } from './versions.ts';

describe('parseOSImage', () => {
  test.each([
    ['Bottlerocket OS 1.26.0 (aws-k8s-1.31)', { version: '1.26.0', variant: 'aws-k8s-1.31', arch: 'arm64' }],
    ['Bottlerocket OS 1.27.0-rc.1 (metal-k8s-1.31)', { version: '1.27.0-rc.1', variant: 'metal-k8s-1.31', arch: 'arm64' }],
    ['Amazon Linux 2023.6.20250115', undefined],
    ['Bottlerocket OS', undefined],
    ['Bottlerocket OS 1.26.0', undefined],
    ['Bottlerocket OS v1.26.0 (aws-k8s-1.31)', undefined],
    ['Bottlerocket OS 1.26 (aws-k8s-1.31)', undefined],
    ['Bottlerocket OS 1.26.0 ()', undefined],
    ['Bottlerocket OS 1.26.0 (a) (b)', undefined],
    ['bottlerocket os 1.26.0 (aws-k8s-1.31)', undefined],
    [`Bottlerocket OS ${'1'.repeat(65)} (aws-k8s-1.31)`, undefined],
    ['', undefined],
  ])('%s', (osImage, os) => {
    expect(parseOSImage(osImage, 'arm64')).toEqual(os);
  });
});

describe('isVersion', () => {
  test.each([
    ['1.26.1', true],
    ['1.26.1-rc.1', true],
    ['1.26.1+b', true],
    ['v1.26.1', false],
    ['1.26', false],
    [' 1.26.1', false],
    ['1.26.1-01', false],
    ['99999999999999999.0.0', false],
    ['01.26.1', false],
    ['latest', false],
    ['>=1.26.1', false],
    ['', false],
    [`1.26.1-${'a'.repeat(64)}`, false],
  ])('%s: %s', (text, expected) => {
    expect(isVersion(text)).toBe(expected);
  });
});

describe('ranges', () => {
  test.each([
    ['*', true],
    ['>=1.26.0 <2.0.0', true],
    ['~1.26 || ^2', true],
    ['>= one', false],
    ['1.26.x.y', false],
  ])('%s can be read: %s', (range, expected) => {
    expect(isRange(range)).toBe(expected);
  });

  test.each([
    ['1.26.1', '*', true],
    ['1.26.1', '>=1.26.0 <2.0.0', true],
    ['2.0.0', '>=1.26.0 <2.0.0', false],
    ['1.27.0-rc.1', '*', false],
    ['1.27.0-rc.1', '>=1.27.0-rc.0', true],
    ['1.26.1', '>= one', false],
  ])('%s in %s: %s', (version, range, expected) => {
    expect(inRange(version, range)).toBe(expected);
  });
});

describe('compareVersions', () => {
  test.each([
    ['1.26.1', '1.26.0', 1],
    ['1.9.0', '1.10.0', -1],
    ['1.26.1', '1.26.1', 0],
    ['1.26.1-rc.1', '1.26.1', -1],
    ['0.0.1', ' ', 1],
    ['no version', '0.0.1', -1],
    ['no version', ' ', 0],
  ])('%s and %s', (a, b, sign) => {
    expect(Math.sign(compareVersions(a, b))).toBe(sign);
  });

  test('the newest of some', () => {
    expect(newest(['1.9.0', '1.10.0', '1.2.0'])).toBe('1.10.0');
    expect(newest([])).toBeUndefined();
  });
});
