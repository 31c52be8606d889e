import { describe, expect, test } from '@jest/globals';
import { kubernetesOf, tooOldForControlPlane } from './kubernetes-skew.ts';

describe('the Kubernetes of a variant', () => {
  test.each([
    ['aws-k8s-1.31', { major: 1, minor: 31 }],
    ['aws-k8s-1.31-nvidia', { major: 1, minor: 31 }],
    ['vmware-k8s-1.9', { major: 1, minor: 9 }],
    ['aws-ecs-2', undefined],
    ['aws-dev', undefined],
    ['aws-k8s-1.31rc', undefined],
  ])('%s', (variant, expected) => {
    expect(kubernetesOf(variant)).toEqual(expected);
  });
});

describe('a node', () => {
  const os = (variant: string) => ({ version: '1.26.0', variant, arch: 'amd64' });
  test.each([
    ['three minors behind is supported', 'aws-k8s-1.31', { major: 1, minor: 34 }, undefined],
    ['four minors behind is not', 'aws-k8s-1.31-fips', { major: 1, minor: 35 }, 'KubernetesTooOld'],
    ['of the same version', 'aws-k8s-1.31', { major: 1, minor: 31 }, undefined],
    ['ahead', 'aws-k8s-1.33', { major: 1, minor: 31 }, undefined],
    ['of no Kubernetes', 'aws-ecs-2', { major: 1, minor: 35 }, undefined],
    ['of a control plane that has said nothing', 'aws-k8s-1.31', undefined, undefined],
  ])('%s', (_, variant, server, reason) => {
    expect(tooOldForControlPlane(os(variant), server).map((finding) => finding.reason)).toEqual(reason === undefined ? [] : [reason]);
  });

  test('is told what to do', () => {
    expect(tooOldForControlPlane(os('aws-k8s-1.31'), { major: 1, minor: 36 })).toEqual([
      {
        type: 'KubernetesSupported',
        status: 'False',
        reason: 'KubernetesTooOld',
        message:
          "variant aws-k8s-1.31 is Kubernetes 1.31, more than 3 minor versions older than the control plane's 1.36: no update of the OS changes that, replace the node by one of a newer variant",
      },
    ]);
  });
});
